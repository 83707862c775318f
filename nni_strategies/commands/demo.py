"""``nni_strategies demo``: the quick start, watched, with its result on the terminal."""

from __future__ import annotations

import signal
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nni_strategies.errors import DataMissing, InvalidArgument

if TYPE_CHECKING:
    from rich.console import Console

    from nni_strategies.bridge.running import RunningExperiment, Status
    from nni_strategies.report.write import Report

FAILED = 1
INTERRUPTED = 130

QUICKSTART = Path(__file__).resolve().parents[2] / "experiments" / "quickstart" / "config.yml"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(demo)


def demo(
    trials: Annotated[
        int | None, typer.Option("--trials", "-n", help="How many networks to train; default: what the config says.")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", "-p", help="Port of the web UI; default: 8080, or the next free one.")
    ] = None,
    config: Annotated[Path, typer.Option("--config", "-c", help="Another experiment to run and watch.")] = QUICKSTART,
) -> None:
    """Search small networks for 8x8 digits in a real NNI experiment; it ends by itself after about two minutes."""
    if config == QUICKSTART and not config.is_file():
        raise DataMissing(f"the demo runs in a checkout of the project: {config} is missing; name a --config")
    if trials is not None and trials < 1:
        raise InvalidArgument("--trials", trials, "a positive integer")
    from rich.console import Console

    from nni_strategies.bridge.running import RunningExperiment
    from nni_strategies.commands.watch import watch

    console = Console()
    running: RunningExperiment | None = None
    try:
        with tempfile.TemporaryDirectory() as folder, _interrupts_deferred():
            running = RunningExperiment.start(config if trials is None else resized(config, trials, Path(folder)), port)
        console.print(f"Experiment {running.id}, {running.trials_wanted} trials; Ctrl-C stops it.", highlight=False)
        console.print(f"Web UI: [bold]{running.address}[/]\n", highlight=False)
        status = watch(running, console)
    except KeyboardInterrupt:
        console.print("Stopping the experiment …")
        raise typer.Exit(INTERRUPTED) from None
    finally:
        if running is not None:
            with _interrupts_deferred(forget=True):
                running.stop()
    _conclude(running, status, console)


def resized(config: Path, trials: int, folder: Path) -> Path:
    """Write a copy of an experiment's YAML file into `folder` that runs another number of trials."""
    import yaml

    from nni_strategies.bridge.config_file import config_path, read_config

    fields: dict[str, Any] = {**read_config(config), "maxTrialNumber": trials}
    for holder, name in ((fields, "trialCodeDirectory"), (fields.get("tuner"), "codeDirectory")):
        if isinstance(holder, dict) and name in holder:
            holder[name] = str(config_path(name, holder[name], config.parent))  # NNI reads them relative to the file
    file = folder / config.name
    file.write_text(yaml.safe_dump(fields, sort_keys=False))
    return file


def _conclude(running: RunningExperiment, status: Status, console: Console) -> None:
    """Write the report, show the best; exit with 1 and the reason when there is nothing to show."""
    from rich.markup import escape

    from nni_strategies.commands.report import searchers
    from nni_strategies.report.write import write_report

    if status.name == "ERROR":
        reasons = "; ".join(status.errors) or "NNI gives no reason"
        console.print("[bold red]The experiment failed:[/]", escape(reasons), highlight=False)
        console.print(f"The end of {running.directory / 'log' / 'dispatcher.log'}:", soft_wrap=True, highlight=False)
        console.print(running.log_tail() or "(empty)", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(FAILED)
    report = write_report(running.id, directory=running.directory, searchers=searchers())
    if not report.experiment.finished:
        console.print(f"[bold red]No trial finished[/] ({status.name}). The end of the last one's stderr:")
        console.print(running.trial_errors() or "(empty)", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(FAILED)
    show(report, console)


def show(report: Report, console: Console) -> None:
    """Print the best architecture as a table and a picture, what the search gained, and where everything is."""
    from rich.table import Table

    from nni_strategies.report.architectures import canonical_cells
    from nni_strategies.report.best import write_atomically
    from nni_strategies.report.picture import picture
    from nni_strategies.report.terminal import draw_text

    experiment = report.experiment
    best = experiment.ranked[0]
    table = Table(title=f"Best of {len(experiment.finished)}: trial {best.id}", title_justify="left")
    table.add_column("choice")
    table.add_column("value", style="bold")
    for label, value in best.configuration.items():
        table.add_row(label, str(value))
    table.add_section()
    for name, value in best.metrics.items():
        if name != "default":
            table.add_row(name, f"{value:,.6g}" if isinstance(value, (int, float)) else str(value))
    console.print(table)

    pictures = []
    for name, cell in canonical_cells(experiment, best).items():
        console.print(f"\n{name}, skips drawn as lines:\n", highlight=False)
        console.print(draw_text(cell), markup=False, highlight=False, no_wrap=True, overflow="ignore", crop=False)
        drawn = picture(cell, f"{name} of trial {best.id}")
        if drawn is not None:
            pictures.append(write_atomically(report.page.parent / f"{name}.svg", drawn))

    blind = [trial.metric for trial in experiment.finished if trial.phase == "initial" and trial.metric is not None]
    if blind and best.metric is not None:
        median = statistics.median(blind)
        console.print(
            f"\n[bold green]{best.metric:.4f}[/], against {median:.4f}, the median of the {len(blind)} random trials "
            f"it began with ({best.metric - median:+.4f}).",
            highlight=False,
        )
    console.print()
    for what, path in (("best", report.best[0]), *(("picture", path) for path in pictures), ("report", report.page)):
        console.print(f"{what:<8} {path}", soft_wrap=True, highlight=False)
    for note in report.notes:
        console.print(f"note     {note}", soft_wrap=True, markup=False, highlight=False)
    nnictl = _relative(Path(sys.executable).parent / "nnictl")
    again = f"{nnictl.with_name('nni_strategies')} view {experiment.id}   (or {nnictl.name} view {experiment.id})"
    console.print(f"again    {again}", soft_wrap=True, highlight=False)


def _relative(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


@contextmanager
def _interrupts_deferred(*, forget: bool = False) -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back until the block is left: no manager is lost half-way, none is left behind.

    From then on SIGTERM interrupts as Ctrl-C does. With `forget`, what came during the block is dropped.
    """

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    received: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: received.append(number))
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, interrupt)
    if received and not forget:
        raise KeyboardInterrupt
