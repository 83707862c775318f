"""The space of NSC blocks: legality against brute force, draws, mutation, what NNI draws."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest

from nni_strategies.errors import InvalidArgument, InvalidConfiguration, InvalidSearchSpace
from nni_strategies.space.from_json import space_from_json
from nni_strategies.space.search_space import Configuration
from nni_strategies.topology.nsc import OPERATIONS, block_configuration, configuration_block, parse_block
from nni_strategies.topology.nsc_draws import random_block, random_blocks
from nni_strategies.topology.nsc_space import Action, NSCSpace, nsc_space

SMALL = ("conv3", "avgpool3", "add", "terminal")


def brute_force(most: int, operations: tuple[str, ...]) -> set[str]:
    """Return every block that the codec reads, as the keys of its configuration."""
    found = set()
    lengths = range(1, most + 1) if "terminal" in operations else [most]
    for length in lengths:
        layers = []
        for index in range(1, length + 1):
            reads = [(a, b) for a in range(index) for b in range(index)]
            layers.append([(index, *OPERATIONS[o], *r) for o in operations if o != "terminal" for r in reads])
        for block in itertools.product(*layers):
            with contextlib.suppress(InvalidArgument):
                found.add(NSCSpace.key(block_configuration(parse_block(block), most)))
    return found


def walked(space: NSCSpace, prefix: tuple[Action, ...] = ()) -> Iterator[Configuration]:
    """Yield what an agent reaches that takes legal actions."""
    actions = space.legal_actions(prefix)
    if not actions:
        yield space.configuration(prefix)
    for action in actions:
        yield from walked(space, (*prefix, action))


@pytest.mark.parametrize("operations", [SMALL, ("conv1", "identity", "concat"), ("maxpool3", "terminal")])
def test_three_layers_by_brute_force(operations: tuple[str, ...]):
    space = nsc_space(3, operations)
    expected = brute_force(3, operations)
    enumerated = [space.key(one) for one in space.enumerate()]
    agents = [space.key(one) for one in walked(space)]
    assert len(set(enumerated)) == len(enumerated) and len(set(agents)) == len(agents)
    assert set(enumerated) == set(agents) == expected


def test_the_number_of_blocks_of_three_layers():
    # conv3 and avgpool3: 2 first layers; then 2 * 2 + 1 sums + terminal; then 2 * 3 + 3 sums + terminal
    assert len(list(walked(nsc_space(3, SMALL)))) == nsc_space(3, SMALL).size == 2 * (5 * 10 + 1) == 102
    for operations in (SMALL, ("conv1", "identity", "concat")):
        assert nsc_space(4, operations).size == sum(1 for _ in nsc_space(4, operations).enumerate())
    # of 10 layers index t has 6 t + t (t - 1) ways to go on: 10! 15! / 5! blocks, and those that end before
    longest = math.factorial(10) * math.factorial(15) // math.factorial(5)
    assert longest < nsc_space(10).size < 1.01 * longest


def test_actions_and_configurations():
    space = nsc_space(10)
    configuration = block_configuration([(1, "conv", 3, 0), (2, "add", 0, 1, 0), (3, "terminal")], 10)
    actions: list[Action] = [("conv3", 0, None), ("add", 1, 0), ("terminal", None, None)]
    assert space.actions(configuration) == actions
    assert space.configuration(actions) == configuration
    space.validate(configuration)
    assert space.legal_actions(actions) == []
    assert ("terminal", None, None) in space.legal_actions(actions[:2])
    assert [a for a in space.legal_actions(actions[:2]) if a[0] == "add"] == [
        ("add", 1, 0), ("add", 2, 0), ("add", 2, 1),
    ]  # fmt: skip
    assert {a[0] for a in space.legal_actions([])} == set(space.operations) - {"add", "concat", "terminal"}


def test_what_is_no_block_is_refused():
    space = nsc_space(3)
    good = {"op_1": "conv3", "p1_1": 0, "op_2": "add", "p1_2": 1, "p2_2": 0, "op_3": "terminal"}
    space.validate(good)
    for changed, message in (
        ({"op_1": "add"}, "op_1"),
        ({"op_1": "terminal"}, "op_1"),
        ({"op_2": "conv3"}, "p2_2 = 0: absent, since op_2 switches it off"),
        ({"op_2": "terminal"}, "absent, since op_2 switches it off"),
        ({"p1_2": 2}, "p1_2 = 2"),
        ({"p1_2": 0}, "p1_2 > p2_2, not 0 and 0"),
        ({"p1_3": 0}, "p1_3 = 0: absent"),
    ):
        with pytest.raises(InvalidConfiguration, match=message):
            space.validate({**good, **changed})


@pytest.mark.parametrize("most", [1, 2, 10])
def test_draws_are_blocks(most: int):
    space = nsc_space(most)
    codes = space.sample_codes(np.random.default_rng(0), 400)
    assert codes.shape == (400, space.n_codes)
    for configuration in space.decode(codes):
        space.validate(configuration)
    assert (space.encode(space.decode(codes)) == codes).all()
    assert space.sample_codes(np.random.default_rng(0), 0).shape == (0, space.n_codes)


def test_draws_reach_every_block_of_a_small_space():
    space = nsc_space(2, SMALL)
    drawn = {space.key(one) for one in space.decode(space.sample_codes(np.random.default_rng(0), 2000))}
    assert drawn == {space.key(one) for one in space.enumerate()}


def test_types_are_uniform():
    blocks = random_blocks(np.random.default_rng(0), 20_000)
    first = Counter(block[0].type for block in blocks)
    second = Counter(block[1].type for block in blocks)
    kernels = Counter(block[0].kernel for block in blocks if block[0].type == 1)
    assert first.keys() == {1, 2, 3, 4} and second.keys() == set(range(1, 8))
    for counts, among in ((first, 4), (second, 7)):
        assert all(abs(count / 20_000 - 1 / among) < 0.015 for count in counts.values())
    assert kernels.keys() == {1, 3, 5} and all(abs(n / sum(kernels.values()) - 1 / 3) < 0.025 for n in kernels.values())
    third = Counter(block[2][3:] for block in blocks if len(block) > 2 and block[2].type == 5)
    assert third.keys() == {(1, 0), (2, 0), (2, 1)}
    assert all(abs(n / sum(third.values()) - 1 / 3) < 0.05 for n in third.values())
    assert max(map(len, blocks)) == 12


def test_random_blocks_are_blocks_that_follow_from_the_seed():
    blocks = random_blocks(np.random.default_rng(5), 300, 6)
    assert all(parse_block(block, most=5) == block for block in blocks)
    assert blocks == random_blocks(np.random.default_rng(5), 300, 6)
    assert len(random_block(np.random.default_rng(0), 2)) == 2
    only = random_blocks(np.random.default_rng(0), 20, 5, ("conv3", "terminal"))
    assert {layer.operation for block in only for layer in block} == {"conv3", "terminal"}
    with pytest.raises(InvalidArgument, match="layers = 1"):
        random_block(np.random.default_rng(0), 1)


def test_mutation_and_crossing_lose_nothing():
    space, rng = nsc_space(10), np.random.default_rng(0)
    parents = space.sample_codes(rng, 300)
    for children in (space.mutate_codes(parents, rng, 2), space.cross_codes(parents, parents[::-1], rng)):
        assert len(children) == 300
        for configuration in space.decode(children):
            space.validate(configuration)
    mutated = space.mutate_codes(parents, rng)
    assert (mutated != parents).any(axis=1).mean() > 0.9


def test_neighbours_are_blocks():
    space = nsc_space(4)
    configuration = space.sample(np.random.default_rng(3))
    near = list(space.neighbours(configuration))
    assert near
    for one in near:
        space.validate(one)


def test_choices_on_their_own_stand_for_a_block():
    space, rng = nsc_space(6), np.random.default_rng(0)
    flat = space_from_json(space.nni_search_space())
    assert flat.labels == space.labels and not flat.conditional
    reached = set()
    for _ in range(500):
        sample = flat.sample(rng)
        configuration = space.normal_form(sample)
        space.validate(configuration)
        assert space.normal_form(configuration) == configuration
        assert configuration_block(configuration) == configuration_block({**configuration, "lr": 1})
        assert [sample[f"op_{t}"] for t in range(1, 7) if f"op_{t}" in configuration] == [
            one[0] for one in space.actions(configuration)
        ]
        reached.add(len(configuration))
    assert len(reached) > 5


@pytest.mark.parametrize(
    ("given", "expected"), [((0, 0), (1, 0)), ((1, 1), (1, 0)), ((0, 1), (1, 0)), ((2, 1), (2, 1))]
)
def test_predecessors_are_put_in_order(given: tuple[int, int], expected: tuple[int, int]):
    space = nsc_space(3)
    before = {"op_1": "conv3", "p1_1": 0, "op_2": "conv3", "p1_2": 1, "op_3": "add"}
    repaired = space.normal_form({**before, "p1_3": given[0], "p2_3": given[1]})
    assert (repaired["p1_3"], repaired["p2_3"]) == expected


@pytest.mark.parametrize(
    ("most", "operations", "message"),
    [
        (0, SMALL, "most = 0"),
        (3, ("conv3", "ad"), "operations = \"ad\": .*did you mean 'add'"),
        (3, ("add", "terminal"), "one that can be the first"),
        (3, ("conv3", "conv3"), "each once"),
    ],
)
def test_what_is_no_space_is_refused(most: int, operations: tuple[str, ...], message: str):
    with pytest.raises(InvalidSearchSpace, match=message):
        nsc_space(most, operations)


def test_the_hash_tells_spaces_apart():
    assert nsc_space(10).hash == nsc_space(10).hash
    assert len({nsc_space(10).hash, nsc_space(9).hash, nsc_space(10, SMALL).hash}) == 3
