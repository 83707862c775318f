from __future__ import annotations

import numpy as np
import pytest

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.nsc_experts import NSC_EXPERTS
from nni_strategies.irlas.nsc_features import FEATURES, BlockArray, NSCFeatures
from nni_strategies.topology.nsc import JOINING, parse_block
from nni_strategies.topology.nsc_graph import block_graph
from tests.irlas.nsc_blocks import all_blocks, layers_at, random_ones

GAMMA = 0.9


def place(index: int, predecessor: int) -> int:
    return 0 if predecessor == 0 else min(index - predecessor, 4)


def phi(kind: str, layer) -> list[float]:
    """The features of one layer, written out."""
    index, operation, kernel, first, second = layer
    if kind == "raw":
        return [float(number) for number in layer]
    joins = operation in (5, 6)
    parts = [(operation - 1, 7), ((0, 1, 3, 5).index(kernel), 4), (place(index, first), 5)]
    parts.append((place(index, second) if joins else None, 5))
    return [float(at == chosen) for chosen, size in parts for at in range(size)]


def counts(kind: str, window: int, block) -> np.ndarray:
    """The definition: discounted sums of windows that begin with zeros."""
    steps = [phi(kind, layer) for layer in block]
    nothing = [0.0] * len(steps[0])
    padded = [nothing] * (window - 1) + steps
    return sum(
        GAMMA**t * np.concatenate([padded[t + window - 1 - k] for k in range(window)]) for t in range(len(block))
    )


@pytest.mark.parametrize("kind", ["raw", "onehot"])
@pytest.mark.parametrize("window", [1, 4])
def test_counts_are_the_definition(kind: str, window: int):
    blocks = random_ones(300)
    features = NSCFeatures(f"nsc_{kind}{'_window' if window > 1 else ''}")
    got = features.counts(BlockArray.of(blocks))
    assert got.shape == (300, features.size)
    assert np.abs(got - np.array([counts(kind, window, block) for block in blocks])).max() < 1e-9


def test_sizes_are_those_of_the_encodings():
    sizes = {name: NSCFeatures(name).size for name in FEATURES}
    assert sizes == {
        "nsc_raw": 5,
        "nsc_raw_window": 20,
        "nsc_onehot": 21,
        "nsc_onehot_window": 84,
        "nsc_joint": 63,
        "nsc_joint_window": 252,
    }


def test_joint_features_tell_layers_apart_as_far_as_their_places_do():
    layers = [layer for index in range(1, 12) for layer in layers_at(index)]
    codes = NSCFeatures("nsc_joint").step_features(np.array(layers))
    assert (codes.sum(axis=1) == 1).all()
    seen: dict[tuple[int, ...], int] = {}
    for (index, kind, kernel, first, second), code in zip(layers, codes, strict=True):
        key = (kind, kernel, place(index, first), place(index, second) if kind in JOINING else -1)
        assert seen.setdefault(key, int(code.argmax())) == code.argmax()
    assert len(set(seen.values())) == len(seen) == 62  # and the terminal


def test_a_block_has_the_same_counts_among_shorter_and_longer_ones():
    blocks = random_ones(50)
    for name in FEATURES:
        features = NSCFeatures(name)
        together = features.counts(BlockArray.of(blocks))
        alone = [features.counts(BlockArray.of([block]))[0] for block in blocks]
        assert np.abs(together - alone).max() < 1e-12


def test_the_discount_can_be_chosen():
    block = parse_block([(1, "conv", 3, 0), (2, "conv", 3, 1)])
    got = NSCFeatures("nsc_raw", gamma=0.5).counts(BlockArray.of([block]))[0]
    assert got.tolist() == [1 + 0.5 * 2 + 0.25 * 3, 1 + 0.5 + 0.25 * 7, 3 + 0.5 * 3, 0.5, 0]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(("nsc_one_hot",), "did you mean 'nsc_onehot'"), (("nsc_raw", 0.0), "gamma"), (("nsc_raw", 1.1), "gamma")],
)
def test_unknown_features_are_refused(arguments: tuple, told: str):
    with pytest.raises(InvalidArgument, match=told):
        NSCFeatures(*arguments)


def test_experts_are_the_networks_they_are_named_after():
    labels = {name: block_graph(block).labels[1:-1] for name, block in NSC_EXPERTS.items()}
    assert labels["resnext"] == ("conv1", "conv3", "conv1", "add")
    assert sorted(labels["irlas_mobile"]) == ["add", "concat", "conv1", "conv1", "conv3", "conv5"]
    assert labels["densenet"] == ("conv1", "conv3", "concat", "conv1", "conv3", "concat")


def test_blocks_are_counted_as_enumerated():
    assert [len(all_blocks(longest)) for longest in (2, 3, 4)] == [8, 8 + 8 * 18, 8 + 8 * 18 + 8 * 18 * 30]
    assert set(random_ones(20_000, longest=3)) == set(all_blocks(3))
