"""NNI's web UI in a real browser: labels, choices and extra metrics can be read where a user looks for them.

Headless Chromium is driven through its debugging port with `websockets`, which NNI brings along.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.integration.nni_experiment import evolution_config, poll, run_experiment

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(180)]

OPERATIONS = ["skip_connect", "nor_conv_3x3", "avg_pool_3x3"]
LABELS = ["cell.edge_0_1", "cell.edge_0_2", "cell.edge_1_2"]
METRICS = ["default", "accuracy", "latency_ms", "params", "madds"]
TRIAL = """
value = sum(operation == "nor_conv_3x3" for operation in parameters.values()) / 3
report({"default": value, "accuracy": value, "latency_ms": 1 + value, "params": 1000 * value, "madds": 10 * value})
"""
QUIET = ["gpu", "quic", "background-networking", "component-update", "sync"]


class Page:
    """One tab of the browser, through its debugging protocol."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._number = 0

    def call(self, method: str, **params: Any) -> Any:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:  # what else it tells is of no interest
            answer = json.loads(self._socket.recv(timeout=30))
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def evaluate(self, expression: str) -> Any:
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def wait_for(self, expression: str, what: str) -> Any:
        """Evaluate until it is true; what the page showed last is in the failure."""
        try:
            return poll(lambda: self.evaluate(expression), 40, what)
        except AssertionError as error:
            raise AssertionError(f"{error}; the page: {self.evaluate('document.body.textContent')!r}") from None


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs a Chromium browser (apt install chromium)")
    connect = pytest.importorskip("websockets.sync.client").connect
    profile = folder / "profile"
    command = [program, "--headless", "--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in QUIET)]
    command += ["--window-size=1400,1000", "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"]
    with (folder / "chromium.txt").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={"HOME": str(folder), "PATH": "/usr/bin:/bin"})
    try:
        port = poll(lambda: debugging_port(profile), 40, "the browser runs")
        with connect(f"ws://127.0.0.1:{port[0]}{port[1]}", max_size=None) as socket:
            page = Page(socket)
            target = next(one for one in page.call("Target.getTargets")["targetInfos"] if one["type"] == "page")
        with connect(f"ws://127.0.0.1:{port[0]}/devtools/page/{target['targetId']}", max_size=None) as socket:
            yield Page(socket)
    finally:
        process.terminate()
        process.wait(20)


def debugging_port(profile: Path) -> tuple[str, str] | None:
    with suppress(OSError, ValueError):
        port, path = (profile / "DevToolsActivePort").read_text().split()
        return port, path
    return None


def metric(row: dict[str, Any]) -> float:
    return float(json.loads(json.loads(row["finalMetricData"][0]["data"]))["default"])


def test_parameters_and_extra_metrics_are_readable(tmp_path: Path) -> None:
    space = {label: {"_type": "choice", "_value": OPERATIONS} for label in LABELS}
    config = evolution_config(tmp_path, space, TRIAL, trialConcurrency=2, maxTrialNumber=4)
    with browser(tmp_path) as page, run_experiment(config, tmp_path) as experiment:
        experiment.wait_for("DONE")
        best = max(experiment.trials(), key=metric)
        chosen = json.loads(best["hyperParameters"][0])["parameters"]

        page.call("Page.navigate", url=f"http://127.0.0.1:{experiment.port}/oview")
        page.wait_for("!!document.querySelector('.ms-DetailsRow i')", "the overview lists trials")
        page.evaluate("document.querySelector('.ms-DetailsRow i').click()")  # opens the best one's row
        for label in LABELS:
            shown = json.dumps(f'{label}:"{chosen[label]}"')
            page.wait_for(f"document.body.textContent.replace(/\\s/g, '').includes({shown})", f"{shown} in the row")

        page.call("Page.navigate", url=f"http://127.0.0.1:{experiment.port}/detail")
        tab = "[...document.querySelectorAll('[role=tab]')].find((one) => one.textContent.includes('Hyper-parameter'))"
        page.wait_for(f"!!{tab}", "the page of details")
        page.evaluate(f"{tab}.click()")
        axes = "[...document.querySelectorAll('.parcoords .dimension > .axis > text')].map((one) => one.textContent)"
        names = page.wait_for(f"{axes}.length && {axes}", "the axes of the parallel coordinates")
        assert names == [*LABELS, *METRICS]
        ticks = set(page.evaluate("[...document.querySelectorAll('.parcoords .tick')].map((one) => one.textContent)"))
        assert set(OPERATIONS) <= ticks


def test_a_transformation_is_readable_beside_its_trial(tmp_path: Path) -> None:
    space = {label: {"_type": "choice", "_value": OPERATIONS} for label in LABELS}
    body = "line = parameters.pop('_shown'); report({'default': float(line.startswith('output'))})"
    given = dict.fromkeys(LABELS, "nor_conv_3x3")
    arguments = {"costs": {"nor_conv_3x3": [100, 10]}, "inputs": [given], "budget": 6, "k": 1, "show": True, "seed": 0}
    tuner = {"codeDirectory": str(tmp_path), "className": "nni_strategies.nat.tuner.NATTuner", "classArgs": arguments}
    config = evolution_config(tmp_path, space, body, trialConcurrency=1, maxTrialNumber=6, tuner=tuner)
    with browser(tmp_path) as page, run_experiment(config, tmp_path) as experiment:
        experiment.wait_for("DONE")
        best = max(experiment.trials(), key=metric)
        line = json.loads(best["hyperParameters"][0])["parameters"]["_shown"]
        assert line.startswith("output of input 0: cell.edge_") and "MAdds -" in line
        page.call("Page.navigate", url=f"http://127.0.0.1:{experiment.port}/oview")
        page.wait_for("!!document.querySelector('.ms-DetailsRow i')", "the overview lists trials")
        page.evaluate("document.querySelector('.ms-DetailsRow i').click()")  # opens the best one's row
        page.wait_for(f"document.body.textContent.includes({json.dumps(line)})", f"{line} in the row")
