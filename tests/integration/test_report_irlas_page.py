"""The sections about experts in a real browser: figures and topologies are drawn, the console stays empty."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from nni_strategies.irlas import scoring
from nni_strategies.report.page import render_page
from tests.integration.test_report_page import browse
from tests.report.irlas_searches import record_of, searched

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring, "_MEMBERS", 200)
        prior = record_of(searched(30).journal.events, name="with <experts>")
        paper = record_of(searched(30, mode="paper", lam=0.3).journal.events)
    return {"prior": render_page(prior, others=[replace(paper, name="paper")]), "paper": render_page(paper)}


@pytest.mark.parametrize("width", [1200, 390])
@pytest.mark.parametrize(("mode", "words"), [("prior", ("gate", "compare")), ("paper", ("shaped",))])
def test_drawn_without_an_error(pages, tmp_path: Path, mode: str, words: tuple[str, ...], width: int) -> None:
    page = pages[mode]
    dom = browse(page, tmp_path, "--dump-dom", f"--window-size={width},3000")
    assert unescape(re.search(r'data-errors="([^"]*)"', dom)[1]) == "[]"
    assert dom.count('class="figure js-plotly-plot"') == page.count('<div class="figure"')
    assert dom.count('<svg class="cell"') == 9  # the three best, three experts and the three best again
    assert [word for word in words if f'id="{word}"' not in dom] == []
