"""The sections about NAT: what they say, what they draw, and when there is none."""

from __future__ import annotations

from dataclasses import replace

import plotly.graph_objects as go
import pytest

from nni_strategies.report.nat import transformations
from nni_strategies.report.nat_critic import agreement
from nni_strategies.report.nat_gains import outlook_line
from nni_strategies.report.nat_pairs import amount, percent, summary
from nni_strategies.report.page import render_page
from tests.report.irlas_searches import record_of
from tests.report.nat_searches import searched, worth
from tests.report.test_page import Page

SECTIONS = {"transformed", "gain", "critic", "moves"}


@pytest.mark.parametrize(
    ("value", "said"),
    [(528_359_000, "528.4 M"), (3_349_342, "3.349 M"), (12_500, "12.5 k"), (96, "96"), (0, "0"), (2.1e9, "2.1 G")],
)
def test_amounts(value: float, said: str) -> None:
    assert amount(value) == said


def test_percentages() -> None:
    assert [percent(share) for share in (-0.496, 0.12, 0.0, -0.004)] == ["−50 %", "+12 %", "±0 %", "±0 %"]


def test_a_page() -> None:
    study = searched(36, fails=frozenset([3, 20]))
    record = record_of(study.journal.events)
    text = render_page(record)
    page = Page(text)
    assert (page.open, page.unbalanced, page.links) == ([], [], [])
    assert page.sections[:6] == ["progress", "transformed", "gain", "critic", "moves", "architectures"]
    for figure in page.figures:
        go.Figure(figure)
    found = transformations(record)
    best = found.measured[0]
    shown = text[text.index('id="transformed"') : text.index('id="gain"')]
    changed = [one for one in found.measured if one.changed]
    assert shown.count('<svg class="cell"') == 2 * min(3, len(changed)) > 0
    assert f"<b>{best.gain:+.4g}</b><span>input {best.number}</span>" in shown
    row = shown[shown.index("<tbody>") : shown.index("</tr>", shown.index("<tbody>"))]
    cells = [cell.partition(">")[2].partition("</td>")[0] for cell in row.split("<td")[1:]]
    assert cells[:4] == [
        *(str(best.number), f"{best.trial.id} → {best.best.trial.id}"),
        *(f"{best.metric_before:.4g} → {best.metric:.4g}", f"<b>{best.gain:+.4g}</b>"),
    ]
    assert cells[6:8] == [str(len(best.changed)), str(best.n_outputs)]
    for label, (old, new) in best.changed.items():
        assert f"<i>{label}</i>" in shown
        assert old != new
    cheaper = [one for one in found.inputs if one.cost.madds < one.cost_before.madds]
    assert cheaper
    for one in cheaper:
        share = round(100 * (1 - one.cost.madds / one.cost_before.madds))
        said = f"{amount(one.cost_before.madds)} → {amount(one.cost.madds)} (−{share} %)"
        assert f'<td class="n line">{said}</td>' in shown


def test_the_figures_are_those_of_the_trials() -> None:
    record = record_of(searched(30).journal.events)
    found = transformations(record)
    page = Page(render_page(record))
    curve, critic, madds, params = page.figures[1:5]
    *each, mean = curve["data"]
    assert len(each) == len(found.measured) == 4
    assert [line["y"][-1] for line in each] == [one.gain for one in found.measured]
    assert mean["y"][-1] == pytest.approx(sum(one.gain for one in found.measured) / 4)
    assert curve["layout"]["shapes"][0]["x1"] == 14.5  # the queries
    names = [trace["name"] for trace in critic["data"]]
    assert names == ["predicted = measured", "queries", "outputs"]
    outputs = [one for one in found.proposals if one.phase == "output" and one.predicted is not None]
    assert critic["data"][2]["x"] == [one.predicted for one in outputs]
    assert critic["data"][2]["y"] == [one.trial.metric for one in outputs]
    moved = [one for one in found.measured if one.best]
    for part, figure in enumerate((madds, params)):
        arrows, inputs = figure["data"]
        assert arrows["x"] == [x for one in moved for x in (one.cost_before[part], one.cost[part], None)]
        assert arrows["y"] == [y for one in moved for y in (one.metric_before, one.metric, None)]
        assert arrows["marker"]["symbol"][1] == "arrow"
        assert inputs["y"] == [one.metric_before for one in found.measured]


@pytest.mark.parametrize(
    ("outlooks", "said"),
    [
        ([], ""),
        ([1.0, 0.5, 0.4], "When the last query was chosen, of inputs drawn at random 40 % had an output worth one."),
        ([1.0, 0.0, 0.2, 0.0, 0.0], "For the last 2 queries no input had an output that was worth one"),
    ],
)
def test_what_was_left_to_learn(outlooks: list[float], said: str) -> None:
    assert outlook_line(outlooks).startswith(said)
    assert bool(outlook_line(outlooks)) == bool(said)


