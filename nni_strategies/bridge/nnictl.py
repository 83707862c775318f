"""``nnictl create``, ``resume`` and ``view``, with the manager mended: the same options, the same output."""

from __future__ import annotations

import logging
import re
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nni_strategies.bridge.access import WebUIAddress, access_for
from nni_strategies.bridge.config_file import read_config
from nni_strategies.bridge.launch import DEFAULT_PORT, checked_port, free_port, mended
from nni_strategies.bridge.patience import ManagerNotStarted
from nni_strategies.bridge.validate import validate_config
from nni_strategies.errors import InvalidArgument, NNIStrategiesError

_ATTEMPTS = 3
_STOP_SECONDS = 60.0

_logger = logging.getLogger("nni.experiment")  # NNI's own: its handler prints to the terminal


def create(
    config: Path | str,
    port: int | None = None,
    *,
    debug: bool = False,
    url_prefix: str | None = None,
    foreground: bool = False,
) -> dict[str, str]:
    """Start the experiment of the YAML file `config`, as ``nnictl create --config`` does.

    Parameters
    ----------
    config
        The experiment's YAML file.
    port
        Of the web UI; none: 8080, or the next free one.
    debug, url_prefix, foreground
        As ``nnictl create`` has them. In the foreground the function returns when the experiment has ended.

    Returns
    -------
    dict of str to str
        The variables of `preload/guard.js` that the manager was started with.

    Raises
    ------
    InvalidArgument
        If the file, the port or the config cannot be used; no manager was started then.
    NNIStrategiesError
        If the manager did not start.
    """
    fields = read_config(config)
    if url_prefix is not None and not re.fullmatch(r"/?\w[\w.-]*(/\w[\w.-]*)*/?", url_prefix, re.ASCII):
        raise InvalidArgument("url_prefix", url_prefix, "names of letters, digits, '_', '-' and '.', with '/' between")
    if "trainingServicePlatform" in fields:
        raise InvalidArgument("config", str(config), "is in NNI 1's format: write `trainingService: platform:`")
    _check_all(Path(config))
    access = access_for(fields)
    options = ["--config", str(config)]
    options += ["--debug"] * debug + ["--foreground"] * foreground
    options += ["--url_prefix", url_prefix] if url_prefix else []
    _run(["create", *options], port, access)
    return access


def resume(
    experiment: str,
    port: int | None = None,
    *,
    debug: bool = False,
    foreground: bool = False,
    experiment_dir: Path | str | None = None,
) -> None:
    """Resume the stopped `experiment`, as ``nnictl resume`` does; parameters as for `create`."""
    options = ["--debug"] * debug + ["--foreground"] * foreground
    _run_stopped("resume", experiment, options, port, experiment_dir)


def view(experiment: str, port: int | None = None, *, experiment_dir: Path | str | None = None) -> None:
    """Show the stopped `experiment` in the web UI, as ``nnictl view`` does; parameters as for `create`."""
    _run_stopped("view", experiment, [], port, experiment_dir)


def _check_all(path: Path) -> None:
    """Find everything wrong with the config; raises InvalidArgument with all of it."""
    problems = validate_config(path).problems
    if problems:
        raise InvalidArgument("config", str(path), "\n  ".join(["cannot be started", *problems]))


def _run_stopped(
    action: str, experiment: str, options: Sequence[str], port: int | None, experiment_dir: Path | str | None
) -> None:
    """Run ``nnictl resume`` or ``nnictl view`` with the access that the stopped experiment's config needs."""
    from nni.experiment.launcher import get_stopped_experiment_config_json

    _wait_while_stopping(experiment)
    try:
        fields = get_stopped_experiment_config_json(experiment, str(experiment_dir) if experiment_dir else None)
    except Exception as error:  # a folder without a database, or with another's
        raise InvalidArgument("id", experiment, f"its folder cannot be read: {error}") from error
    if fields is None:
        raise _not_stopped(experiment)
    folder = ["--experiment_dir", str(experiment_dir)] if experiment_dir else []
    _run([action, experiment, *options, *folder], port, access_for(fields))


