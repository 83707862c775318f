"""The page about one transformation: what it says, draws and leaves out."""

from __future__ import annotations

from typing import Any

import pytest

from nni_strategies.report.transform_page import gain_figure, transform_page

EDGES = [f"cell.edge_{i}_{j}" for i, j in ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))]
BEFORE = dict.fromkeys(EDGES, "nor_conv_3x3")


def told(**fields: Any) -> dict[str, Any]:
    costs = {"cost_before": {"madds": 2_000_000, "params": 400}, "cost_after": {"madds": 1_500_000, "params": 400}}
    scores = {"score_before": 0.5, "score_after": 0.75, "scores": [0.25, 0.625, 0.5, 0.75], "queried": 2}
    after = BEFORE | {EDGES[3]: "skip_connect"}
    return {"before": BEFORE, "after": after, **costs, **scores, "evaluations": 4, **fields}


def body(page: str) -> str:
    return page[page.index("<main>") : page.index("</main>")]


def test_costs_scores_and_what_changed_are_on_the_page():
    page = body(transform_page(told(), "A <cell>", [("accuracy", "0.91", "0.92")]))
    for text in ("A &lt;cell&gt;", "2 M", "1.5 M", "−25 %", "±0 %", "+0.25", "0.91", "0.92", "4 architectures"):
        assert text in page, text
    assert page.count("<svg") == 2 and "was conv 3×3" in page
    assert f"<i>{EDGES[3]}</i>" in page and f"<i>{EDGES[0]}</i>" not in page


def test_the_gain_is_that_of_the_best_so_far():
    figure = gain_figure(told())
    (line,) = figure["data"]
    assert line["y"] == [0.0, 0.0, 0.125, 0.125, 0.25]
    assert figure["layout"]["shapes"][0]["x1"] == 2.5  # two queries


@pytest.mark.parametrize(
    ("outlook", "said"),
    [
        ([1.0, 0.5, 0.25], "the critic still saw outputs that might be better"),
        ([1.0, 0.25, 0.0], "In the last round of queries nothing"),
        ([1.0, 0.0, 0.0], "In the last 2 rounds of queries nothing"),
        ([], ""),
    ],
)
def test_whether_queries_were_still_worth_it_is_said(outlook: list[float], said: str):
    page = body(transform_page(told(outlook=outlook), "cell"))
    assert said in page
    assert ("of queries" in page) == bool(said)


def test_nothing_changed_is_said():
    page = body(transform_page(told(after=BEFORE, score_after=0.5), "cell"))
    assert "nothing was changed" in page and "<svg" not in page


@pytest.mark.parametrize("fields", [{"score_before": None, "score_after": None}, {"scores": []}])
def test_without_scores_there_is_no_curve(fields: dict[str, Any]):
    page = body(transform_page(told(**fields), "cell"))
    assert "Gain against" not in page and "<svg" in page
    assert ("not known" in page) == (fields.get("score_before", 0) is None)


def test_labels_that_make_no_cell_are_listed_alone():
    page = body(transform_page(told(before={"a": "conv", "b": "x"}, after={"a": "skip", "b": "x"}), "net"))
    assert "<svg" not in page and "<i>a</i>" in page
