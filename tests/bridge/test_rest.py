"""Rest: whatever goes wrong on the way is one error of ours."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from nni_strategies.bridge.rest import Rest, RestError


@contextmanager
def answering(text: bytes) -> Iterator[Rest]:
    """Serve one request with `text`, whatever it asks."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(text)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield Rest(f"http://127.0.0.1:{server.getsockname()[1]}")
        thread.join(5)


def test_an_answer_is_read() -> None:
    with answering(b"HTTP/1.0 200 OK\r\n\r\n{\"status\": \"DONE\"}") as rest:
        assert rest.get("check-status") == {"status": "DONE"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", "IncompleteRead"),
        (b"rubbish\r\n\r\n", "BadStatusLine"),
        (b"", "RemoteDisconnected|closed connection"),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno", "500 Oh no"),
    ],
)
def test_a_bad_answer_is_our_error(text: bytes, reason: str) -> None:
    with answering(text) as rest, pytest.raises(RestError, match=reason):
        rest.get("check-status")


def test_nobody_there_is_our_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(RestError, match="refused"):
        Rest(f"http://127.0.0.1:{port}").get("check-status")
