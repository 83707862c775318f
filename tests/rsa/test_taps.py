"""The same numbers whatever the batches and the budget, and nothing left behind."""

from __future__ import annotations

import copy
import random

import numpy as np
import pytest
import torch

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.layers import discover_layers
from nni_strategies.rsa.rdm import correlation_rdm, rdm_from_features
from nni_strategies.rsa.taps import layer_grams
from tests.rsa.networks import Net, Twice

STIMULI = torch.rand(100, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def trained() -> Net:
    torch.manual_seed(0)
    model = Net()
    for _ in range(5):
        model(torch.rand(32, 1, 8, 8)).sum().backward()
    return model


def rdms(model, **options):
    made = layer_grams(model, STIMULI, discover_layers(model, STIMULI), **options)
    return {name: correlation_rdm(gram) for name, gram in made.grams.items()}


def test_activations_are_those_of_the_network():
    model = trained()
    found = rdms(model)
    model.eval()
    with torch.no_grad():
        maps = model.blocks(model.stem(STIMULI))
    assert found["blocks.2"] == pytest.approx(rdm_from_features(maps), abs=1e-6)
    assert found["head:input"] == pytest.approx(rdm_from_features(maps.mean(dim=(2, 3))), abs=1e-6)


@pytest.mark.parametrize("batch_size", [1, 7, 64, 100])
@pytest.mark.parametrize("budget", [1 << 20, 1 << 29])
def test_batches_and_budgets_do_not_matter(batch_size, budget):
    model = trained()
    once, parts = rdms(model), rdms(model, batch_size=batch_size, budget=budget)
    assert list(parts) == list(once)
    for name, rdm in once.items():
        # the activations themselves differ: a convolution of one image is computed otherwise than of many
        assert np.abs(parts[name] - rdm).max() <= 2e-5
        assert np.corrcoef(parts[name], rdm)[0, 1] >= 1.0 - 1e-9


def test_relu_in_place_changes_nothing():
    model, other = trained(), Net(inplace=False)
    other.load_state_dict(model.state_dict())
    layers = [discover_layers(net, STIMULI, "all") for net in (model, other)]
    both = {layer.name for layer in layers[0]} & {layer.name for layer in layers[1]}
    assert {"stem.1", "blocks.0", "blocks.0.norm", "blocks.2"} <= both
    ours, theirs = (layer_grams(net, STIMULI, found).grams for net, found in zip((model, other), layers, strict=True))
    for name in both:  # stem.1 is overwritten by the ReLU that follows, after its hook ran
        assert correlation_rdm(ours[name]) == pytest.approx(correlation_rdm(theirs[name]), abs=1e-6)


def test_the_last_of_two_runs_is_taken():
    model, x = Twice(), torch.rand(20, 8)
    layers = discover_layers(model, x, ["shared"])
    with torch.no_grad():
        expected = model.shared(torch.relu(model.shared(model.first(x))))
    for options in ({}, {"batch_size": 7}):
        gram = layer_grams(model, x, layers, **options).grams["shared"]
        assert correlation_rdm(gram) == pytest.approx(rdm_from_features(expected), abs=1e-6)


def test_a_layer_too_large_is_sampled_and_said_so():
    model = trained()
    layers = discover_layers(model, STIMULI)
    room = 4 * 100 * 200  # bytes of 200 features of 100 stimuli; half of what the matrices leave, which is half
    made = layer_grams(model, STIMULI, layers, budget=4 * room, batch_size=64)
    assert made.approximate == {"blocks.0"}
    assert made.grams["blocks.0"].n_features == 200
    exact = correlation_rdm(layer_grams(model, STIMULI, layers).grams["blocks.0"])
    assert np.corrcoef(correlation_rdm(made.grams["blocks.0"]), exact)[0, 1] > 0.8


def test_one_batch_needs_no_sample():
    model = trained()
    layers = discover_layers(model, STIMULI)
    made, plenty = (layer_grams(model, STIMULI, layers, budget=budget, bn="batch") for budget in (1, 1 << 29))
    assert not made.approximate
    for name, sums in plenty.grams.items():
        assert correlation_rdm(made.grams[name]) == pytest.approx(correlation_rdm(sums), abs=1e-6)


def test_a_sample_of_four_thousand_units_is_nearly_exact():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 256, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(256, 1, 8))
    layers = discover_layers(model, STIMULI, ["1"])
    made = layer_grams(model, STIMULI, layers, budget=5_000_000, batch_size=10)
    assert made.approximate == {"1"}
    assert 4000 <= made.grams["1"].n_features <= 5000
    exact = correlation_rdm(layer_grams(model, STIMULI, layers).grams["1"])
    assert np.corrcoef(correlation_rdm(made.grams["1"]), exact)[0, 1] >= 0.98


