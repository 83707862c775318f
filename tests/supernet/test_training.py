"""Training by uniform paths: it learns, changes the path's weights only, and goes on after a kill, to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nni_strategies.errors import InvalidArgument
from nni_strategies.supernet import checkpoint as files
from nni_strategies.supernet.network import Supernet
from nni_strategies.supernet.scorer import Scorer
from nni_strategies.supernet.training import ImageBatches, Recipe, TrainingDiverged, train, uniform_paths
from search_spaces.digits_cell_nas import DigitsCellSpace
from tests.supernet.spaces import Chain, Choosy
from trial_code.digits import split_digits

IMAGES = torch.randn(24, 1, 8, 8, generator=torch.Generator().manual_seed(0))
CLASSES = torch.arange(24) % 3
BATCHES = ImageBatches(IMAGES, CLASSES, 6)


def weights(supernet: Supernet) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in supernet.network.state_dict().items()}


def same(a: Supernet, b: Supernet) -> bool:
    one, other = weights(a), weights(b)
    return all(torch.equal(one[name], other[name]) for name in one)


def trained(recipe: Recipe, make: Any = Chain, **options: Any) -> Supernet:
    supernet = Supernet.built(make)
    train(supernet, BATCHES, recipe, **options)
    return supernet


@pytest.mark.parametrize("make", [Chain, Choosy])
def test_the_seed_decides_and_nothing_else_does(make: Any):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one = trained(Recipe(epochs=2), make)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(6)
    assert same(one, trained(Recipe(epochs=2), make))
    assert not same(one, trained(Recipe(epochs=2, seed=1), make))


class Killed(Exception):
    """In place of a kill."""


@pytest.mark.parametrize("make", [Chain, Choosy])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_killed_training_goes_on_as_if_nothing_had_happened(at: int, make: Any, tmp_path: Path):
    path, recipe = tmp_path / "runs" / "supernet.safetensors", Recipe(epochs=4)

    def kill(epoch: int, loss: float) -> None:
        if epoch == at:
            raise Killed

    with pytest.raises(Killed):
        trained(recipe, make, checkpoint=path, after_epoch=kill)
    epochs: list[int] = []
    resumed = Supernet.built(make, seed=9)  # its own weights do not matter
    train(resumed, BATCHES, recipe, checkpoint=path, after_epoch=lambda epoch, loss: epochs.append(epoch))
    assert epochs == list(range(at + 1, 5))
    assert same(resumed, trained(recipe, make))
    again = Supernet.built(make, seed=9)
    train(again, BATCHES, recipe, checkpoint=path, after_epoch=lambda epoch, loss: epochs.append(epoch))
    assert len(epochs) == 4 - at  # nothing was left to do
    assert same(again, resumed)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_weights_off_the_path_stay():
    path = {"named": "one", "listed": 1}
    supernet = Supernet.built(Chain)
    before = weights(supernet)
    train(supernet, BATCHES, Recipe(epochs=2, weight_decay=0.1), paths=lambda space, rng, n: [path] * n)
    changed = {name.rsplit(".", 1)[0] for name, tensor in weights(supernet).items() if not tensor.equal(before[name])}
    assert changed == {"stem", "named.one.1", "named.one.2", "classifier"}


def test_paths_are_uniform():
    space = Supernet(Chain()).space
    drawn = uniform_paths(space, np.random.default_rng(0), 6000)
    counts: dict[str, int] = {}
    for path in drawn:
        counts[space.key(path)] = counts.get(space.key(path), 0) + 1
    assert len(counts) == 6
    assert all(abs(count - 1000) < 150 for count in counts.values())


def test_every_image_is_seen_in_another_order_each_epoch():
    batches = ImageBatches(torch.arange(10.0)[:, None], torch.arange(10), 5, seed=3)
    orders = [torch.cat([labels for _, labels in batches.train_batches(epoch)]).tolist() for epoch in (0, 1, 0)]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(10))
    assert orders[0] == orders[2] != orders[1]
    assert all(images[:, 0].equal(labels.float()) for images, labels in batches.train_batches(0))
    refused: list[tuple[tuple[Any, ...], str]] = [
        ((11,), "batch_size = 11: 2 to 10"), ((2.5,), "batch_size = 2.5"), ((5, -1), "seed = -1"),
    ]  # fmt: skip
    for arguments, told in refused:
        with pytest.raises(InvalidArgument, match=told):
            ImageBatches(torch.zeros(10, 1), torch.zeros(10), *arguments)
    with pytest.raises(InvalidArgument, match=r"labels = \[10\]: \[9\]"):
        ImageBatches(torch.zeros(9, 1), torch.zeros(10), 5)


def test_the_rate_falls_by_a_cosine():
    recipe = Recipe(learning_rate=0.3, last_rate=0.1)
    assert [recipe.rate(step, 4) for step in (0, 2, 4)] == pytest.approx([0.3, 0.2, 0.1])
    assert recipe.rate(1, 4) == pytest.approx(0.1 + 0.2 * (1 + 2**-0.5) / 2)


@pytest.mark.parametrize(
    ("recipe", "name"),
    [({"epochs": 0}, "epochs"), ({"learning_rate": float("nan")}, "learning_rate"), ({"last_rate": 1.0}, "last_rate"),
     ({"momentum": 1.0}, "momentum"), ({"weight_decay": -1.0}, "weight_decay"), ({"clip": 0.0}, "clip"),
     ({"label_smoothing": 1.0}, "label_smoothing"), ({"seed": -1}, "seed"), ({"precision": "half"}, "precision"),
     ({"learning_rate": "0.1"}, "learning_rate"), ({"clip": None}, "clip"), ({"seed": 2**70}, "seed")],
)  # fmt: skip
def test_a_bad_recipe_is_refused(recipe: dict[str, Any], name: str):
    with pytest.raises(InvalidArgument, match=f"^{name} = "):
        Recipe(**recipe)


class Promised:
    """Batches that are not as many as they say, which is two."""

    steps_per_epoch = 2

    def __init__(self, n: int) -> None:
        self.n = n

    def train_batches(self, epoch: int) -> Any:
        return iter(list(BATCHES.train_batches(epoch))[: self.n])


@pytest.mark.parametrize(("n", "told"), [(1, "1 in epoch 1"), (3, "more than 2 in epoch 1")])
def test_batches_are_as_many_as_promised(n: int, told: str, tmp_path: Path):
    train(Supernet.built(Chain), Promised(2), Recipe(epochs=1))
    with pytest.raises(InvalidArgument, match=f'batches = "{told}": steps_per_epoch of them, 2'):
        train(Supernet.built(Chain), Promised(n), Recipe(epochs=1), checkpoint=tmp_path / "supernet")
    assert not list(tmp_path.iterdir())


def test_paths_are_as_many_as_steps():
    def one_short(space: Any, rng: np.random.Generator, n: int) -> Any:
        return uniform_paths(space, rng, n - 1)

    with pytest.raises(InvalidArgument, match='paths = "3 architectures": one for each of the 4 steps'):
        train(Supernet.built(Chain), BATCHES, Recipe(epochs=1), paths=one_short)


def test_a_loss_that_is_no_number_ends_the_training():
    with pytest.raises(TrainingDiverged, match="epoch 1"):
        train(Supernet.built(Chain), ImageBatches(IMAGES * float("nan"), CLASSES, 6), Recipe(epochs=1))


def test_a_gradient_that_is_no_number_ends_the_training_and_nothing_is_saved_of_it(tmp_path: Path):
    """The loss of the last step is finite: only the next would tell."""
    supernet, path = Supernet.built(Chain), tmp_path / "supernet.safetensors"
    stem: Any = supernet.network.stem
    steps: list[int] = []

    def spike(gradient: torch.Tensor) -> torch.Tensor:
        steps.append(1)
        return gradient * float("inf") if len(steps) == 8 else gradient

    stem.weight.register_hook(spike)
    with pytest.raises(TrainingDiverged, match=r"epoch 2 .*gradient"):
        train(supernet, BATCHES, Recipe(epochs=2), checkpoint=path)
    assert files.read_header(path)["epochs"] == 1


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_it_learns_the_digits(precision: Any):
    images, labels, valid_images, valid_labels = (torch.from_numpy(array) for array in split_digits(0))
    supernet = Supernet.built(DigitsCellSpace)
    scorer = Scorer(supernet, [(valid_images, valid_labels)])
    paths = uniform_paths(supernet.space, np.random.default_rng(0), 8)
    before = scorer.scores(paths).mean()
    recipe = Recipe(epochs=8, learning_rate=0.3, precision=precision)
    train(supernet, ImageBatches(images, labels, 50), recipe)
    assert before < 0.2
    assert scorer.scores(paths).mean() > 0.35
