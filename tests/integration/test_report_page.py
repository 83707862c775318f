"""The report page in a real browser: every figure is drawn, the console stays empty, nothing leaves the machine."""

from __future__ import annotations

import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest

from nni_strategies.lanas.searcher import LaNASSearcher
from nni_strategies.report.page import render_page
from nni_strategies.report.records import ExperimentRecord, journal_trials
from nni_strategies.report.tree import replayed_tree
from nni_strategies.search.study import Study
from nni_strategies.space.from_json import space_from_json

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

OPERATIONS = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
EDGES = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]
SPACE = {f"cell.edge_{i}_{j}": {"_type": "choice", "_value": OPERATIONS} for i, j in EDGES}

# Reports errors and every request that the page's policy refused, where --dump-dom can see them.
WATCH = """<script>
const seen = [];
const show = () => { document.documentElement.dataset.errors = JSON.stringify(seen); };
addEventListener("error", (event) => { seen.push(String(event.message)); show(); }, true);
addEventListener("securitypolicyviolation", (event) => { seen.push("refused " + event.blockedURI); show(); });
for (const kind of ["error", "warn"]) {
  console[kind] = (...words) => { seen.push(kind + ": " + words.join(" ")); show(); };
}
show();
</script>"""


@pytest.fixture(scope="module")
def page() -> str:
    space = space_from_json(SPACE)
    study = Study(LaNASSearcher(space), seed=0)
    for _ in range(60):
        trial = study.ask()
        convolutions = sum("conv" in operation for operation in trial.configuration.values())
        if trial.id % 17 == 16:
            study.fail(trial.id, "out of <memory> & time")
            continue
        value = convolutions / 6 - 0.01 * (trial.configuration["cell.edge_0_3"] == "none")
        study.tell(trial.id, {"default": value, "params": 100 * convolutions, "latency_ms": 1 + value**2})
    trials = tuple(journal_trials(study.journal.events))
    record = ExperimentRecord("abcd1234", "cells <&>", True, "LaNAS", {}, 0, trials, started=trials[0].started)
    return render_page(record, replayed_tree(study.journal.events, LaNASSearcher(space)), ["a <note>"])


def browse(page: str, folder: Path, *options: str) -> str:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs a Chromium browser (apt install chromium)")
    file = folder / "report.html"
    file.write_text(page.replace("<head>", "<head>" + WATCH, 1))
    quiet = ["disable-gpu", "disable-quic", "no-first-run", "disable-background-networking", "disable-component-update"]
    command = [chromium, "--headless", "--no-sandbox", "--disable-sync", f"--user-data-dir={folder / 'profile'}"]
    command += [*(f"--{name}" for name in quiet), "--virtual-time-budget=10000", *options, file.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True).stdout


@pytest.mark.parametrize("width", [1200, 390])
def test_drawn_without_an_error(page: str, tmp_path: Path, width: int) -> None:
    dom = browse(page, tmp_path, "--dump-dom", f"--window-size={width},3000")
    found = re.search(r'data-errors="([^"]*)"', dom)
    assert found is not None
    assert unescape(found[1]) == "[]"
    # progress, two costs, six effects, time, tree
    assert dom.count('class="figure js-plotly-plot"') == page.count('<div class="figure"') == 11
    assert dom.count('<svg class="cell"') == 3
    for word in ("root · ", "Pareto front", "random phase", "best so far"):
        assert word in dom


def test_an_error_would_be_seen(page: str, tmp_path: Path) -> None:
    broken = page.replace('"type":"icicle"', '"type":"icicle","oops":}', 1)
    assert broken != page
    dom = browse(broken, tmp_path, "--dump-dom")
    assert "SyntaxError" in unescape(re.search(r'data-errors="([^"]*)"', dom)[1])


def test_nothing_is_fetched(page: str, tmp_path: Path) -> None:
    leaking = page.replace("<main>", '<main><img src="http://127.0.0.1:9/pixel.png">', 1)
    dom = browse(leaking, tmp_path, "--dump-dom")
    assert "refused http://127.0.0.1:9/pixel.png" in unescape(re.search(r'data-errors="([^"]*)"', dom)[1])