def test_batches_are_as_large_as_fits():
    model, sizes = trained(), []
    layers = discover_layers(model, STIMULI)
    handle = model.register_forward_pre_hook(lambda module, inputs: sizes.append(len(inputs[0])))
    for budget, least, most in ((1 << 29, 100, 100), (3 << 20, 100, 100), (1 << 20, 10, 63), (1, 1, 1)):
        sizes.clear()
        layer_grams(model, STIMULI, layers, budget=budget)
        assert sizes[0] == 2  # whose memory is measured
        assert sum(sizes[1:]) % 100 == 0
        assert least <= sizes[1] <= most
    handle.remove()


@pytest.mark.parametrize("bn", ["running", "batch"])
@pytest.mark.parametrize("batch_size", [None, 9])
def test_nothing_is_left_behind(bn, batch_size):
    if bn == "batch" and batch_size is not None:
        return
    model = trained()
    model.blocks[1].eval()  # as users freeze batch normalisation
    kept = model.drop.register_forward_hook(lambda *_: None)
    state = copy.deepcopy(model.state_dict())
    gradients = [p.grad.clone() for p in model.parameters()]
    flags = [module.training for module in model.modules()]
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    for _ in range(2):
        layers = discover_layers(model, STIMULI)
        layer_grams(model, STIMULI, layers, bn=bn, batch_size=batch_size)
    assert all(torch.equal(a, b) for a, b in zip(state.values(), model.state_dict().values(), strict=True))
    assert all(torch.equal(a, p.grad) for a, p in zip(gradients, model.parameters(), strict=True))
    assert [module.training for module in model.modules()] == flags
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]
    assert random.getstate() == before[2]
    hooks = [(m._forward_hooks, m._forward_pre_hooks) for m in model.modules()]
    assert sum(len(a) + len(b) for a, b in hooks) == 1
    assert not any(m._forward_hooks_with_kwargs or m._forward_pre_hooks_with_kwargs for m in model.modules())
    kept.remove()


def test_a_model_that_fails_is_left_as_it_was():
    model = trained()
    layers = discover_layers(model, STIMULI)
    with pytest.raises(RuntimeError):
        layer_grams(model, torch.rand(10, 3, 8, 8), layers)
    assert model.training
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_statistics_of_the_batch_are_another_network():
    model = trained()
    assert np.abs(rdms(model)["blocks.0"] - rdms(model, bn="batch")["blocks.0"]).max() > 1e-3


def test_bad_options_are_refused():
    model = trained()
    layers = discover_layers(model, STIMULI)
    with pytest.raises(InvalidArgument, match="did you mean 'running'"):
        layer_grams(model, STIMULI, layers, bn="runing")
    with pytest.raises(InvalidArgument, match="whose batch is all 100 stimuli"):
        layer_grams(model, STIMULI, layers, bn="batch", batch_size=10)
    with pytest.raises(InvalidArgument, match="a positive integer"):
        layer_grams(model, STIMULI, layers, batch_size=0)


@pytest.mark.parametrize("options", [{}, {"batch_size": 7}, {"budget": 1 << 19}])
def test_logits_come_of_the_passes_that_are_made_anyway(options):
    model = trained()
    logits = layer_grams(model, STIMULI, discover_layers(model, STIMULI), **options).logits
    model.eval()
    with torch.no_grad():
        assert torch.allclose(logits, model(STIMULI), atol=1e-5)
    assert layer_grams(Twice(), torch.rand(9, 8), discover_layers(Twice(), torch.rand(9, 8))).logits is None
