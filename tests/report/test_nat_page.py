"""The sections about NAT in a real browser: figures are drawn, the console stays empty, nothing is too wide."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from nni_strategies.report.page import render_page
from tests.integration.test_report_page import browse
from tests.report.irlas_searches import record_of
from tests.report.nat_searches import searched

# where --dump-dom can see it: how much wider the page is than the window
WIDTH = """<script>addEventListener("load", () => {
const root = document.documentElement;
root.dataset.beyond = root.scrollWidth - root.clientWidth;
});</script></body>"""


@pytest.mark.integration
@pytest.mark.timeout(120)
@pytest.mark.parametrize("width", [1400, 500])  # headless Chromium has no narrower window
def test_drawn_without_an_error(tmp_path: Path, width: int) -> None:
    page = render_page(record_of(searched(30).journal.events))
    page = page[: page.rindex("</body>")] + WIDTH
    dom = browse(page, tmp_path, "--dump-dom", f"--window-size={width},3000")
    assert unescape(re.search(r'data-errors="([^"]*)"', dom)[1]) == "[]"
    assert 'data-beyond="0"' in dom
    assert dom.count('class="figure js-plotly-plot"') == page.count('<div class="figure"')
    for word in ("Before and after", "mean over 4 inputs", "output (arrow head)"):
        assert word in dom
