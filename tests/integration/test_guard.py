"""The guard in front of a real NNI manager: loopback only, no file outside a trial's folder, a token for others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
import yaml

from nni_strategies.bridge.launch import free_port
from nni_strategies.bridge.nnictl import create

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(150)]

CONFIG = {
    "searchSpace": {"x": {"_type": "choice", "_value": [1, 2]}},
    "trialCommand": "true",
    "trialCodeDirectory": ".",
    "trialConcurrency": 1,
    "maxTrialNumber": 1,
    "tuner": {"name": "Random"},
    "trainingService": {"platform": "local"},
}


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """Start a manager that trusts 127.0.0.1 only; its port, and a file that it must not show."""
    folder = tmp_path_factory.mktemp("guard")
    (folder / "secret").write_text("secret")
    (folder / "config.yml").write_text(yaml.safe_dump({**CONFIG, "experimentWorkingDirectory": str(folder / "nni")}))
    port = free_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NNI_GUARD_TRUST", "127.0.0.1")
        patch.setenv("NNI_GUARD_TOKEN", "sesame")
        create(folder / "config.yml", port)
    try:
        yield port, folder / "secret"
    finally:
        answer(port, "/api/v1/nni/experiment", method="DELETE")


def answer(
    port: int, path: str, *, method: str = "GET", source: str = "127.0.0.1", **headers: str
) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=30, source_address=(source, 0))
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    try:
        return response.status, response.read()
    finally:
        connection.close()


def listening(port: int) -> set[str]:
    """Return the local addresses, in the kernel's notation, on which somebody listens on `port`."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            address, hexadecimal = local.split(":")
            if state == "0A" and int(hexadecimal, 16) == port:
                found.add(address)
    return found


def test_the_manager_listens_on_127_0_0_1_only(manager):
    port, _ = manager
    assert listening(port) == {"0100007F"}  # 127.0.0.1, as a little-endian number


def test_the_web_ui_is_served(manager):
    port, _ = manager
    status, page = answer(port, "/")
    assert status == 200
    assert b'<div id="root"></div>' in page
    assert answer(port, "/oview")[0] == 200
    status, state = answer(port, "/api/v1/nni/check-status")
    assert status == 200
    assert json.loads(state)["status"] in ("RUNNING", "NO_MORE_TRIAL", "DONE")


def test_no_file_outside_is_shown(manager):
    port, secret = manager
    up = ("..%2f", "%2e%2e%2f", "%2e%2e/", "..%5c", "%252e%252e%252f", "../", "..%2F", "%2E%2E%5C")
    for way in up:
        for depth in (3, 6, 12):
            path = f"/api/v1/nni/trial-file/abc/{way * depth}{str(secret)[1:].replace('/', '%2f')}"
            status, body = answer(port, path)
            assert (status, b"secret" in body) == (400, False), path
    status, body = answer(port, f"/logs/{'..%2f' * 6}{str(secret)[1:].replace('/', '%2f')}")
    assert status == 400


def test_a_foreign_host_name_is_refused(manager):
    port, _ = manager
    assert answer(port, "/api/v1/nni/experiment", Host="evil.example")[0] == 421


def test_another_machine_needs_the_token(manager):
    port, _ = manager
    path = "/api/v1/nni/experiment"
    assert answer(port, path, source="127.0.0.2")[0] == 401
    assert answer(port, path, source="127.0.0.2", Authorization="Bearer sesam")[0] == 401
    assert answer(port, path, source="127.0.0.2", Authorization="Bearer sesame")[0] == 200
    assert answer(port, path, method="DELETE", source="127.0.0.2")[0] == 401  # and the experiment goes on


def test_another_machine_cannot_take_the_tuners_place(manager):
    port, _ = manager
    handshake = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "c2VzYW1lc2VzYW1lc2VzYQ==",
    }
    assert answer(port, "/tuner", source="127.0.0.2", **handshake)[0] == 401
    assert answer(port, "/tuner", Origin="http://evil.example", **handshake)[0] == 403
