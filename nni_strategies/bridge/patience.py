"""Wait for NNI's manager as long as a busy machine takes to start it.

NNI's launcher gives up after 3 s, which a busy machine does not keep ("Create experiment failed"); and it takes
whatever answers on the port for the manager it started, be it another experiment's.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from nni_strategies.errors import NNIStrategiesError

START_SECONDS = 90.0
REST_SECONDS = 120


class ManagerNotStarted(NNIStrategiesError):
    """NNI's manager ended or did nothing while it was starting; no experiment runs."""


@contextmanager
def patient_start() -> Iterator[None]:
    """Let NNI's launcher wait for a manager that is slow to start, and see that the one which answers is its own."""
    from nni.experiment import launcher, rest

    started: list[Any] = []
    start, check, timeout = launcher._start_rest_server, launcher._check_rest_server, rest.timeout

    def start_server(*args: Any, **kwargs: Any) -> Any:
        started.append(start(*args, **kwargs))
        return started[-1]

    def wait_for_server(port: int, retry: int = 0, url_prefix: str | None = None) -> None:
        _wait_until_listening(started[-1], port)
        check(port, url_prefix=url_prefix)

    with ExitStack() as restore:
        for module, name, ours, theirs in (
            (launcher, "_start_rest_server", start_server, start),
            (launcher, "_check_rest_server", wait_for_server, check),
            (rest, "timeout", REST_SECONDS, timeout),
        ):
            setattr(module, name, ours)
            restore.callback(setattr, module, name, theirs)
        yield


def _wait_until_listening(process: Any, port: int, seconds: float = START_SECONDS) -> None:
    """Wait until `process` itself listens on `port`: another program's answer there would be taken for its own."""
    psutil: Any = importlib.import_module("psutil")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ManagerNotStarted(f"NNI's manager ended with exit code {process.returncode} while it was starting")
        try:
            connections = psutil.Process(process.pid).net_connections("tcp")
        except psutil.Error:
            connections = []
        if any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in connections):
            return
        time.sleep(0.1)
    raise ManagerNotStarted(f"NNI's manager did not listen on port {port} within {seconds:g} s")
