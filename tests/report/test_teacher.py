"""The sections about P and TG: the numbers shown are those of the trials."""

from __future__ import annotations

import plotly.graph_objects as go
import pytest

from nni_strategies.report.correlation import Correlation
from nni_strategies.report.guided import RankCurve, guided
from nni_strategies.report.teacher import against, correlations, curve_figure, teacher_sections
from tests.report.test_guided import known, record, step, trial
from tests.report.test_page import Page


def sections(trials, maximize=True) -> str:
    return "\n".join(teacher_sections(record(trials, maximize)))


def words(text: str) -> str:
    return " ".join(Page(text).words.split())


def test_points_and_colours_are_what_trials_reported() -> None:
    judged = guided(record(known()))
    plain, by_test = against(judged, None), against(judged, "test_acc")
    for drawn in (plain, by_test):
        go.Figure(drawn)
        (points,) = drawn["data"]
        assert points["x"] == [0.5, 1.5, 2.5, 3.5, 4.5]
        assert points["y"] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])
    assert plain["data"][0]["marker"]["color"] == [0.5, 1.5, 2.5, 3.5, 4.5]
    assert by_test["data"][0]["marker"]["color"] == [10.0, 11.0, 12.0, 13.0, 14.0]


def test_dark_is_good_also_where_lower_is_better() -> None:
    judged = guided(record(known(maximize=False), maximize=False))
    assert against(judged, None)["data"][0]["marker"]["color"] == [-0.5, -1.5, -2.5, -3.5, -4.5]
    assert against(judged, None)["data"][0]["marker"]["reversescale"]
    assert not against(judged, "test_acc")["data"][0]["marker"]["reversescale"]


def test_trials_without_the_test_result_are_hollow() -> None:
    judged = guided(record([*known(), trial(5, step(9.0, 9.0))]))
    filled, hollow = against(judged, "test_acc")["data"]
    assert len(filled["x"]) == 5
    assert (hollow["x"], hollow["marker"]["symbol"]) == ([9.0], "circle-open")


def test_correlations_and_how_many_trials_they_are_of() -> None:
    trials = [
        trial(i, {**step(p, tg), "test": test})
        for i, (p, tg, test) in enumerate([(1, 1, 4), (2, 3, 3), (3, 2, 2), (4, 4, 1)])
    ]
    trials.append(trial(4, step(5.0, 5.0)))  # no test result
    found = correlations(guided(record(trials)))
    assert found == {
        "P and TG": Correlation(pytest.approx(0.9), 5),
        "P and test": Correlation(pytest.approx(-1.0), 4),
        "TG and test": Correlation(pytest.approx(-0.8), 4),
        "default and test": Correlation(pytest.approx(-1.0), 4),
    }
    assert "P and TG 0.90 [" in words(sections(trials))
    assert "TG and test -0.80 – 4" in words(sections(trials))


def test_what_is_said_of_weights_and_of_trials_left_out() -> None:
    trials = [trial(i, {**step(float(i), float(i)), "alpha": 0.0 if i < 2 else 1.25}) for i in range(5)]
    trials.append(trial(5, step(9.0, 0.0, ok=0)))
    said = words(sections(trials))
    assert "Weight of TG in default (alpha), by trials: 1.25 in 3, 0 in 2." in said
    assert "could not be computed (tg_ok = 0): 1." in said


def test_nothing_is_said_of_weights_that_there_are_none_of() -> None:
    said = words(
        sections([trial(i, {k: v for k, v in step(float(i), float(i)).items() if k != "alpha"}) for i in range(5)])
    )
    assert "P and TG" in said
    assert "Weight of TG" not in said and "alpha" not in said


def test_the_curve_says_what_the_end_is() -> None:
    said = words(sections(known()))
    assert "those by test_acc in the end (Spearman), over the 5 trials that have all 2 steps" in said
    assert "These trials ended after step 2," in said
    assert "No trial reports a test result" not in said
    mixed = [*known(), trial(5, {**step(1.0, 1.0), "test_acc": 1.0}, [step(1.0, 1.0)])]
    assert "These trials ended after step 2," in words(sections(mixed))
    assert "or gaps: 1." in words(sections(mixed))
    longer = [*known()[1:], trial(0, {**step(0.5, 0.0), "test_acc": 10.0}, [step(5.0, 2.0)] * 7)]
    assert "These trials ended after step 2 to 7," in words(sections(longer))


def test_p_against_its_own_only_value_is_not_drawn() -> None:
    one_step = [trial(i, step(float(i), float(i)), [step(float(i), float(i))]) for i in range(5)]
    assert 'id="ranks"' not in sections(one_step)
    tested = [trial(i, {**t.metrics, "test": 1.0 * i}, list(t.steps)) for i, t in enumerate(one_step)]
    assert 'id="ranks"' in sections(tested)


@pytest.mark.parametrize("steps", [2, 50])
def test_the_curve_has_its_values_and_intervals(steps: int) -> None:
    values = [0.2 + 0.6 * i / steps for i in range(steps)]
    line = tuple(Correlation(value, 30) for value in values)
    gap = (None, *line[1:])
    drawn = curve_figure(RankCurve({"P": line, "TG": gap, "default": line}, 30, 0, steps))
    go.Figure(drawn)
    named = {trace["name"]: trace for trace in drawn["data"] if "name" in trace}
    assert list(named) == ["P", "TG", "default"]
    assert named["P"]["y"] == values
    assert named["TG"]["y"] == values[1:]
    assert [round(x) for x in named["TG"]["x"]] == list(range(2, steps + 1))
    low, high = line[0].interval
    if steps == 2:
        assert named["P"]["error_y"]["array"][0] == pytest.approx(high - values[0])
        assert named["P"]["error_y"]["arrayminus"][0] == pytest.approx(values[0] - low)
    else:
        band = drawn["data"][0]
        assert (band["y"][0], band["y"][-1]) == pytest.approx((high, low))
        assert band["x"] == [*range(1, steps + 1), *range(steps, 0, -1)]


@pytest.mark.parametrize(
    "trials",
    [
        [trial(0, step(0.5, 0.5), [step(0.5, 0.5)])],
        [trial(0, step(0.5, 0.0, ok=0))],
        [trial(0, step(0.5, 0.5)), trial(1, None)],
        [trial(i, step(0.5, 0.5), [step(0.5, 0.5)] * 3) for i in range(6)],
        [trial(i, {**step(float(i), 0.5), "test": 0.5}) for i in range(2)],
    ],
)
def test_any_guided_experiment_has_its_section(trials) -> None:
    page = Page(sections(trials))
    assert page.sections[0] == "teacher"
    assert (page.open, page.unbalanced) == ([], [])
    for figure in page.figures:
        go.Figure(figure)


def test_without_a_teacher_there_is_none() -> None:
    assert teacher_sections(record([trial(0, {"default": 0.5, "accuracy": 0.5}), trial(1, None)])) == []


def test_names_are_escaped() -> None:
    trials = [trial(i, {**step(float(i), float(i)), "test": float(i)}) for i in range(3)]
    assert "<b>" not in sections(trials)
