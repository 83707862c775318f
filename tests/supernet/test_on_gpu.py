"""A supernet on a GPU: trained, killed, gone on with, and scoring as it does on a CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nni_strategies.supernet import checkpoint as files
from nni_strategies.supernet.network import Supernet
from nni_strategies.supernet.scorer import Scorer
from nni_strategies.supernet.training import ImageBatches, Recipe, train, uniform_paths
from tests.supernet.spaces import Chain, Choosy

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]

IMAGES = torch.randn(240, 1, 8, 8, generator=torch.Generator().manual_seed(0))
BATCHES = ImageBatches(IMAGES, torch.arange(240) % 3, 12)


class Killed(Exception):
    """In place of a kill."""


@pytest.fixture(autouse=True)
def exact(monkeypatch: pytest.MonkeyPatch):
    """No TF32 and no kernel that is chosen by its speed, so that only the order of additions may differ."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)


def trained(make: Any, recipe: Recipe, **options: Any) -> Supernet:
    supernet = Supernet.built(make).to("cuda")
    train(supernet, BATCHES, recipe, **options)
    return supernet


def difference(a: Supernet, b: Supernet) -> float:
    pairs = zip(a.network.state_dict().values(), b.network.state_dict().values(), strict=True)
    return max(float((one.double() - other.double()).abs().max()) for one, other in pairs)


@pytest.mark.parametrize("make", [Chain, Choosy])
def test_a_killed_training_goes_on_as_if_nothing_had_happened(make: Any, tmp_path: Path):
    path, recipe = tmp_path / "supernet.safetensors", Recipe(epochs=4)

    def kill(epoch: int, loss: float) -> None:
        if epoch == 2:
            raise Killed

    with pytest.raises(Killed):
        trained(make, recipe, checkpoint=path, after_epoch=kill)
    resumed = Supernet.built(make, seed=9).to("cuda")  # its own weights do not matter
    train(resumed, BATCHES, recipe, checkpoint=path)
    whole = trained(make, recipe)
    assert difference(resumed, whole) < 1e-4 < difference(trained(make, Recipe(epochs=4, seed=1)), whole)


@pytest.mark.parametrize("batch_norm", ["batch", "recalibrated"])
def test_scores_are_those_of_a_cpu(batch_norm: Any, tmp_path: Path):
    path = tmp_path / "supernet.safetensors"
    supernet = trained(Chain, Recipe(epochs=4), checkpoint=path)
    on_cpu = Supernet(Chain())
    files.load(path, on_cpu)
    on_cpu.network.eval()
    paths = uniform_paths(supernet.space, np.random.default_rng(0), 6)
    judged = list(BATCHES.train_batches(0))
    one, other = (
        Scorer(each, judged, batch_norm, [images for images, _ in judged[:3]]).scores(paths)
        for each in (supernet, on_cpu)
    )
    assert np.abs(one - other).max() <= 2 / 240  # images at the edge of two classes
    assert len(set(other)) > 1
