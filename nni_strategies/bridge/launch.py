"""Start NNI's manager mended: right parameters to right trials, and nobody from outside gets in.

NNI's manager is a Node.js program. Node loads the files named by ``--require`` in the variable ``NODE_OPTIONS``
before it, which mends it without editing a file of NNI: `preload/pairing.js` gives every trial the parameters it
was submitted with, `guard.js` says who may talk to the manager, `errors.js` shows why an experiment failed,
`resume.js` runs again what has to be and no more, `results.js` keeps early results. All act in the manager only.

From Python, for an ``Experiment`` or a ``NasExperiment``::

    with mended() as port:
        experiment.run(port)

From the command line: ``nni_strategies launch config.yml``. Nothing heavy is imported at the top of this module:
a tuner asks it, in its own process, whether the manager runs mended.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from nni_strategies.errors import InvalidArgument, NNIStrategiesError

PRELOADS: tuple[Path, ...] = tuple(
    Path(__file__).resolve().parent / "preload" / name
    for name in ("pairing.js", "guard.js", "errors.js", "resume.js", "results.js")
)

# Set by pairing.js in the manager, which hands it down to the tuner's process, and by mended() in this one.
MENDED = "NNI_STRATEGIES_MENDED"

DEFAULT_PORT = 8080


def is_mended() -> bool:
    """Return whether the manager that this process belongs to was started mended."""
    return os.environ.get(MENDED) == "1"


def node_options(existing: str, preloads: Sequence[Path] = PRELOADS) -> str:
    """Return the value of ``NODE_OPTIONS`` that loads `preloads` and keeps what is in `existing`."""
    options = [existing] if existing else []
    for path in preloads:
        escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
        option = f'--require "{escaped}"'
        if option not in existing:
            options.append(option)
    return " ".join(options)


def mended_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return `environment` (default: this process's) with all that starts a manager mended.

    The variables of `preload/guard.js` (``NNI_GUARD_BIND`` …) are passed on as they are; without any of them the
    manager listens on 127.0.0.1 only.
    """
    mended_copy = dict(os.environ if environment is None else environment)
    mended_copy["NODE_OPTIONS"] = node_options(mended_copy.get("NODE_OPTIONS", ""))
    mended_copy[MENDED] = "1"
    return mended_copy


@contextmanager
def mended(port: int | None = None, access: Mapping[str, str] | None = None) -> Iterator[int]:
    """Let every manager that this process starts inside the ``with`` block run mended.

    Hold the block open for as long as the experiment runs: a ``NasExperiment``'s strategy asks `is_mended` too.

    Parameters
    ----------
    port
        Where the manager shall listen; a free one is looked for when none is given.
    access
        Variables of `preload/guard.js`, as `nni_strategies.bridge.access.access_for` finds them for a config.

    Yields
    ------
    int
        The port to start the experiment on.

    Raises
    ------
    InvalidArgument
        If `port` is no port, or is taken.
    """
    from nni_strategies.bridge.patience import patient_start

    chosen = free_port() if port is None else checked_port(port)
    before = dict(os.environ)
    os.environ.update(mended_environment({**before, **(access or {})}))
    try:
        with patient_start():
            yield chosen
    finally:
        for name in ("NODE_OPTIONS", MENDED, *(access or {})):
            if name in before:
                os.environ[name] = before[name]
            else:
                os.environ.pop(name, None)


def free_port(preferred: int | None = None) -> int:
    """Return a port that nobody on this machine listens on and whose successor is free too.

    NNI takes a second port, the next one, for worker machines.

    Parameters
    ----------
    preferred
        The port to take if it is free, else the first free one of the next hundred.
    """
    nearby = [] if preferred is None else list(range(preferred, preferred + 100, 2))
    for port in nearby:
        if _is_free(port) and _is_free(port + 1):
            return port
    for _ in range(100):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port < 65535 and _is_free(port) and _is_free(port + 1):
            return port
    raise NNIStrategiesError("no free port was found on this machine")


def checked_port(port: int) -> int:
    """Return `port` if a manager can listen on it; raises InvalidArgument otherwise."""
    if isinstance(port, bool) or not isinstance(port, int) or not 1 <= port <= 65534:
        raise InvalidArgument("port", port, "must be a whole number from 1 to 65534")
    if not _is_free(port):
        raise InvalidArgument("port", port, "is taken by another program; choose another, or none to have one found")
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
