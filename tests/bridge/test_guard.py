"""guard.js in front of a small server: where it listens, and whom it answers."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import nni_node
import pytest

from nni_strategies.bridge.launch import PRELOADS, node_options

NODE = Path(nni_node.__path__[0]) / "node"
GUARD = next(path for path in PRELOADS if path.name == "guard.js")

# Listens the way NNI's REST server does (a port), the way the `ws` of its reuse mode does (undefined address), and on
# an address it names itself.
SERVER = """
const http = require('http');
const token = process.env.NNI_GUARD_TOKEN;
const answer = (request, response) => response.end(JSON.stringify({ url: request.url, token }));
const servers = [1, 2, 3].map(() => http.createServer(answer));
const [first, second, third] = servers;
for (const server of servers) {
  server.on('upgrade', (request, socket) => socket.end('HTTP/1.1 101 Switching Protocols\\r\\n\\r\\n'));
  server.on('error', error => { console.log(JSON.stringify(String(error))); process.exit(1); });
}
first.listen(0);
third.listen(0, '127.0.0.6');
second.listen(0, undefined, undefined, () => console.log(JSON.stringify(servers.map(server => server.address()))));
process.stdin.resume().on('end', () => {
  for (const server of servers) { server.close(); server.closeAllConnections(); }
});
"""


def start(folder: Path, *, guarded: bool = True, **settings: str) -> subprocess.Popen[str]:
    """Start the server in a process that looks like NNI's manager."""
    script = folder / "nni_node" / "main.js"
    script.parent.mkdir(exist_ok=True)
    script.write_text(SERVER)
    environment = {"PATH": os.environ["PATH"], **{f"NNI_GUARD_{name.upper()}": text for name, text in settings.items()}}
    if guarded:
        environment["NODE_OPTIONS"] = node_options("", preloads=[GUARD])
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen([NODE, script], env=environment, text=True, **pipes)


