from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from nni_strategies.report.curves import learning_curves, progress, timeline
from nni_strategies.report.figures import duration, embed, metric_range, number
from nni_strategies.report.records import ExperimentRecord, TrialRecord


def traces(figure: dict) -> dict[str, dict]:
    return {trace["name"]: trace for trace in figure["data"]}


def test_best_so_far_and_random_phase(make_record) -> None:
    drawn, outside = progress(make_record([0.3, 0.1, 0.4, 0.2, None, 0.6]))
    named = traces(drawn)
    assert named["best so far"]["y"] == [0.3, 0.3, 0.4, 0.4, 0.6]
    assert (named["random phase"]["x"], named["search"]["x"]) == ([1, 2, 3], [4, 5])
    assert drawn["layout"]["shapes"][0]["x1"] == 3.5
    assert outside == 0


def test_minimising_turns_the_curve_over(make_record) -> None:
    drawn, _ = progress(make_record([0.3, 0.1, 0.4, 0.05], maximize=False))
    assert traces(drawn)["best so far"]["y"] == [0.3, 0.1, 0.1, 0.05]


def test_a_collapsed_training_does_not_flatten_the_curve(make_record) -> None:
    drawn, outside = progress(make_record([0.90, 0.91, 0.92, 0.905, 0.915, 0.93, 0.1]))
    assert outside == 1
    low, high = drawn["layout"]["yaxis"]["range"]
    assert 0.85 < low < 0.9
    assert high > 0.93
    mark = traces(drawn)["outside the range"]
    assert mark["x"] == [7]
    assert low < mark["y"][0] < 0.9
    assert "metric 0.1" in mark["hovertext"][0]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.booleans())
def test_the_good_end_is_always_in_range(values: list[float], maximize: bool) -> None:
    bounds, outside = metric_range(values, maximize=maximize)
    assert bounds is not None
    best = max(values) if maximize else min(values)
    assert bounds[0] < best < bounds[1]
    assert outside == sum(not bounds[0] <= v <= bounds[1] for v in values) <= len(values) / 5


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), min_size=1, max_size=30))
def test_trials_that_overlap_are_in_different_slots(spans: list[tuple[int, int]]) -> None:
    trials = tuple(
        TrialRecord(i, {}, metric=0.0, status="finished", started=1e9 + s, ended=1e9 + s + d)
        for i, (s, d) in enumerate(spans)
    )
    drawn = timeline(ExperimentRecord("a", "a", True, "x", {}, 0, trials))
    (bars,) = drawn["data"]
    drawn_bars = sorted(zip(bars["y"], bars["base"], bars["x"], strict=True))
    for (slot, start, width), (other, later, _) in itertools.pairwise(drawn_bars):
        assert slot != other or start + width <= later + 1e-9
    busiest = max(sum(s <= moment < s + d for s, d in spans) for moment, _ in spans)
    assert max(bars["y"]) == busiest


def test_timeline_groups_by_status_and_needs_times(make_record) -> None:
    assert set(traces(timeline(make_record([0.1, None, 0.3])))) == {"finished", "failed"}
    bare = (TrialRecord(0, {}, metric=0.1, status="finished"),)
    assert timeline(ExperimentRecord("a", "a", True, "x", {}, 0, bare)) is None


def test_learning_curves_show_the_best_in_colour(make_record) -> None:
    drawn = learning_curves(make_record([0.1, 0.9, None, 0.5]))
    assert [trace["name"] for trace in drawn["data"]] == ["#3, trial 0", "#2, trial 3", "#1, trial 1"]
    assert drawn["data"][-1]["y"] == [0.45, 0.9]
    assert learning_curves(make_record([None])) is None


def test_texts() -> None:
    values = [0.98123456, 1186, 184_730_249, 2.3e-5, 0, True, "conv", [0, 1], 1234.0]
    assert [number(v) for v in values] == [
        *("0.9812", "1,186", "184,730,249", "2.30e-05", "0", "true", "conv", "[0, 1]", "1,234")
    ]
    assert [duration(s) for s in (None, 0.25, 42, 200, 18_420, 180_000)] == [
        *("–", "0.2 s", "42 s", "3 min 20 s", "5 h 07 min", "2 d 2 h")
    ]
    assert embed({"a": "</script>&"}) == '{"a":"\\u003c/script\\u003e\\u0026"}'
