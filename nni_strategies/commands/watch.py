"""What `nni_strategies demo` shows while an experiment runs: a line a trial, bars, the best so far."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from nni_strategies.bridge.running import RunningExperiment, Status
from nni_strategies.errors import DataMissing, JournalError
from nni_strategies.report.records import ExperimentRecord, TrialRecord, read_experiment

_POLL_SECONDS = 0.5
_STALLED_SECONDS = 300.0
_OVER = ("finished", "failed", "stopped")
_BAR_WIDTH = 24
_COSTS = {"latency_ms": "{:8.2f} ms", "params": "{:10,.0f} params"}  # how the costs that trials report are shown


class Display:
    """The live picture of one experiment, redrawn from its records.

    Parameters
    ----------
    console
        Where to print; on anything but a terminal only the lines of finished trials appear.
    total
        Number of trials.
    address
        Of the web UI.
    """

    def __init__(self, console: Console, total: int, address: str) -> None:
        self._console = console
        self._width = len(str(total - 1))
        self._shown: set[int] = set()
        self._best: TrialRecord | None = None
        self._tasks: dict[int, TaskID] = {}
        self._trials = Progress(
            TextColumn("{task.description}"), BarColumn(_BAR_WIDTH), TextColumn("{task.fields[state]}"), console=console
        )
        self._whole = Progress(
            TextColumn("  [bold]{task.description}"),
            BarColumn(_BAR_WIDTH),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("best [green]{task.fields[best]}[/]  [dim]" + address),
            console=console,
        )
        self._total = self._whole.add_task("trials", total=total, best="–")

    def live(self) -> Live:
        """Return the context in which the bars are drawn."""
        return Live(Group(self._trials, self._whole), console=self._console, refresh_per_second=4, transient=True)

    def update(self, record: ExperimentRecord) -> int:
        """Show what is new; return how many results, failures and intermediate results there are in all."""
        reports = max((len(trial.intermediates) for trial in record.trials if trial.status == "finished"), default=None)
        for trial in record.trials:
            if trial.status in _OVER:
                self._conclude(trial, record.maximize)
            elif trial.nni_ids:
                self._follow(trial, reports)
        self._whole.update(self._total, completed=len(self._shown), best=_metric(self._best))
        return len(self._shown) + sum(len(trial.intermediates) for trial in record.trials)

    def _follow(self, trial: TrialRecord, reports: int | None) -> None:
        if trial.id not in self._tasks:
            self._tasks[trial.id] = self._trials.add_task(self._name(trial), total=None, state="")
        last = f"{trial.intermediates[-1]:.4f}" if trial.intermediates else "starts"
        self._trials.update(self._tasks[trial.id], total=reports, completed=len(trial.intermediates), state=last)

    def _conclude(self, trial: TrialRecord, maximize: bool) -> None:
        if trial.id in self._shown:
            return
        self._shown.add(trial.id)
        if trial.id in self._tasks:
            self._trials.remove_task(self._tasks.pop(trial.id))
        if trial.metric is None:
            self._console.print(f"{self._name(trial)} [red]failed: {escape(str(trial.failure))}", highlight=False)
            return
        best = self._best.metric if self._best is not None else None
        better = best is None or (trial.metric > best if maximize else trial.metric < best)
        if better:
            self._best = trial
        costs = {name: trial.metrics[name] for name in _COSTS if _is_number(trial.metrics.get(name))}
        shown = [_COSTS[name].format(value) for name, value in costs.items()]
        seconds = f"{trial.ended - trial.started:.0f} s" if trial.started and trial.ended else ""
        mark = "  [bold green]best so far" if better else ""
        line = f"{self._name(trial)}  [bold]{trial.metric:.4f}[/]{''.join(shown)} {seconds:>5}{mark}"
        self._console.print(line, highlight=False, soft_wrap=True)

    def _name(self, trial: TrialRecord) -> str:
        how = {"initial": "random", "import": "import"}.get(trial.phase, "search")
        return f"  trial {trial.id:>{self._width}}  [dim]{how}[/]"


def watch(running: RunningExperiment, console: Console) -> Status:
    """Show an experiment until it ends; return how it ended.

    An experiment in which nothing happens for five minutes counts as failed.
    """
    display = Display(console, running.trials_wanted, running.address)
    with display.live():
        return _follow(running, lambda: display.update(read_experiment(running.id, running.directory)))


def _follow(running: RunningExperiment, refresh: Callable[[], int]) -> Status:
    progress, moved = -1, time.monotonic()
    while True:
        status = running.status()
        with suppress(DataMissing, JournalError):  # not written yet, or being written just now
            seen = refresh()
            if seen != progress:
                progress, moved = seen, time.monotonic()
        if status.ended:
            return status
        if time.monotonic() - moved > _STALLED_SECONDS:
            return Status("ERROR", (f"nothing happened for {_STALLED_SECONDS:.0f} s",))
        time.sleep(_POLL_SECONDS)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float))  # a trial reports what it likes


def _metric(trial: TrialRecord | None) -> str:
    return "–" if trial is None or trial.metric is None else f"{trial.metric:.4f} (trial {trial.id})"