@contextmanager
def serve(folder: Path, *, guarded: bool = True, **settings: str) -> Iterator[list[dict[str, object]]]:
    """Start the server; the addresses it listens on, in the order of the servers in it."""
    process = start(folder, guarded=guarded, **settings)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.communicate("", timeout=8)  # the end of its input is the signal to close
        assert process.returncode == 0  # every listening socket was closed
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Return the port of a server that trusts 127.0.0.1 only, so that 127.0.0.2 plays a machine of the network."""
    settings = {"token": "sesame", "trust": "127.0.0.1", "peers": "127.0.0.3", "hosts": "proxy.example"}
    with serve(tmp_path_factory.mktemp("guard"), **settings) as (first, *_):
        yield first["port"]


def ask(port: int, path: str, *, source: str = "127.0.0.1", to: str = "127.0.0.1", **headers: str) -> int:
    """Return the status that a GET of `path` from the address `source` is answered with."""
    return answer(port, path, source=source, to=to, **headers)[0]


def answer(
    port: int, path: str, *, source: str = "127.0.0.1", to: str = "127.0.0.1", **headers: str
) -> tuple[int, bytes]:
    """Return status and body of the answer to a GET of `path` from the address `source`."""
    connection = HTTPConnection(to, port, timeout=5, source_address=(source, 0))
    connection.putrequest("GET", path, skip_host="Host" in headers)
    for name, text in headers.items():
        connection.putheader(name, text)
    connection.endheaders()
    response = connection.getresponse()
    try:
        return response.status, response.read()
    finally:
        connection.close()


def is_open(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as attempt:
        return attempt.connect_ex((host, port)) == 0


# ---- where it listens ----------------------------------------------------------------------------------------


def test_it_listens_on_one_loopback_address_only(tmp_path):
    with serve(tmp_path) as (*servers, named):
        assert named["address"] == "127.0.0.6"  # what names an address itself is left alone
        for server in servers:
            assert server["address"] == "127.0.0.1"
            assert is_open("127.0.0.1", server["port"])
            assert not is_open("127.0.0.2", server["port"])
            assert not is_open("::1", server["port"])


def test_without_the_guard_it_listens_everywhere(tmp_path):
    with serve(tmp_path, guarded=False) as (*servers, _):
        assert [server["address"] for server in servers] == ["::", "::"]
        assert is_open("127.0.0.2", servers[0]["port"])


def test_several_addresses_reach_the_same_server(tmp_path):
    with serve(tmp_path, bind="127.0.0.1, 127.0.0.4,127.0.0.5") as (*servers, _):
        for server in servers:
            assert [ask(server["port"], "/", to=f"127.0.0.{last}") for last in (1, 4, 5)] == [200, 200, 200]
            assert not is_open("127.0.0.2", server["port"])


def test_a_star_leaves_the_addresses_as_they_are(tmp_path):
    with serve(tmp_path, bind="*") as (first, *_):
        assert first["address"] == "::"
        assert ask(first["port"], "/../x") == 400  # requests are still looked at


@pytest.mark.parametrize("bind", ["198.51.100.1", "127.0.0.1,198.51.100.1"])
def test_an_address_that_is_not_here_is_an_error(tmp_path, bind):
    process = start(tmp_path, bind=bind)
    output, _ = process.communicate(timeout=8)
    assert process.returncode == 1
    assert "EADDRNOTAVAIL" in output


# ---- whom it answers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/../etc/passwd",
        "/api/v1/nni/trial-file/abc/..%2f..%2fsecret",
        "/api/v1/nni/trial-file/abc/%2e%2e/secret",
        "/api/v1/nni/trial-file/abc/%2E%2E%2Fsecret",
        "/api/v1/nni/trial-file/abc/%252e%252e%252fsecret",
        "/api/v1/nni/trial-file/abc/..%5c..%5csecret",
        "/api/v1/nni/trial-file/abc/stdout%00",
        "/api/v1/nni/trial-file/abc/%2fetc%2fpasswd",
        "/prefix/api/v1/nni/trial-file/abc/folder%2fstdout",
        "/logs/..%2f..%2fsecret",
        "/logs/%e0%a4%a",
        "http://localhost/logs/../../secret",
    ],
)
def test_a_path_that_leads_out_is_refused(port, path):
    assert ask(port, path) == 400


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/oview?experiment=..%2fx",
        "/static/js/main.3c4f..chunk.js",
        "/api/v1/nni/trial-file/abc/trial.log",
        "/api/v1/nni/trial-jobs",
        "/logs/nnimanager.log",
        "/logs/with%20space..log",
    ],
)
def test_an_honest_path_is_served(port, path):
    status, body = answer(port, path)
    assert status == 200
    assert json.loads(body) == {"url": path}  # and the token is not left in the environment of the trials


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8080", "127.0.0.1", "127.8.9.1:80", "[::1]:8080", "proxy.example"]
)
def test_our_own_names_are_answered(port, host):
    assert ask(port, "/", Host=host) == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil", "1270.0.0.1"]
)
def test_a_foreign_name_is_refused(port, host):
    assert ask(port, "/", Host=host) == 421


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://HOST", 200), ("https://proxy.example", 200), ("http://evil.example", 403), ("null", 403)],
)
def test_only_our_own_pages_may_ask(port, origin, status):
    host = f"127.0.0.1:{port}"
    headers = {"Host": host, "Origin": origin.replace("HOST", host)}
    assert ask(port, "/", **headers) == status
    websocket = ask(port, "/tuner", **headers, Upgrade="websocket", Connection="upgrade")
    assert websocket == (101 if status == 200 else status)


BASIC = "Basic " + base64.b64encode(b"anyone:sesame").decode()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer sesam"}, 401),
        ({"Authorization": "Bearer "}, 401),
        ({"Authorization": "Basic " + base64.b64encode(b"sesame:").decode()}, 401),
        ({"Authorization": "Bearer sesame2"}, 401),
        ({"Authorization": "bearer sesame"}, 200),
        ({"Authorization": BASIC}, 200),
    ],
)
def test_other_machines_need_the_token(port, headers, status):
    assert ask(port, "/", source="127.0.0.2", **headers) == status


def test_without_a_token_nobody_comes_in_from_outside(tmp_path):
    with serve(tmp_path, trust="127.0.0.1") as (first, *_):
        assert ask(first["port"], "/") == 200
        for authorization in ("Bearer ", "Bearer undefined", "Basic Og=="):
            assert ask(first["port"], "/", source="127.0.0.2", Authorization=authorization) == 401


def test_a_browser_is_asked_for_the_token(port):
    connection = HTTPConnection("127.0.0.1", port, timeout=5, source_address=("127.0.0.2", 0))
    connection.request("GET", "/")
    assert connection.getresponse().headers["WWW-Authenticate"].startswith("Basic ")
    connection.close()


@pytest.mark.parametrize(
    ("source", "path", "status"),
    [
        ("127.0.0.1", "/tuner", 101),
        ("127.0.0.2", "/tuner", 401),
        ("127.0.0.2", "/", 401),
        ("127.0.0.2", "/platform/remote/1", 401),
        ("127.0.0.3", "/tuner", 401),
        ("127.0.0.3", "/platform/remote/1", 101),
        ("127.0.0.3", "/prefix/platform/remote/1", 101),
        ("127.0.0.3", "/", 101),
        ("127.0.0.3", "/env/local/trial", 401),
    ],
)
def test_worker_machines_reach_the_websockets_of_trials_only(port, source, path, status):
    assert ask(port, path, source=source, Upgrade="websocket", Connection="upgrade") == status
    assert ask(port, path, source="127.0.0.3") == 401  # not as a plain request
