"""The NNI manager that a killed Python process left behind: found by its command line, and stopped.

NNI resumes an experiment beside a manager that still runs it; the two then write one database.
"""

from __future__ import annotations

import importlib
import itertools
import logging
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

from nni_strategies.bridge.rest import Rest, RestError
from nni_strategies.errors import NNIStrategiesError
from nni_strategies.nni_database import open_database

_logger = logging.getLogger(__name__)

_STOP_SECONDS = 30.0
_KILL_SECONDS = 10.0
_READ_SECONDS = 5.0


def find_managers(experiment_id: str, directory: Path | str) -> list[Any]:
    """Return the processes that manage an experiment, as ``psutil.Process``.

    Parameters
    ----------
    experiment_id
        Of the experiment.
    directory
        Which holds the experiment's folder.
    """
    psutil: Any = importlib.import_module("psutil")
    found = []
    for process in psutil.process_iter(["cmdline"]):
        options = _options(process.info["cmdline"] or [])
        here = Path(options.get("--experiments-directory", "")).absolute() == Path(directory).absolute()
        alive = here and options.get("--experiment-id") == experiment_id
        if alive and process.info["cmdline"][0].endswith("node"):
            found.append(process)
    return found


def stop_managers(experiment_id: str, directory: Path | str) -> int:
    """Stop what still manages an experiment; return how many processes that were.

    Raises
    ------
    NNIStrategiesError
        One does not stop.
    """
    psutil: Any = importlib.import_module("psutil")
    managers = find_managers(experiment_id, directory)
    for manager in managers:
        _logger.info("experiment %s still has a manager (process %d): it is stopped first", experiment_id, manager.pid)
        with suppress(psutil.Error):
            options = _options(manager.cmdline())
            prefix = "/" + options["--url-prefix"] if "--url-prefix" in options else ""
            with suppress(RestError):
                Rest(f"http://localhost:{options.get('--port')}{prefix}").delete("experiment")
                manager.wait(_STOP_SECONDS)
        with suppress(psutil.Error):
            if manager.is_running():
                manager.kill()
                manager.wait(_KILL_SECONDS)
        if manager.is_running() and manager.status() != psutil.STATUS_ZOMBIE:
            raise NNIStrategiesError(f"process {manager.pid} still manages {experiment_id} and does not stop")
    return len(managers)


def knows_experiment(database: Path, experiment_id: str) -> bool:
    """Whether NNI's database came as far as to hold the experiment; before that it cannot be resumed."""
    if not database.exists():
        return False
    with suppress(sqlite3.Error), open_database(database, patience=_READ_SECONDS) as opened:
        return bool(opened.execute("select 1 from ExperimentProfile where id = ?", [experiment_id]).fetchone())
    return False


def _options(command: list[str]) -> dict[str, str]:
    return {name: value for name, value in itertools.pairwise(command) if name.startswith("--")}