def test_the_outlook_of_queries_is_the_learner_s() -> None:
    study = searched(30)
    record = record_of(study.journal.events)
    told = [one.outlook for one in transformations(record).proposals if one.outlook is not None]
    assert told == study.searcher.learner.outlook[:1] * 6  # one round of six queries after eight blind ones
    assert outlook_line(told) in " ".join(Page(render_page(record)).words.split())


def test_the_numbers_on_top_have_the_mean_gain() -> None:
    record = record_of(searched(30).journal.events)
    gains = [one.gain for one in transformations(record).measured]
    words = " ".join(Page(render_page(record)).words.split())
    assert f"gain {sum(gains) / 4:+.4g} on average over 4 transformed inputs" in words


def test_the_summary_counts() -> None:
    found = transformations(record_of(searched(30, fails=frozenset([3, 20])).journal.events))
    said = summary(found)
    assert "28 evaluations in all, 2 failures; proposed were 14 queries, 4 inputs, 12 outputs." in said
    assert "measured inputs: <b>+" in said
    assert "MAdds" in said


def test_where_costs_are_not_known_none_are_shown() -> None:
    record = record_of(searched(26, costs=None, rule="nat++", cost_rule="paper").journal.events)
    page = Page(render_page(record))
    assert SECTIONS & set(page.sections) == SECTIONS - {"moves"}
    assert "What operations cost is not known" in page.words
    assert "MAdds 0" not in page.words


@pytest.mark.parametrize(("n", "sections"), [(1, {"transformed"}), (12, {"transformed", "critic"})])
def test_a_search_that_is_still_asking(n: int, sections: set[str]) -> None:
    page = Page(render_page(record_of(searched(n).journal.events)))
    assert (page.open, page.unbalanced) == ([], [])
    assert SECTIONS & set(page.sections) == sections
    assert "No input is measured yet" in page.words


def test_before_the_first_result() -> None:
    study = searched(0)
    study.ask()
    assert "No result yet" in Page(render_page(record_of(study.journal.events))).words


def test_the_learner_of_the_paper_predicts_nothing() -> None:
    record = record_of(searched(26, learner="paper", parents=2, children=2).journal.events)
    assert "critic" not in Page(render_page(record)).sections


def test_labels_that_make_no_graph_are_listed() -> None:
    record = record_of(searched(26).journal.events)

    def renamed(event):
        # what a space of stand-alone choices looks like
        def new(configuration):
            return {f"block {name}": value for name, value in zip("abcdef", configuration.values(), strict=True)}

        if event["event"] != "proposed":
            return event
        said = event["remarks"]["nat"]
        return {
            **event,
            "configuration": new(event["configuration"]),
            "remarks": {"nat": {**said, "parent": new(said["parent"])}},
        }

    text = render_page(record_of([renamed(event) for event in record.events]))
    shown = text[text.index('id="transformed"') : text.index('id="gain"')]
    assert "<svg" not in shown
    assert "<i>block " in shown


def test_agreement_of_few_or_equal_outputs_is_not_defined() -> None:
    found = transformations(record_of(searched(30).journal.events))
    outputs = [one for one in found.proposals if one.phase == "output"]
    assert "not defined" in agreement(outputs[:2])
    assert "not defined" in agreement([replace(one, predicted=1.0) for one in outputs])
    right = [replace(one, predicted=one.trial.metric) for one in outputs]
    assert "outputs is <b>1.00</b>. They" in agreement(right)


@pytest.mark.filterwarnings("ignore:overflow encountered")  # in the mean of what an effect is drawn of
def test_extreme_metrics_have_a_page() -> None:
    record = record_of(searched(26, lambda c: -1e308 if "none" in c.values() else 1e308 * worth(c) / 5).journal.events)
    page = Page(render_page(record))
    assert (page.open, page.unbalanced) == ([], [])


def test_many_inputs_are_folded_away() -> None:
    record = record_of(searched(45, n_inputs=16).journal.events)
    text = render_page(record)
    assert "The other 4 inputs" in Page(text).words
    assert text[text.index('id="transformed"') : text.index('id="gain"')].count("<svg") == 6  # three before and after


def test_a_long_setting_is_cut() -> None:
    given = [dict(one.before) for one in transformations(record_of(searched(20).journal.events)).inputs]
    record = record_of(searched(20, inputs=given).journal.events)
    text = render_page(record)
    footer = text[text.index("<footer>") : text.index("</footer>")]
    assert "…" in footer
    assert len(footer) < 2000


def test_other_experiments_have_no_such_sections(make_record) -> None:
    assert not SECTIONS & set(Page(render_page(make_record([0.1, 0.2, 0.3]))).sections)