def _not_stopped(experiment: str) -> InvalidArgument:
    """Say why an experiment cannot be resumed or viewed: it runs, or there is none of this name."""
    known = _experiments()
    if experiment in known:
        port = known[experiment].get("port")
        allowed = f"stopped: its manager still runs, see http://localhost:{port}; `nnictl stop {experiment}` stops it"
        return InvalidArgument("id", experiment, allowed)
    allowed = "the id of a stopped experiment; `nnictl experiment list --all` has them"
    return InvalidArgument("id", experiment, allowed, known)


def _wait_while_stopping(experiment: str) -> None:
    """Wait for a manager that was told to stop and takes some seconds: NNI refuses its experiment until then."""
    from nni.tools.nnictl.nnictl_utils import update_experiment

    deadline = time.monotonic() + _STOP_SECONDS
    while time.monotonic() < deadline:
        if _experiments(update_experiment).get(experiment, {}).get("status") != "STOPPING":
            return
        time.sleep(0.2)


def _experiments(update: Callable[[], Any] | None = None) -> dict[str, dict[str, Any]]:
    """Return NNI's list of experiments, brought up to date by `update`; empty while it is half written.

    Raises InvalidArgument where NNI would stumble over it.
    """
    from nni.tools.nnictl.config_utils import Experiments
    from nni.tools.nnictl.constants import NNI_HOME_DIR

    field, file = "NNI's list of experiments", str(Path(NNI_HOME_DIR) / ".experiment")
    try:
        listed = Experiments().get_all_experiments()
        if not isinstance(listed, dict):
            raise InvalidArgument(field, file, f"a JSON object, not {type(listed).__name__}: move the file away")
        if update is not None:
            update()
            listed = Experiments().get_all_experiments()
    except InvalidArgument:
        raise
    except Exception as error:  # OSError, and whatever NNI makes of entries that it did not write
        raise InvalidArgument(field, file, f"a file that NNI can read and write: {error!r}") from error
    return {name: entry for name, entry in listed.items() if isinstance(entry, dict)}


def _run(arguments: list[str], port: int | None, access: Mapping[str, str]) -> None:
    """Run ``nnictl`` in this process, so that the manager becomes the child of a mended environment."""
    parser = _parser()
    for attempt in range(1, _ATTEMPTS + 1):
        chosen = free_port(DEFAULT_PORT) if port is None else checked_port(port)
        parsed = parser.parse_args([*arguments, "--port", str(chosen)])
        address = WebUIAddress(chosen, getattr(parsed, "url_prefix", None), access["NNI_GUARD_BIND"])
        _logger.addFilter(address)
        try:
            with mended(chosen, access):
                parsed.func(parsed)
            return
        except ManagerNotStarted as error:
            if attempt == _ATTEMPTS:
                raise ManagerNotStarted(f"{error} ({_ATTEMPTS} attempts)") from error
            _logger.warning("start %d of %d failed: %s", attempt, _ATTEMPTS, error)
        except OSError as error:  # what `requests` raises; the experiment may be running: it is not started again
            silent = f"NNI's manager on port {chosen} does not answer"
            raise NNIStrategiesError(f"{silent if error.errno is None else 'NNI cannot start it'}: {error}") from error
        finally:
            _logger.removeFilter(address)


def _parser() -> Any:
    """Return the command-line parser of ``nnictl``."""
    warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
    try:
        from nni.tools.nnictl import nnictl
    except ModuleNotFoundError as error:
        if error.name != "pkg_resources":
            raise
        raise NNIStrategiesError("nnictl needs an older setuptools: pip install 'setuptools<81'") from None
    level = logging.getLogger().level
    try:
        return nnictl.get_parser()
    finally:
        logging.getLogger().setLevel(level)  # NNI would silence the warnings of the whole process
