"""The teacher's sections in a real browser: figures are drawn, pictures are decoded, the console stays empty."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from nni_strategies.report.page import render_page
from tests.integration.test_report_page import browse
from tests.report.test_guided import known, record
from tests.report.test_rdm_pictures import details

# counts the pictures that the browser could decode where --dump-dom can see it
COUNT = """<script>addEventListener("load", () => {
document.documentElement.dataset.pictures = [...document.images].filter((one) => one.naturalWidth === 4).length;
});</script></body>"""


@pytest.mark.integration
@pytest.mark.timeout(120)
@pytest.mark.parametrize("width", [1200, 390])
def test_drawn_without_an_error(tmp_path: Path, width: int) -> None:
    page = render_page(record(known()), details=details())
    page = page[: page.rindex("</body>")] + COUNT
    dom = browse(page, tmp_path, "--dump-dom", f"--window-size={width},3000")
    assert unescape(re.search(r'data-errors="([^"]*)"', dom)[1]) == "[]"
    assert 'data-pictures="8"' in dom
    assert dom.count('class="figure js-plotly-plot"') == page.count('<div class="figure"')
    for word in ("P and test_acc", "How early the ranking is known", "teacher: late"):
        assert word in dom
