"""The page: everything in one file, whatever an experiment contains, drawn by valid figures."""

from __future__ import annotations

import json
import subprocess
import sys
from html.parser import HTMLParser
from typing import Any

import plotly.graph_objects as go
import pytest

from nni_strategies.report.page import render_page
from nni_strategies.report.records import ExperimentRecord

TREE: dict[str, Any] = {
    "size": 4,
    "mean": 0.5,
    "visits": 9,
    "split": [{"feature": "<edge> = conv", "weight": 0.5}],
    "children": [
        {"size": 3, "mean": 0.7, "visits": 6, "split": None, "children": []},
        {"size": 1, "mean": None, "visits": 3, "split": None, "children": []},
    ],
}


class Page(HTMLParser):
    """Collects what the tests look at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.links: list[str] = []
        self.sections: list[str] = []
        self.figures: list[dict[str, Any]] = []
        self.words = ""
        self._json = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.links += [str(named[name]) for name in ("src", "href") if name in named]
        self._json = named.get("type") == "application/json"
        if tag == "section" and named.get("id"):
            self.sections.append(str(named["id"]))
        if tag not in ("meta", "br", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        if self._json:
            self.figures.append(json.loads(data))
            self._json = False
        elif self.open and self.open[-1] not in ("script", "style"):
            self.words += data + " "


def test_a_full_page(make_record) -> None:
    text = render_page(make_record([0.3, 0.1, 0.4, 0.2, None, 0.6]), TREE, ["best.py was not written: <why>"])
    page = Page(text)
    assert (page.open, page.unbalanced) == ([], [])
    assert page.links == []  # nothing is fetched from anywhere
    assert "default-src 'none'" in text
    assert page.sections == ["progress", "architectures", "cost", "effects", "curves", "time", "tree", "trials"]
    assert len(page.figures) == 8  # one each, and three effects
    for figure in page.figures:
        go.Figure(figure)  # refuses what plotly does not know
    for word in ("0.6", "+0.3", "a <small> experiment", "<b>out of memory</b>", "<why>", "<edge> = conv (+0.5)"):
        assert word in page.words
    assert "</script>" in json.dumps([figure["data"] for figure in page.figures]) or "</script>" in page.words


def test_numbers_on_top(make_record) -> None:
    words = " ".join(Page(render_page(make_record([0.3, 0.1, 0.4, 0.2, None, 0.6]))).words.split())
    assert "best metric 0.6 trial 5, higher is better" in words
    assert "gain +0.3 over the median of 3 random trials, 0.3" in words
    assert "trials 6 none running failures 1" in words
    assert "duration 8.0 s still running" in words
    lower = " ".join(Page(render_page(make_record([0.3, 0.1, 0.4, 0.05], maximize=False))).words.split())
    assert "best metric 0.05 trial 3, lower is better gain +0.25" in lower


@pytest.mark.parametrize("metrics", [[], [None], [0.5], [None, None, 0.1], [0.5, 0.5], [-1e308, 1e308, 0.0]])
def test_any_experiment_has_a_page(make_record, metrics: list[float | None]) -> None:
    page = Page(render_page(make_record(metrics)))
    assert (page.open, page.unbalanced) == ([], [])
    for figure in page.figures:
        go.Figure(figure)


def test_a_bare_record_has_a_page() -> None:
    page = Page(render_page(ExperimentRecord("a", "a", True, "x", {}, None, ())))
    assert "No result yet" in page.words


def test_same_networks_are_counted_and_shown_once(make_record) -> None:
    # conv-conv, skip-skip, none-conv, conv-skip, skip-conv, none-skip: two are one convolution, two are nothing
    words = Page(render_page(make_record([0.1, 0.2, 0.3, 0.4, 0.5, 0.9]))).words
    assert "Nothing arrives at the output" in words
    assert "2 of 6 trials turned out to be the same network" in words


def test_no_plotting_or_nni_is_imported_before_a_page_is_made() -> None:
    code = (
        "import sys, nni_strategies.commands.report, nni_strategies.report.write, nni_strategies.report.page\n"
        "print([name for name in ('plotly', 'torch', 'nni') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
