"""What all tests share: one thread, a home of their own, the data folder, and no silent skips in CI."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from nni_strategies.data_folder import VARIABLE, data_folder

# nothing has imported numpy or torch yet; tests run side by side on few cores
os.environ.setdefault("OMP_NUM_THREADS", "1")

CHECKOUT = Path(__file__).resolve().parent.parent
IN_CI = os.environ.get("CI", "").lower() in ("1", "true", "yes")

# What a CI machine may lack: a GPU; tianshou, old and large, which only NNI's own RL strategy needs; hyperopt 0.1.2,
# which only its Anneal needs and today's NumPy breaks; the files of NAT's authors, which are not ours to bring along.
# Every other skip there means that something was not set up.
_SKIPS_ALLOWED_IN_CI = ("needs a GPU", "needs tianshou", "needs hyperopt", "needs NAT's release")


class Ended(NamedTuple):
    """What a command left: its exit code, and what it and its children printed."""

    returncode: int | str | None
    stdout: str
    stderr: str


def pytest_configure(config: pytest.Config) -> None:
    """Make a home folder of the tests' own, where NNI keeps experiments; it looks that up when it is imported."""
    folder = tempfile.mkdtemp(prefix="pytest-home-")
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    patch = pytest.MonkeyPatch()
    patch.setenv("HOME", folder)
    patch.setenv("NNI_CONFIG_DIR", f"{folder}/nni-config")
    config.add_cleanup(patch.undo)


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of the working tree."""
    return CHECKOUT


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of benchmark tables and data sets; skips where there is none, fails in CI."""
    folder = data_folder()
    if not folder.is_dir():
        pytest.skip(f"needs the data folder, which is not at {folder}; set {VARIABLE}")
    return folder


@pytest.fixture
def command_line(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Callable[..., Ended]:
    """Runs the command line as its script does, but in this process: to import NNI takes two seconds."""
    import nni  # noqa: F401  # its log prints where stdout was at import, so not into what is captured now

    from nni_strategies import cli

    capfd = request.getfixturevalue("capfd")

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["nni_strategies", *arguments])
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main()
        return Ended(end.value.code, *capfd.readouterr())

    return run


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse names that change from process to process: the workers of pytest-xdist could not share them out.

    The conformance suite is shipped without marks, which other projects may not know: its slow test gets one here.
    """
    for item in items:
        if item.name == "test_same_sequence_in_another_process":
            item.add_marker(pytest.mark.slow)
    changing = [item.nodeid for item in items if " at 0x" in item.nodeid]
    if changing:
        raise pytest.UsageError(f"give these parameters ids of their own, not their repr: {', '.join(changing)}")


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not (IN_CI and report.skipped) or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not any(allowed in reason for allowed in _SKIPS_ALLOWED_IN_CI):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where everything needed is there: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector):  # type: ignore[no-untyped-def]
    report = yield
    _refuse_skip(report)
    return report
