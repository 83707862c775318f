"""``nni_strategies doctor``: what is wrong with this installation, and how to mend it."""

from __future__ import annotations

import typer

_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(doctor)


def doctor() -> None:
    """Look at this installation; exit code 1 if something has to be mended, else 0."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from nni_strategies.bridge.doctor.checks import examine

    console = Console()
    with console.status("looking …"):
        findings = list(examine())
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("state", "checked", "found, and what to do about it"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        found = Text(finding.found)
        if finding.mend:
            found.append(f"\n→ {finding.mend}", style="bold")
        table.add_row(Text(finding.state, style=_COLOURS[finding.state]), Text(finding.check), found)
    console.print(table)
    problems = sum(finding.state == "problem" for finding in findings)
    warnings = sum(finding.state == "warning" for finding in findings)
    console.print(f"\n{problems} to mend, {warnings} to know about." if problems + warnings else "\nNothing is wrong.")
    raise typer.Exit(1 if problems else 0)
