"""Watching an experiment from outside: what is known when its manager answers, is busy, or is gone."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from nni_strategies.bridge.rest import RestError
from nni_strategies.bridge.running import RunningExperiment, manager_pid, quiet_nni


class Manager(BaseHTTPRequestHandler):
    """Answers what NNI's manager answers."""

    folder: ClassVar[Path]
    answers: ClassVar[dict[str, object]] = {}

    def do_GET(self) -> None:
        body = json.dumps(self.answers[self.path.removeprefix("/api/v1/nni/")]).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[HTTPServer]:
    params = {"experimentName": "small", "maxTrialNumber": 7, "experimentWorkingDirectory": str(tmp_path)}
    Manager.answers = {
        "experiment": {"id": "abc", "params": params},
        "check-status": {"status": "RUNNING", "errors": []},
    }
    with HTTPServer(("127.0.0.1", 0), Manager) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_what_the_manager_says_is_known(manager: HTTPServer, tmp_path: Path):
    running = RunningExperiment(manager.server_port)
    assert (running.id, running.name, running.trials_wanted) == ("abc", "small", 7)
    assert running.directory == tmp_path / "abc"
    assert running.status().name == "RUNNING" and not running.status().ended
    Manager.answers["check-status"] = {"status": "ERROR", "errors": ["no tuner"]}
    assert running.status().errors == ("no tuner",) and running.status().ended


def test_a_manager_that_is_gone_is_an_error(manager: HTTPServer):
    running = RunningExperiment(manager.server_port)
    manager.shutdown()
    manager.server_close()
    status = running.status()
    assert status.name == "ERROR" and "gone" in status.errors[0]
    running.stop()  # harmless


def test_nobody_on_the_port_is_an_error():
    with HTTPServer(("127.0.0.1", 0), Manager) as server:
        port = server.server_port
    with pytest.raises(RestError):
        RunningExperiment(port)


def test_logs_are_read_from_their_end(manager: HTTPServer, tmp_path: Path):
    running = RunningExperiment(manager.server_port)
    assert running.log_tail() == "" and running.trial_errors() == ""
    (tmp_path / "abc" / "log").mkdir(parents=True)
    (tmp_path / "abc" / "log" / "dispatcher.log").write_text("\n".join(map(str, range(100))))
    assert running.log_tail(2) == "98\n99"
    for trial, text in (("a", ""), ("b", "no such dish\n")):
        folder = tmp_path / "abc" / "environments" / "local-env" / "trials" / trial
        folder.mkdir(parents=True)
        (folder / "trial.stderr").write_text(text)
    assert running.trial_errors() == "no such dish"


@pytest.mark.parametrize(
    ("registry", "pid"),
    [(None, None), ("no json", None), ("[]", None), ('{"abc": {"pid": 12}}', 12), ('{"other": {"pid": 12}}', None)],
)
def test_the_manager_is_found_where_nni_noted_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, registry: str | None, pid: int | None
):
    monkeypatch.setenv("HOME", str(tmp_path))
    if registry is not None:
        (tmp_path / "nni-experiments").mkdir()
        (tmp_path / "nni-experiments" / ".experiment").write_text(registry)
    assert manager_pid("abc") == pid


def test_nni_is_quiet_only_inside():
    with quiet_nni():
        assert not logging.getLogger("nni").isEnabledFor(logging.INFO)
        assert logging.getLogger("nni").isEnabledFor(logging.WARNING)
    assert logging.root.manager.disable < logging.INFO
