"""What became of the inputs of NAT, read from its journal: compared with what the search itself knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nni_strategies.nat.searcher import NATSearcher
from nni_strategies.report.nat import transformations
from nni_strategies.report.nat_gains import gain_steps, mean_gains
from nni_strategies.report.records import read_journal
from nni_strategies.search.baselines import RandomSearch
from tests.report.irlas_searches import CELL, record_of
from tests.report.irlas_searches import searched as guided
from tests.report.nat_searches import searched, worth


def test_other_searches_transform_nothing() -> None:
    assert transformations(record_of(guided(3, searcher=RandomSearch(CELL)).journal.events)) is None


@pytest.mark.parametrize("digits", [9, 0])  # rounded to whole numbers, many are as good as others
@pytest.mark.parametrize("maximize", [True, False])
def test_outputs_are_those_of_the_search(maximize: bool, digits: int) -> None:
    fails = frozenset([3, 15, 20])  # a query, an input, an output
    metric = lambda c: round(worth(c) if maximize else 10 - worth(c), digits)
    study = searched(30, metric, maximize=maximize, fails=fails)
    found = transformations(record_of(study.journal.events))
    assert [one.number for one in found.inputs] == [0, 1, 2, 3]
    sign = 1.0 if maximize else -1.0
    unknown = 0
    for one in found.inputs:
        known = study.searcher.transformed(one.number)
        assert (one.before, one.after) == (known.before, known.after)
        assert (tuple(one.cost_before), tuple(one.cost)) == (known.cost_before, known.cost_after)
        assert one.changed == {change.label: (change.before, change.after) for change in known.changed}
        values = [None if value is None else sign * value for value in (known.score_before, known.score_after)]
        assert [one.metric_before, one.metric] == values
        if known.score_before is None:
            unknown += 1
            assert one.gain is None
            assert one not in found.measured
        else:
            assert one.gain == pytest.approx(known.score_after - known.score_before)
    assert unknown == 1
    assert [one.gain for one in found.measured] == sorted((one.gain for one in found.measured), reverse=True)
    assert sum(one.n_failed for one in found.inputs) == 3


def test_gains_are_those_of_the_search_at_any_time() -> None:
    reached: list[list[float | None]] = []

    def note(searcher: NATSearcher) -> None:
        reached.append([searcher.transformed(i).score_after for i in range(4)])

    study = searched(28, fails=frozenset([5]), after=note)
    record = record_of(study.journal.events)
    found = transformations(record)
    steps = gain_steps(found, record)
    assert list(steps) == [one.number for one in found.measured]
    curves: dict[int, list[float]] = {}
    for one in found.measured:
        expected = [0.0] + [max(0.0, (values[one.number] or 0.0) - one.metric_before) for values in reached]
        rises = dict(steps[one.number])
        gain, curves[one.number] = 0.0, []
        for place in range(len(expected)):
            gain = rises.get(place, gain)
            curves[one.number].append(gain)
        assert curves[one.number] == pytest.approx(expected)
    mean = [sum(values) / len(curves) for values in zip(*curves.values(), strict=True)]
    assert mean_gains(list(steps.values()), len(reached)) == pytest.approx(mean)
    assert mean[-1] > 0


def test_a_result_counts_for_every_input_that_can_become_it() -> None:
    study = searched(24)
    found = transformations(record_of(study.journal.events))
    for one in found.inputs:
        others = [proposal for proposal in found.proposals if proposal.trial.configuration != one.before]
        assert one.n_outputs == sum(one.number in proposal.output_of for proposal in others)
    shared = [proposal for proposal in found.proposals if len(proposal.output_of) > 1]
    assert shared
    view, transitions = study.searcher.transitions.view, study.searcher.transitions
    for proposal in found.proposals:
        child = view.encode([dict(proposal.trial.configuration)])
        can = [i for i in range(4) if transitions.valid(study.searcher.inputs[[i]], child)[0]]
        assert proposal.output_of == frozenset(can)


def test_predictions_are_in_the_direction_of_the_experiment() -> None:
    record = record_of(searched(24, lambda c: 10 - worth(c), maximize=False).journal.events)
    predicted = [one.predicted for one in transformations(record).proposals if one.predicted is not None]
    assert predicted
    assert all(value > 0 for value in predicted)  # every metric is above 5


def test_results_from_elsewhere_are_told_apart() -> None:
    study = searched(0)
    study.import_result(dict.fromkeys(CELL.labels, "nor_conv_3x3"), 9.0)
    for _ in range(2):
        trial = study.ask()
        study.tell(trial.id, worth(trial.configuration))
    found = transformations(record_of(study.journal.events))
    assert [one.phase for one in found.proposals] == ["import", "query", "query"]


@pytest.mark.parametrize(
    "changes",
    [None, {"phase": "dream"}, {"cost": [1]}, {"cost": ["a", "b"]}, {"parent_cost": 0}, {"parent": 7}, {"input": "x"}],
)
def test_remarks_that_are_none_of_ours_are_left_out(changes: dict[str, Any] | None) -> None:
    events = searched(20).journal.events
    changed = [dict(event) for event in events]
    first = next(event for event in changed if event["event"] == "proposed")
    first["remarks"] = {"nat": "ours" if changes is None else {**first["remarks"]["nat"], **changes}}
    whole, less = transformations(record_of(events)), transformations(record_of(changed))
    assert len(less.proposals) == len(whole.proposals) - 1


def test_a_journal_in_a_file_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "nat.jsonl"
    study = searched(20, journal=path)
    assert transformations(read_journal(path)).inputs == transformations(record_of(study.journal.events)).inputs


def test_stand_ins_for_bad_results_have_no_gain() -> None:
    record = record_of(searched(24, lambda c: -1e308 if "none" in c.values() else 1e308).journal.events)
    found = transformations(record)
    assert all(one.gain is None or one.gain == 0 for one in found.inputs)
