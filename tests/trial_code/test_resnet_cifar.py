"""The CIFAR ResNets: their size, their shortcut, and that published weights load and see what they should."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.layers import discover_layers, late_layers
from nni_strategies.rsa.network import load_weights
from nni_strategies.rsa.stimuli import Transform
from trial_code.measure import count
from trial_code.resnet_cifar import INPUT_MEAN, INPUT_STD, Block, ResNet, resnet20, resnet56

AS_TRAINED = Transform(mean=INPUT_MEAN, std=INPUT_STD)
FILES = {"resnet20": "resnet20-12fca82f.th", "resnet56": "resnet56-4bfd9763.th"}


@pytest.fixture
def weights(data: Path) -> Callable[[str], Path]:
    def find(name: str) -> Path:
        path = data / "resnet_cifar10" / FILES[name]
        if not path.is_file():
            pytest.skip(f"needs the published weights, which are not at {path}")
        return path

    return find


def closed_form(n: int) -> int:
    """Parameters: stem, 2n convolutions a stage of which the first of a later stage widens, batch norms, classifier."""
    convolutions = 9 * 3 * 16 + 9 * 16 * 16 * 2 * n
    norms = 2 * 16 * (2 * n + 1)
    for narrow, wide in ((16, 32), (32, 64)):
        convolutions += 9 * wide * (narrow + (2 * n - 1) * wide)
        norms += 2 * wide * 2 * n
    return convolutions + norms + 64 * 10 + 10


@pytest.mark.parametrize(
    ("make", "n", "params", "millions"), [(resnet20, 3, 269_722, 0.27), (resnet56, 9, 853_018, 0.85)]
)
def test_the_number_of_parameters(make: Callable[[], ResNet], n: int, params: int, millions: float):
    network = make()
    assert sum(weight.numel() for weight in network.parameters()) == params == closed_form(n)
    assert round(params / 1e6, 2) == millions  # He et al., table 6
    layers = [module for module in network.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
    assert len(layers) == 6 * n + 2
    # table 6 of the paper: no shortcut has parameters
    assert count(network.eval(), torch.zeros(1, 3, 32, 32))[0] == params


def test_the_cost_of_resnet_20_is_forty_million_multiply_adds():
    madds = count(resnet20().eval(), torch.zeros(1, 3, 32, 32))[1]
    stem, stages = 1024 * 9 * 3 * 16, 0
    for side, narrow, wide in ((32, 16, 16), (16, 16, 32), (8, 32, 64)):
        stages += side * side * 9 * wide * (narrow + 5 * wide)
    assert madds == stem + stages + 640
    assert 40e6 < madds < 42e6


def test_a_widening_shortcut_takes_every_second_pixel_and_pads_channels_on_both_sides():
    block = Block(16, 32, 2).eval()
    nn.init.zeros_(block.conv2.weight)  # only the shortcut is left
    features = torch.rand(2, 16, 8, 8)
    out = block(features)
    assert out.shape == (2, 32, 4, 4)
    assert torch.equal(out[:, 8:24], features[:, :, ::2, ::2])
    assert not out[:, :8].any() and not out[:, 24:].any()


def test_a_plain_shortcut_is_the_identity():
    block = Block(16, 16, 1).eval()
    nn.init.zeros_(block.conv2.weight)
    features = torch.rand(2, 16, 8, 8)
    assert torch.equal(block(features), features)


def test_its_late_layers_are_the_last_stage_and_what_the_classifier_reads():
    found = discover_layers(resnet20().eval(), torch.randn(2, 3, 32, 32))
    late = late_layers(found)
    assert [layer.name for layer in late] == ["layer3.0", "layer3.1", "layer3.2", "pool"]
    assert [layer.n_features for layer in late] == [64 * 8 * 8] * 3 + [64]  # the classifier reads the last


@pytest.mark.parametrize("make", [resnet20, resnet56])
def test_the_published_weights_load_with_every_key(make: Callable[[], ResNet], weights: Callable[[str], Path]):
    path = weights(make.__name__)
    network = make()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    load_weights(network, path)
    published = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    after = {f"module.{name}": tensor for name, tensor in network.state_dict().items()}
    # batch norms of the torch of that time did not count batches
    assert set(published) == {name for name in after if not name.endswith("num_batches_tracked")}
    assert all(torch.equal(after[name], published[name]) for name in published)
    assert not torch.equal(after["module.conv1.weight"], before["conv1.weight"])


def test_weights_of_another_depth_are_refused(weights: Callable[[str], Path]):
    with pytest.raises(InvalidArgument, match="the weights of this network"):
        load_weights(resnet56(), weights("resnet20"))


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize(("make", "measured"), [(resnet20, 0.8103), (resnet56, 0.8407)])
def test_the_accuracy_on_jpeg_images_is_what_was_measured(
    make: Callable[[], ResNet], measured: float, weights: Callable[[str], Path], data: Path
):
    path = data / "cifar10" / "cifar10_full_jpeg.npz"
    if not path.is_file():
        pytest.skip(f"needs the JPEG copy of CIFAR-10, which is not at {path}")
    pixels, labels = thousand_test_images(path)
    network = make()
    load_weights(network, weights(make.__name__))
    with torch.no_grad():
        guesses = torch.cat([network.eval()(batch).argmax(1) for batch in AS_TRAINED(pixels).split(250)])
    assert np.bincount(labels).tolist() == [100] * 10
    # two standard errors of 1,000 images; a shortcut of another kind is far from it
    assert (guesses.numpy() == labels).mean() == pytest.approx(measured, abs=0.025)


def thousand_test_images(path: Path) -> tuple[Any, Any]:
    with np.load(path, allow_pickle=False) as file:
        jpeg, offsets, labels, split = (file[name] for name in ("jpeg", "offsets", "labels", "split"))
    rows = np.flatnonzero(split == 1)[:1000]  # a hundred of each class
    files = [io.BytesIO(jpeg[offsets[row] : offsets[row + 1]].tobytes()) for row in rows]
    return np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files]), labels[rows]
