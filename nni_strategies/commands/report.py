"""``nni_strategies report EXPERIMENT_ID``: one HTML page, best.json and best.py."""

from __future__ import annotations

import importlib
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nni_strategies.search.searcher import Searcher

#: Searchers whose learned state a report can show, by the name their journals carry.
SEARCHERS = {"LaNAS": "nni_strategies.lanas.searcher:LaNASSearcher"}


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(report)


def report(
    experiment: Annotated[str, typer.Argument(metavar="EXPERIMENT_ID", help="A running or finished experiment.")],
    directory: Annotated[
        Path | None,
        typer.Option("--directory", "-e", help="The experiment's folder, or the one that holds it."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where to write; default: report/ in the experiment's folder."),
    ] = None,
    compare: Annotated[
        list[str] | None,
        typer.Option("--compare", "-c", help="Another experiment: its id, folder or journal. Repeat for more."),
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Show the page in a browser.")] = False,
) -> None:
    """Write what an experiment found: one HTML page, best.json and, for a model space, best.py."""
    from nni_strategies.report.write import write_report

    written = write_report(experiment, directory=directory, output=output, searchers=searchers(), compare=compare or ())
    for path in (written.page, *written.best):
        typer.echo(path.resolve())
    for note in written.notes:
        typer.echo(f"note: {note}", err=True)
    if open_page:
        webbrowser.open(written.page.resolve().as_uri())


def searchers() -> dict[str, type[Searcher]]:
    """Import the classes of :data:`SEARCHERS`."""
    found: dict[str, type[Searcher]] = {}
    for algorithm, path in SEARCHERS.items():
        module, _, name = path.partition(":")
        found[algorithm] = getattr(importlib.import_module(module), name)
    return found
