"""One architecture transformed: never costlier, never worse, exactly the best where all can be scored."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
from safetensors.torch import save_file

from nni_strategies.errors import DataMissing, InvalidArgument
from nni_strategies.nat import policy_file
from nni_strategies.nat.learner_config import LearnerConfig
from nni_strategies.nat.moves_of_space import moves_of_space
from nni_strategies.nat.transform import transform
from tests.nat.edge_spaces import NASBENCH201_COSTS, nasbench201, two_input_cells

SPACE = nasbench201().space
BEFORE = dict.fromkeys(SPACE.labels, "nor_conv_1x1")
WIDE = two_input_cells(("sep_conv_3x3", "dil_conv_3x3", "skip_connect", "none"))
WIDE_COSTS = {"sep_conv_3x3": (2, 2), "dil_conv_3x3": (1, 1)}
WIDE_BEFORE = {label: [0] if "input" in label else "sep_conv_3x3" for label in WIDE.space.labels}


class Count:
    """Scores a cell by weights drawn for its edges; remembers what it was asked."""

    def __init__(self, space):
        rng = np.random.default_rng(0)
        edges = [p for p in space.parameters if "input" not in p.label]
        self.weights = {(p.label, choice): rng.random() for p in edges for choice in p.choices}
        self.asked = []

    def __call__(self, configuration):
        self.asked.append(json.dumps(configuration))
        return sum(self.weights.get((k, v), 0.0) for k, v in configuration.items() if "input" not in k)


SMALL = LearnerConfig(
    n_start=5, hidden=8, policy_steps=2, final_steps=2, imagined_inputs=4, imagined_outputs=4, derive_samples=30
)  # fmt: skip


def wide(scorer, **options):
    return transform(WIDE_BEFORE, WIDE.space, scorer, costs=WIDE_COSTS, config=SMALL, **options)


@pytest.mark.parametrize("rule", ["nat", "cost"])
def test_of_few_outputs_the_best_is_found_exactly(rule):
    score = Count(SPACE)
    result = transform(BEFORE, SPACE, score, rule=rule, costs=NASBENCH201_COSTS, queries=20_000, k=0)
    allowed = ("nor_conv_1x1", "skip_connect", "none", "avg_pool_3x3")[: 3 if rule == "nat" else 4]
    every = [dict(zip(SPACE.labels, values, strict=True)) for values in itertools.product(allowed, repeat=6)]
    paths = (("cell.edge_0_3",), ("cell.edge_0_1", "cell.edge_1_3"), ("cell.edge_0_2", "cell.edge_2_3"))
    paths = (*paths, ("cell.edge_0_1", "cell.edge_1_2", "cell.edge_2_3"))
    living = [c for c in every if any(all(c[label] != "none" for label in path) for path in paths)]
    assert result.score_after == max(map(score, living)) >= result.score_before
    assert result.evaluations == len(living)


@pytest.mark.slow
def test_it_costs_no_more_and_scores_no_less():
    score = Count(WIDE.space)
    result = wide(score, queries=20, k=4)
    assert result.cost_after.madds < result.cost_before.madds == 32
    assert result.score_after > result.score_before
    assert {label for label, value in result.after.items() if value != WIDE_BEFORE[label]} == {
        change.label for change in result.changed
    }
    assert all(c.before == "sep_conv_3x3" and c.after == result.after[c.label] for c in result.changed)
    assert result.evaluations == len(score.asked) == len(set(score.asked)) <= 20 + 4 + 1
    told = json.loads(result.to_json())
    assert len(told["outlook"]) == len(result.outlook) > 0 and all(0 <= share <= 1 for share in result.outlook)
    assert told["after"] == result.after and told["cost_before"] == {"madds": 32, "params": 32}


@pytest.mark.slow
def test_operations_that_nothing_comes_of_are_named():
    wanted = {"0_1": "nor_conv_1x1", "0_2": "none", "1_2": "skip_connect", "0_3": "skip_connect"}
    wanted |= {"1_3": "none", "2_3": "none"}  # what reaches nodes 1 and 2 ends there
    best = {f"cell.edge_{edge}": operation for edge, operation in wanted.items()}
    result = transform(
        BEFORE, SPACE, lambda c: sum(c[label] == value for label, value in best.items()),
        rule="nat", costs=NASBENCH201_COSTS, queries=20_000, k=0,
    )  # fmt: skip
    assert result.after == best
    assert result.dead == ("cell.edge_0_1", "cell.edge_1_2")
    told = json.loads(result.to_json())
    assert told["dead"] == list(result.dead)
    assert told["live_after"] == {"madds": 0, "params": 0} and told["cost_after"]["madds"]
    dense = lambda c: list(c.values()).count("nor_conv_1x1")
    assert transform(BEFORE, SPACE, dense, costs=NASBENCH201_COSTS, queries=9, k=1, config=SMALL).dead == ()


def test_the_same_seed_gives_the_same_output():
    one, same, other = (wide(Count(WIDE.space), queries=15, k=2, seed=seed) for seed in (1, 1, 2))
    assert one.to_json() == same.to_json() != other.to_json()


def test_where_nothing_is_better_the_input_is_the_output_unless_it_may_not_be():
    def score(configuration):
        return float(sum(value == "sep_conv_3x3" for value in configuration.values()))

    kept = wide(score, queries=12, k=2)
    assert kept.after == WIDE_BEFORE and kept.changed == () and kept.score_after == kept.score_before == 16
    forced = wide(score, queries=12, k=2, keep_if_worse=False)
    assert forced.changed and forced.score_after < 16


def test_at_a_tie_the_cheapest_is_chosen():
    result = transform(BEFORE, SPACE, lambda c: 1.0, costs=NASBENCH201_COSTS, queries=20_000, k=0)
    assert result.cost_after == (0, 0)


def test_at_equal_score_and_cost_nothing_is_changed():
    before = BEFORE | dict.fromkeys(("cell.edge_0_1", "cell.edge_0_2", "cell.edge_0_3"), "skip_connect")
    free = dict.fromkeys(NASBENCH201_COSTS, (1, 1))  # of either kernel, so that a null or a skip alone is cheaper
    only_cost = transform(before, SPACE, lambda _: 1.0, rule="nat", costs=free, queries=20_000, k=0)
    assert {change.before for change in only_cost.changed} == {"nor_conv_1x1"}


def test_an_operation_without_costs_is_not_free():
    with pytest.raises(InvalidArgument, match=r"costs.*nor_conv_3x3"):
        transform(BEFORE, SPACE, Count(SPACE), costs={"nor_conv_1x1": (1, 1)})


def test_without_a_last_evaluation_the_critic_chooses():
    score = Count(WIDE.space)
    result = wide(score, queries=12, k=0)
    assert len(score.asked) == 12 and result.score_before is None
    assert result.cost_after.madds <= 32


def test_a_table_is_looked_up():
    class Table:
        def __getitem__(self, configuration):
            return float(configuration["cell.edge_0_3"] == "skip_connect")

    result = transform(BEFORE, SPACE, Table(), costs=NASBENCH201_COSTS, queries=5000, k=0)
    assert result.after["cell.edge_0_3"] == "skip_connect"


# -- a policy that learned ------------------------------------------------------------------------


@pytest.mark.slow
def test_a_policy_proposes_without_learning_anew(tmp_path):
    learned = wide(Count(WIDE.space), queries=30, k=1).learned
    path = tmp_path / "folder" / "policy.safetensors"
    policy_file.save(path, learned)
    assert [entry.name for entry in path.parent.iterdir()] == ["policy.safetensors"]
    score = Count(WIDE.space)
    result = wide(score, queries=0, k=5, policy=path)
    assert len(score.asked) == len(set(score.asked)) == result.evaluations == 6  # the input is one
    assert result.score_after >= result.score_before and result.learned is None


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_learning_goes_on_from_a_policy(tmp_path):
    first = wide(Count(WIDE.space), queries=20, k=1)
    path = tmp_path / "policy.safetensors"
    policy_file.save(path, first.learned)
    anew, on = (wide(Count(WIDE.space), queries=20, k=1, policy=policy) for policy in (None, path))
    assert anew.to_json() != on.to_json()


@pytest.mark.parametrize("fault", ["no fields", "no number"])
def test_a_policy_that_cannot_be_used_is_refused(tmp_path, fault):
    learned = wide(Count(WIDE.space), queries=10, k=1).learned
    path = tmp_path / "policy.safetensors"
    if fault == "no number":
        next(learned.policy.parameters()).data.fill_(math.nan)
        policy_file.save(path, learned)
    else:
        save_file({}, path, {"policy": json.dumps({"version": 1})})
    with pytest.raises(InvalidArgument, match=r"policy = .*(finite weights|wrote)"):
        wide(Count(WIDE.space), queries=0, policy=path)


def test_a_policy_that_cannot_be_written_leaves_nothing(tmp_path):
    learned = wide(Count(WIDE.space), queries=10, k=1).learned
    with pytest.raises(OSError):
        policy_file.save(tmp_path, learned)  # a folder
    assert not [entry for entry in tmp_path.parent.iterdir() if entry.name.endswith(".part")]


def test_policies_of_other_spaces_and_broken_files_are_refused(tmp_path):
    learned = wide(Count(WIDE.space), queries=10, k=1).learned
    path = tmp_path / "policy.safetensors"
    policy_file.save(path, learned)
    with pytest.raises(InvalidArgument, match=r"a policy of this space, which has no sep_conv_3x3"):
        transform(BEFORE, SPACE, Count(SPACE), costs=NASBENCH201_COSTS, queries=0, policy=path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InvalidArgument, match="a whole file of a policy"):
        wide(Count(WIDE.space), queries=0, policy=path)
    with pytest.raises(DataMissing, match="nowhere"):
        wide(Count(WIDE.space), queries=0, policy=tmp_path / "nowhere")


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("score", [math.nan, math.inf, None, "0.9", True])
def test_a_score_that_is_no_number_names_the_architecture(score):
    with pytest.raises(InvalidArgument, match=r"^scorer = .*a finite number .*cell\.edge_0_1"):
        transform(BEFORE, SPACE, lambda c: score, costs=NASBENCH201_COSTS)


def test_a_scorer_that_fails_is_named_with_the_architecture():
    def broken(configuration):
        raise RuntimeError("out of paper")

    with pytest.raises(InvalidArgument, match=r"scorer = .*out of paper.*cell\.edge_0_1") as caught:
        transform(BEFORE, SPACE, broken, costs=NASBENCH201_COSTS)
    assert isinstance(caught.value.__cause__, RuntimeError)  # where it failed is not lost
    with pytest.raises(InvalidArgument, match=r"scorer = .*TypeError"):
        transform(BEFORE, SPACE, {}, costs=NASBENCH201_COSTS)  # a dictionary is not looked up by dictionaries


@pytest.mark.slow
@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("size", [1e13, 1e100, 1e308])
def test_scores_of_any_size_are_reckoned_with(size, sign):
    """Of equal ones and of huge ones; the least difference that the critic looks for is lost in rounding."""
    assert wide(lambda c: sign * size, queries=12, k=2).score_after == sign * size
    told = wide(lambda c: size if c["normal/op_2_0"] == "none" else -size, queries=12, k=2)
    assert (told.score_before, told.score_after) == (-size, size)


@pytest.mark.slow
def test_a_learner_that_runs_out_of_proposals_says_how_much_it_left():
    before = {**dict.fromkeys(SPACE.labels, "none"), "cell.edge_0_3": "skip_connect"}  # 64 outputs, 48 of them alive
    result = transform(before, SPACE, Count(SPACE), costs=NASBENCH201_COSTS, queries=60, k=0, config=SMALL)
    assert result.evaluations <= 48 and result.evaluations + result.unspent == 60
    assert json.loads(result.to_json())["unspent"] == result.unspent
    assert wide(Count(WIDE.space), queries=10, k=0).unspent == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((None, SPACE, float), "architecture = null: a dictionary"),
        (([BEFORE], SPACE, float), "architecture = .*: a dictionary"),
        ((BEFORE, "cells", float), 'space = "cells": a model space'),
        ((BEFORE, SPACE, None), "scorer = null: a function"),
    ],
)
def test_what_is_something_else_is_refused(arguments, message):
    with pytest.raises(InvalidArgument, match=message):
        transform(*arguments, costs=NASBENCH201_COSTS)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, {"seed": -1}, "seed = -1: a whole number from 0"),
        ({}, {"seed": "a"}, 'seed = "a"'),
        ({}, {"costs": {**NASBENCH201_COSTS, "nor_conv_1x1": (0.5, 1)}}, r"costs\[nor_conv_1x1\] = .*whole numbers"),
        ({}, {"costs": {**NASBENCH201_COSTS, "nor_conv_1x1": (-1, 1)}}, r"costs\[nor_conv_1x1\]"),
        ({}, {"op_classes": ["none"]}, "op_classes = .*a dictionary"),
        ({}, {"op_classes": {"none": 3}}, r"op_classes\[none\] = 3"),
        ({"cell.edge_0_1": "nor_conv_1x"}, {}, r"architecture\[cell\.edge_0_1\].*did you mean 'nor_conv_1x1'"),
        ({"cell.edge_0_1": None}, {}, "architecture"),
        (dict.fromkeys(SPACE.labels, "none"), {}, "the cell is dead"),
        ({}, {"queries": 0}, "queries = 0: 1 or more"),
        ({}, {"queries": -1}, "queries = -1"),
        ({}, {"k": 1.5}, "k = 1.5"),
        ({}, {"rule": "nat+"}, r"rule = .*did you mean 'nat\+\+'"),
        ({}, {"costs": None}, "costs = null: operation -> "),
    ],
)
def test_bad_input_is_refused_before_anything_is_scored(change, options, message):
    score = Count(SPACE)
    with pytest.raises(InvalidArgument, match=message):
        transform({**BEFORE, **change}, SPACE, score, **{"costs": NASBENCH201_COSTS, **options})
    assert score.asked == []


def test_a_missing_label_is_named_with_what_stands_in_its_place():
    sample = {("cell.edge_01" if label == "cell.edge_0_1" else label): value for label, value in BEFORE.items()}
    with pytest.raises(InvalidArgument, match=r"there is none for cell\.edge_0_1; did you mean 'cell\.edge_0_1'"):
        moves_of_space(SPACE, costs=NASBENCH201_COSTS).read(sample)


def test_cells_with_more_nodes_are_refused():
    sample = {**WIDE_BEFORE, "normal/op_6_0": "none", "normal/input_6_0": [1]}
    with pytest.raises(InvalidArgument, match="normal/op_6_0"):
        transform(sample, WIDE.space, Count(WIDE.space), costs=WIDE_COSTS)


def test_inputs_of_nodes_may_be_numbers():
    sample = {k: v[0] if "input" in k else v for k, v in WIDE_BEFORE.items()}
    read = moves_of_space(WIDE.space, costs=WIDE_COSTS).read(sample)
    assert read == WIDE_BEFORE
