"""NAT as a searcher: its phases, what it finds, what it says, and that it can be interrupted anywhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nni_strategies.errors import InvalidArgument, SpaceExhausted
from nni_strategies.nat import policy_file
from nni_strategies.nat.edge_views import edge_view
from nni_strategies.nat.policy.make import make_policy
from nni_strategies.nat.searcher import NATSearcher
from nni_strategies.search.study import Study
from nni_strategies.search.testing import assert_well_behaved, journal_of, perform, script
from nni_strategies.search.testing_spaces import objective
from nni_strategies.space.parameters import Codes
from nni_strategies.space.search_space import Configuration, SearchSpace
from tests.nat.edge_spaces import NASBENCH201_COSTS
from tests.nat.searcher_spaces import SPACES, config, triangle

FLAT = SPACES["flat"]
FLAT_VIEW = edge_view(FLAT)
DENSE = dict.fromkeys(FLAT.labels, "nor_conv_3x3")
RESNET = DENSE | {"cell/edge_0_2": "none", "cell/edge_0_3": "skip_connect", "cell/edge_1_3": "none"}


def searched(
    n: int,
    seed: int = 0,
    space: SearchSpace = FLAT,
    value: Callable[[SearchSpace, Configuration], float] = objective,
    **fields: Any,
) -> Study:
    """A study whose trials report one after another."""
    study = Study(NATSearcher(space, config(**fields)), seed=seed)
    for _ in range(n):
        trial = study.ask()
        study.tell(trial.id, value(space, trial.configuration))
    assert_well_behaved(study)
    return study


def said(study: Study) -> list[dict[str, Any]]:
    return [event["remarks"]["nat"] for event in study.journal.events if event["event"] == "proposed"]


def nominal(configuration: Configuration) -> list[int]:
    costs = [NASBENCH201_COSTS.get(name, (0, 0)) for name in configuration.values()]
    return [sum(cost[0] for cost in costs), sum(cost[1] for cost in costs)]


def test_queries_then_inputs_then_outputs_in_rounds() -> None:
    study = searched(40, n_inputs=4)
    remarks = said(study)
    assert [one["phase"] for one in remarks[:16]] == ["query"] * 12 + ["input"] * 4  # none of them was a query before
    assert {one["phase"] for one in remarks[16:]} == {"output"}
    assert [one["input"] for one in remarks[12:16]] == [0, 1, 2, 3]
    outputs = remarks[16:]
    assert {one["input"] for one in outputs[:4]} > {0}
    assert all(np.isfinite(one["predicted"]) for one in outputs)


def test_remarks_say_what_became_of_what_at_which_cost() -> None:
    study = searched(30)
    inputs = study.searcher.transitions.view.decode(study.searcher.inputs)
    for trial, remark in zip(study.trials, said(study), strict=True):
        assert remark["cost"] == nominal(trial.configuration)
        assert remark["parent_cost"] == nominal(remark["parent"])
        assert all(after <= before for after, before in zip(remark["cost"], remark["parent_cost"], strict=True))
        assert remark["parent"] == inputs[remark["input"]]
        assert (remark["predicted"] is None) == (trial.id < 6 or 12 <= trial.id < 16)  # blind ones, and inputs
        if remark["phase"] == "input":
            assert trial.configuration == remark["parent"]


def test_predictions_are_near_what_is_reached() -> None:
    """On a smooth function: the number of 3x3 convolutions."""
    study = searched(60, value=lambda _, cell: float(list(cell.values()).count("nor_conv_3x3")), queries=40, n_start=30)
    both = zip(said(study), study.trials, strict=True)
    pairs = [(remark["predicted"], trial.value) for remark, trial in both if remark["phase"] == "output"]
    assert len(pairs) > 10
    errors = [abs(predicted - value) for predicted, value in pairs]
    assert np.mean(errors) < 0.8


def test_an_output_is_never_worse_and_never_costs_more() -> None:
    study = searched(50)
    reached = {study.space.key(trial.configuration): trial.value for trial in study.trials}
    for number in range(4):
        found = study.searcher.transformed(number)
        assert found.score_after == reached[study.space.key(found.after)] >= found.score_before
        assert found.score_before == reached[study.space.key(found.before)]
        assert (list(found.cost_before), list(found.cost_after)) == (nominal(found.before), nominal(found.after))
        assert found.cost_after[0] <= found.cost_before[0] and found.cost_after[1] <= found.cost_before[1]
        differing = [label for label in found.before if found.before[label] != found.after[label]]
        assert [change.label for change in found.changed] == differing
        assert {**found.before, **{change.label: change.after for change in found.changed}} == found.after


def test_an_input_that_nothing_beats_is_its_output() -> None:
    own = FLAT.key(DENSE)
    study = searched(20, inputs=[DENSE], value=lambda space, cell: 1.0 if space.key(cell) == own else 0.0)
    found = study.searcher.transformed(0)
    assert (found.after, found.changed, found.score_after) == (DENSE, (), 1.0)


def test_of_equally_good_outputs_the_cheapest_is_taken() -> None:
    study = searched(60, inputs=[DENSE], value=lambda space, cell: 0.5)
    outputs = [nominal(trial.configuration) for trial in study.trials]
    assert list(study.searcher.transformed(0).cost_after) == min(outputs) < nominal(DENSE)


def test_what_makes_no_difference_is_not_changed() -> None:
    """Pooling is as free as a skip: of two equal cells of one cost the input stays."""
    given = dict.fromkeys(FLAT.labels, "avg_pool_3x3")
    study = searched(60, inputs=[given], value=lambda space, cell: 0.5)
    assert {sum(nominal(trial.configuration)) for trial in study.trials} == {0}
    assert study.searcher.transformed(0).changed == ()


def test_before_anything_is_known_an_input_stays_as_it_is() -> None:
    searcher = NATSearcher(FLAT, config(inputs=[RESNET]))
    found = searcher.transformed(0)
    assert (found.before, found.after, found.score_before, found.score_after) == (RESNET, RESNET, None, None)
    assert json.loads(found.to_json())["changed"] == []


def test_given_inputs_have_outputs_only_of_theirs() -> None:
    study = searched(40, inputs=[DENSE, RESNET], queries=15)
    searcher = study.searcher
    children = searcher.transitions.view.encode([trial.configuration for trial in study.trials])
    assert searcher.learner.evaluated.reachable(searcher.inputs).any(axis=0).all() and len(children) == 40
    assert [remark["parent"] for remark in said(study) if remark["phase"] == "input"] == [DENSE, RESNET]


def test_a_given_input_is_transformed_into_all_it_can_become_and_no_more() -> None:
    space = SearchSpace(tuple(triangle("cell")))
    given = {"cell/edge_0_1": "nor_conv_1x1", "cell/edge_0_2": "skip_connect", "cell/edge_1_2": "nor_conv_3x3"}
    study = Study(NATSearcher(space, config(inputs=given)), seed=0)
    possible = study.searcher.transitions.reachable(study.searcher.inputs)
    for _ in range(len(possible)):
        study.tell(study.ask().id, 0.5)
    with pytest.raises(SpaceExhausted):
        study.ask()
    assert len(study.trials) == 2 * 1 * 3
    assert_well_behaved(study)


def test_drawn_inputs_depend_on_the_seed_and_are_alive_and_different() -> None:
    def inputs(seed: int) -> list[Configuration]:
        searcher = NATSearcher(FLAT, config(n_inputs=30))
        searcher.begin(seed)
        assert searcher.transitions.alive(searcher.inputs).all()
        return searcher.transitions.view.decode(searcher.inputs)

    assert inputs(1) == inputs(1) != inputs(2)
    assert len({FLAT.key(one) for one in inputs(1)}) == 30


class _Convolutions:
    """A prior of cells that are 3x3 convolutions but for one edge."""

    def sample_codes(self, rng: np.random.Generator, n: int) -> Codes:
        codes = FLAT.encode([DENSE] * n)
        codes[np.arange(n), rng.integers(6, size=n)] = rng.integers(5, size=n)
        return codes

    def finished(self, trial: Any) -> None:
        """Ignore it."""


def test_nulls_of_drawn_inputs_are_as_likely_as_is_asked_for() -> None:
    def share(null_probability: float | None) -> float:
        searcher = NATSearcher(FLAT, config(n_inputs=300, null_probability=null_probability))
        searcher.begin(0)
        configurations = searcher.transitions.view.decode(searcher.inputs)
        assert searcher.transitions.alive(searcher.inputs).all()
        return float(np.mean([value == "none" for one in configurations for value in one.values()]))

    assert share(0.0) == 0.0
    assert 0.12 < share(None) < 0.21 < 0.3 < share(0.5)  # fewer than drawn: dead cells are drawn again


def test_the_prior_draws_the_inputs() -> None:
    study = Study(NATSearcher(FLAT, config(n_inputs=5), prior=_Convolutions()), seed=3)
    inputs = study.searcher.transitions.view.decode(study.searcher.inputs)
    assert len(inputs) == 5
    assert all(list(one.values()).count("nor_conv_3x3") >= 5 for one in inputs)


class _Nulls(_Convolutions):
    """A prior of dead cells."""

    def sample_codes(self, rng: np.random.Generator, n: int) -> Codes:
        return FLAT.encode([dict.fromkeys(FLAT.labels, "none")] * n)


def test_a_prior_of_dead_cells_is_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"prior = .*_Nulls.*dead"):
        NATSearcher(FLAT, config(), prior=_Nulls())
    with pytest.raises(InvalidArgument, match=r"null_probability = 0\.1: absent beside the prior"):
        NATSearcher(FLAT, config(null_probability=0.1), prior=_Nulls())


def test_while_results_are_out_inputs_come_first_then_more_queries() -> None:
    study = Study(NATSearcher(FLAT, config(n_inputs=3)), seed=0)
    for _ in range(12 + 3 + 2):
        study.ask()
    assert [one["phase"] for one in said(study)] == ["query"] * 12 + ["input"] * 3 + ["query"] * 2
    for trial in study.trials[:12]:
        study.tell(trial.id, 0.5)
    study.ask()
    assert said(study)[-1]["phase"] == "output"
    assert_well_behaved(study)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("fields", [{}, {"learner": "paper", "parents": 2}, {"learner": "paper", "children": 1}])
@pytest.mark.parametrize("space", ["flat", "nested"])
def test_it_goes_on_after_any_event(space: str, fields: dict[str, Any]) -> None:
    """Through all phases, with failures; a fresh searcher on the same journal proposes the same."""
    fields = {"n_inputs": 2, **fields}
    study = Study(NATSearcher(SPACES[space], config(**fields)), seed=7)
    actions = script(34, concurrency=3)
    perform(study, actions)
    events = study.journal.events
    assert {one["phase"] for one in said(study)} == {"query", "input", "output"}
    for cut in range(1, len(actions), 11):
        resumed = Study(NATSearcher(SPACES[space], config(**fields)), seed=7, journal=journal_of(events[: 1 + cut]))
        perform(resumed, actions[cut:])
        assert [trial.configuration for trial in resumed.trials] == [trial.configuration for trial in study.trials]
        assert said(resumed) == said(study)
        assert resumed.searcher.transformed(1) == study.searcher.transformed(1)


@pytest.mark.parametrize("learner", ["critic", "paper"])
def test_learning_goes_on_from_the_policy_of_a_file(learner: str, tmp_path: Path) -> None:
    first: Any = searched(25, queries=15, learner=learner).searcher
    path = tmp_path / "policy.safetensors"
    policy_file.save(path, first.learned())
    start: Any = NATSearcher(FLAT, config(learner=learner, policy_file=str(path)))
    theirs, own = first.learner.policy.state_dict(), start.learner.policy.state_dict()
    assert all((own[name] == theirs[name]).all() for name in theirs)
    plain = NATSearcher(FLAT, config(learner=learner)).learner.policy.state_dict()
    assert any((plain[name] != theirs[name]).any() for name in theirs)
    # the whole search starts from it, in another process and under resume as well
    fields = {"policy_file": str(path), "learner": learner, "queries": 15}
    study = searched(30, seed=1, **fields)
    events = study.journal.events
    resumed = Study(NATSearcher(FLAT, config(**fields)), seed=1, journal=journal_of(events[:41]))
    for _ in range(10):
        trial = resumed.ask()
        resumed.tell(trial.id, objective(FLAT, trial.configuration))
    assert said(resumed) == said(study)
    assert resumed.searcher.learned().checksum == study.searcher.learned().checksum
    policy_file.save(path, study.searcher.learned())
    assert NATSearcher(FLAT, config(**fields)).describe()["policy"] != start.describe()["policy"]


@pytest.mark.parametrize("n", [5, 12, 13, 25])
def test_a_policy_is_the_same_after_a_resume_and_changes_no_search(n: int) -> None:
    study, other = searched(n), searched(n)
    kept = study.searcher.learned().checksum
    opened = Study(NATSearcher(FLAT, config()), seed=0, journal=journal_of(study.journal.events))
    assert opened.searcher.learned().checksum == kept
    plain = policy_file.Learned(make_policy("line_graph", FLAT_VIEW, 0, 8), FLAT_VIEW, "line_graph", 8)
    assert (plain.checksum != kept) == (n > 5)  # six blind queries come first
    for _ in range(6):
        one, same = study.ask(), other.ask()
        assert one.configuration == same.configuration
        for each, trial in ((study, one), (other, same)):
            each.tell(trial.id, objective(FLAT, trial.configuration))


def test_what_is_left_over_has_no_outlook() -> None:
    study = searched(26, inputs=RESNET, queries=8)
    told = [one for one in said(study) if "outlook" in one]
    assert 0 < len(told) <= 8 - 6 and all(one["phase"] == "query" for one in told)


def test_a_policy_of_another_space_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "policy.safetensors"
    policy_file.save(path, NATSearcher(SearchSpace(tuple(triangle("cell"))), config()).learned())
    with pytest.raises(InvalidArgument, match=r"policy_file = .*policy of this space"):
        NATSearcher(FLAT, config(policy_file=path))


def test_another_space_of_moves_is_another_search() -> None:
    plain = NATSearcher(FLAT, config()).describe()
    assert NATSearcher(FLAT, config()).describe() == plain
    other = NATSearcher(FLAT, config(op_classes={"avg_pool_3x3": "S"})).describe()
    assert other["moves"] != plain["moves"]


def test_construction_refuses_what_a_search_would_stumble_over() -> None:
    with pytest.raises(InvalidArgument, match=r"inputs\[0\].*did you mean"):
        NATSearcher(FLAT, config(inputs=DENSE | {"cell/edge_0_1": "nor_conv_3x33"}))
    with pytest.raises(InvalidArgument, match="costs"):
        NATSearcher(FLAT)
