"""The maximum number of trials is lowered to those there are, on a server that answers as NNI's manager does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

import nni_strategies.bridge.exhaustion as exhaustion
from nni_strategies.bridge.exhaustion import count_trials, end_experiment, restore_search_space
from nni_strategies.bridge.reruns import stop_needless
from nni_strategies.bridge.rest import Rest, RestError


class Manager:
    """A web server with the few answers that are asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, Any]] = []
        self.answers: dict[str, Any] = {}
        self.faults = 0
        manager = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = self.path.removeprefix("/api/v1/nni/")
                manager.calls.append((self.command, path, json.loads(body) if body else None))
                manager.faults -= 1
                self.send_response(500 if manager.faults >= 0 else 200)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(json.dumps(manager.answers[path]).encode())

            do_GET = do_PUT = do_DELETE = answer

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.rest = Rest(f"http://127.0.0.1:{self.server.server_address[1]}", timeout=5)
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()  # asks as often to stop


@pytest.fixture
def manager() -> Iterator[Manager]:
    one = Manager()
    yield one
    one.server.shutdown()
    one.server.server_close()


def row(parameter_id: int | None) -> dict[str, Any]:
    return {"hyperParameters": [json.dumps({"parameter_id": parameter_id})]}


@pytest.mark.parametrize(
    ("listed", "issued", "count"),
    [
        ([], [], 0),
        ([0, 1, 2], [0, 1, 2], 3),
        ([0, 1], [0, 1, 2], 3),  # the last one waits for a place
        ([0, 1, None], [0, 1], 3),  # a user added one
        ([0, 1, 1, 2], [1, 2], 4),  # ids restarted after a resume
    ],
)
def test_count(listed, issued, count):
    assert count_trials([row(one) for one in listed], issued) == count


def test_the_maximum_is_lowered_in_spite_of_a_busy_manager(manager, monkeypatch):
    monkeypatch.setattr(exhaustion, "_PAUSE", 0.01)
    manager.answers = {"experiment": {"id": "x", "params": {"maxTrialNumber": 99}}, "trial-jobs": [row(0), row(1)]}
    manager.faults = 2
    thread = end_experiment(manager.rest, [0, 1, 2])
    thread.join(8)
    assert thread.daemon
    puts = [(path, body) for method, path, body in manager.calls if method == "PUT"]
    assert puts == [("experiment?update_type=MAX_TRIAL_NUM", {"id": "x", "params": {"maxTrialNumber": 3}})]


def test_the_search_space_is_put_back(manager):
    manager.answers = {"experiment": {"params": {"searchSpace": {"y": 1}}}}
    restore_search_space(manager.rest, {"x": 1}).join(8)
    assert manager.calls[-1] == ("PUT", "experiment?update_type=SEARCH_SPACE", {"params": {"searchSpace": {"x": 1}}})


def test_a_manager_that_is_gone_is_reported_once(monkeypatch, caplog):
    monkeypatch.setattr(exhaustion, "_PAUSE", 0.0)
    end_experiment(Rest("http://127.0.0.1:9", timeout=1), [0]).join(8)
    assert caplog.text.count("nnictl stop") == 1


def test_needless_trials_are_stopped_when_they_run(manager):
    manager.answers = {f"trial-jobs/{job}": {"status": status} for job, status in
                       (("A", "RUNNING"), ("B", "SUCCEEDED"))}
    stop_needless(manager.rest, ["A", "B"]).join(8)
    assert [path for method, path, _ in manager.calls if method == "DELETE"] == ["trial-jobs/A"]
    assert stop_needless(manager.rest, []) is None


def test_rest_says_what_failed(manager):
    manager.faults = 1
    manager.answers = {"experiment": {}}
    with pytest.raises(RestError, match=r"GET http.*experiment: 500"):
        manager.rest.get("experiment")
    assert manager.rest.get("experiment") == {}


def test_a_proxy_in_the_environment_is_not_used(manager, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    manager.answers = {"experiment": {"id": "x"}}
    assert Rest(manager.rest.address).get("experiment") == {"id": "x"}
