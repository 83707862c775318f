"""Streamed sums against the definitions, on numbers far from 0 and on few or many features."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.gram import GramAccumulator, gram
from nni_strategies.rsa.rdm import correlation_rdm
from nni_strategies.rsa.torch_gram import torch_gram

NEEDS_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
RNG = np.random.default_rng(0)


def activations(n: int, d: int, offset: float = 0.0) -> np.ndarray:
    return RNG.normal(size=(n, d)) * np.exp(RNG.normal(size=(n, 1))) + offset * RNG.normal(size=(n, 1))


@pytest.mark.parametrize("offset", [0.0, 100.0, 1e4])
@pytest.mark.parametrize("n_features", [1, 2, 7, 9000])
def test_the_three_matrices_are_those_of_the_definitions(n_features, offset):
    x = activations(20, n_features, offset)
    sums = gram(x, "float64")
    rows, columns = x - x.mean(axis=1, keepdims=True), x - x.mean(axis=0)
    scale = np.abs(x @ x.T).max()
    assert sums.raw() == pytest.approx(x @ x.T, abs=1e-12 * scale)
    assert sums.of_centred_rows() == pytest.approx(rows @ rows.T, abs=1e-12 * scale)
    assert sums.of_centred_columns() == pytest.approx(columns @ columns.T, abs=1e-12 * scale)
    assert sums.energy == pytest.approx((x * x).sum(axis=1))


@pytest.mark.parametrize("widths", [[1] * 30, [7, 23], [29, 1], [30]])
def test_how_features_are_streamed_does_not_matter(widths):
    x = activations(12, 30, 50.0)
    made = GramAccumulator(12, "float64", chunk=11)
    for part in np.split(x, np.cumsum(widths)[:-1], axis=1):
        made.add(part)
    assert made.gram().of_centred_rows() == pytest.approx(gram(x, "float64").of_centred_rows(), abs=1e-9)
    assert made.gram().n_features == 30


def test_more_features_may_follow_a_look():
    x, made = activations(5, 40), GramAccumulator(5, "float64")
    made.add(x[:, :25])
    looked = made.gram().raw()
    made.add(x[:, 25:])
    assert looked == pytest.approx(x[:, :25] @ x[:, :25].T)
    assert made.gram().raw() == pytest.approx(x @ x.T)


def test_averaging_afterwards_is_averaging_before():
    x, group = activations(12, 500, 10.0), np.array(list("bbacacabbcca"))
    means = np.stack([x[group == name].mean(axis=0) for name in "bac"])
    assert gram(x, "float64").averaged(group).raw() == pytest.approx(means @ means.T)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_tensors_of_any_precision_and_shape(dtype):
    maps = torch.as_tensor(activations(6, 3 * 4 * 4)).reshape(6, 3, 4, 4).to(dtype)
    x = maps.double().flatten(1).numpy()
    with_gradient = maps.clone().requires_grad_()
    for features in (maps, with_gradient, maps.transpose(2, 3).transpose(2, 3)):
        assert gram(features, "float64").raw() == pytest.approx(x @ x.T, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("features", [np.zeros(4), np.zeros((3, 2))])
def test_another_shape_is_refused(features):
    with pytest.raises(InvalidArgument, match=r"features = .*\[4, n_features\]"):
        GramAccumulator(4).add(features)


def test_no_features_are_refused():
    with pytest.raises(InvalidArgument, match="at least one feature"):
        GramAccumulator(4).gram()
    with pytest.raises(InvalidArgument, match="did you mean 'float32'"):
        GramAccumulator(4, "float3")


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=NEEDS_GPU)])
def test_the_torch_form_is_the_same(device):
    x = activations(30, 9000, 1e4)
    ours, theirs = gram(x, "float64"), torch_gram(torch.as_tensor(x, device=device), "float64", chunk=4000)
    assert theirs.of_centred_rows() == pytest.approx(ours.of_centred_rows(), rel=1e-8, abs=1e-6)
    assert theirs.of_centred_columns() == pytest.approx(ours.of_centred_columns(), rel=1e-8, abs=1e-3)


@NEEDS_GPU
def test_a_gpu_rounds_no_product_to_tf32(monkeypatch):
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", True)
    x = torch.as_tensor(activations(300, 4096, 100.0), dtype=torch.float32)
    exact = correlation_rdm(gram(x, "float64"))
    assert np.abs(correlation_rdm(gram(x.cuda())) - exact).max() <= 1e-6
    assert torch.backends.cuda.matmul.allow_tf32


class Elsewhere(torch.Tensor):
    """On a device that is neither the CPU nor CUDA, such as one without double precision."""

    __module__ = "torch"
    device = torch.device("mps")


def test_only_cuda_computes_where_it_is():
    features = torch.rand(6, 50, generator=torch.Generator().manual_seed(0))
    assert np.array_equal(gram(features.as_subclass(Elsewhere)).products, gram(features).products)
