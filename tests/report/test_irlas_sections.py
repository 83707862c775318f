"""The sections about experts: what they say, what they draw, and when there is none."""

from __future__ import annotations

from dataclasses import replace

import plotly.graph_objects as go
import pytest

from nni_strategies.irlas import scoring
from nni_strategies.report.correlation import Correlation
from nni_strategies.report.irlas import Expert, Gate, guidance
from nni_strategies.report.irlas_gate import verdict
from nni_strategies.report.irlas_networks import imitation, means, translation
from nni_strategies.report.page import render_page
from nni_strategies.topology.graph import TopologyGraph
from tests.report.irlas_searches import record_of, searched, shaper_of
from tests.report.test_page import Page


@pytest.fixture(autouse=True)
def few_members(monkeypatch):
    monkeypatch.setattr(scoring, "_MEMBERS", 200)


def expert_of(replaced: dict[str, str], unmapped: float = 0.0) -> Expert:
    return Expert("mine", TopologyGraph.chain(["conv3"]), replaced, unmapped, 1.0)


@pytest.mark.parametrize(
    ("replaced", "unmapped", "said"),
    [
        ({}, 0.0, "The space has all of its operations."),
        ({"gconv3": "conv3", "concat": "add"}, 0.0, "In operations of the space: gconv 3×3 as conv 3×3, ‖ as +."),
        ({}, 0.25, "Nothing in the space stands for 25% of its operations."),
        ({"sepconv5d2": "sepconv3"}, 0.5, "In operations of the space: sepconv 5×5 dilated 2 as sepconv 3×3. "
         "Nothing in the space stands for 50% of its operations."),
        ({"other:<x>": "conv3"}, 0.0, "In operations of the space: other:&lt;x&gt; as conv 3×3."),
    ],
)  # fmt: skip
def test_translations(replaced: dict[str, str], unmapped: float, said: str) -> None:
    assert translation(expert_of(replaced, unmapped)) == said


@pytest.mark.parametrize(
    ("value", "trusted", "n", "words"),
    [
        (0.5, True, 20, ("<b>Trusted</b>", "first 20 results is 0.50 (95 % interval 0.05 to 0.78), above 0.2")),
        (0.1, False, 20, ("<b>Not trusted</b>", "not above 0.2", "uniform")),
        (None, False, 20, ("<b>Not trusted</b>", "not defined, which counts as 0")),
        (0.5, None, 7, ("<b>Not decided</b>", "7 of the 20 results", "is 0.50", "so far")),
        (None, None, 0, ("<b>Not decided</b>", "0 of the 20 results")),
    ],
)
def test_verdicts(value: float | None, trusted: bool | None, n: int, words: tuple[str, ...]) -> None:
    said = verdict(Gate(20, 0.2, tuple(range(n)), (0.0,) * n, (0.0,) * n, Correlation(value, n), trusted))
    assert [word for word in words if word not in said] == []
    assert "no gate" in verdict(Gate(0, 0.2, (), (), (), Correlation(None, 0), True))


def test_imitation_is_warned_of_above_nine_tenths() -> None:
    record = record_of(searched(10).journal.events)
    guided = guidance(record)
    for score, warned in ((0.9, False), (0.901, True)):
        scored = replace(guided, stimuli={trial.id: score for trial in record.trials})
        assert (imitation(scored, record) is not None) is warned
    assert "S = 0.95 on average" in imitation(replace(guided, stimuli=dict.fromkeys(range(10), 0.95)), record)
    assert means(replace(guided, stimuli=dict.fromkeys(range(10), 0.95)), record) == (
        "S is 0.95 on average over 10 trials, 0.95 over the ten best."
    )


def test_the_warning_is_on_top_of_the_page() -> None:
    events = searched(10).journal.events
    copied = [{**e, "remarks": {"stimuli": 0.95, "z": 2.0}} if e["event"] == "proposed" else e for e in events]
    text = render_page(record_of(copied))
    assert 0 < text.index("Imitation, not search") < text.index('id="progress"')
    assert "Imitation" not in render_page(record_of(events))


def test_a_page_with_experts_and_the_gate() -> None:
    record = record_of(searched(12, gate=10).journal.events)
    text = render_page(record)
    page = Page(text)
    assert (page.open, page.unbalanced, page.links) == ([], [], [])
    assert page.sections[:5] == ["progress", "architectures", "experts", "gate", "cost"]
    for figure in page.figures:
        go.Figure(figure)
    experts = text[text.index('id="experts"') : text.index('id="gate"')]
    assert experts.count('<svg class="cell"') == 6  # three experts, the three best that differ
    guided = guidance(record)
    for one in guided.experts:
        assert f"<b>S = {one.stimuli:.2f}</b><span>{one.name}</span>" in experts
    best = record.ranked[0]
    assert f"<b>S = {guided.stimuli[best.id]:.2f}</b><span>metric " in experts
    assert "gconv 3×3 as conv 3×3" in experts
    z, s = page.figures[1:3]
    assert z["data"][0]["x"] == list(guided.gate.z)
    assert sum(len(trace["x"]) for trace in s["data"]) == 12


def test_a_page_with_the_raw_and_the_shaped_metric() -> None:
    shaper = shaper_of(12, mode="paper", lam=0.3)
    record = record_of(shaper.journal.events)
    text = render_page(record)
    page = Page(text)
    assert page.sections[2:5] == ["experts", "shaped", "cost"]
    same, points = page.figures[1]["data"]
    assert (same["name"], same["x"]) == ("shaped = raw", same["y"])
    by_raw = shaper.top(12)
    assert points["x"] == [trial.raw for trial in by_raw]
    assert points["y"] == [trial.shaped for trial in by_raw]
    first = shaper.top(1, "shaped")[0]
    said = "Trial {} is the best by both" if first == by_raw[0] else "By the shaped metric trial {} is the best"
    assert said.format(first.id) in page.words


def test_what_cannot_be_drawn_is_said() -> None:
    study = searched(12, topology="tests.report.irlas_topology:only_odd")
    words = Page(render_page(record_of(study.journal.events))).words
    assert "cannot be drawn: an even number of <convolutions>" in words
    assert "could not be read; they count as random ones" in words
    gone = record_of(study.journal.events, config={"mode": "prior", "topology": "tests.nowhere:blocks"})
    assert "cannot be drawn: topology = " in Page(render_page(gone)).words


def test_other_experiments_have_no_such_sections(make_record) -> None:
    assert not {"experts", "gate", "shaped", "compare"} & set(Page(render_page(make_record([0.1, 0.2, 0.3]))).sections)
