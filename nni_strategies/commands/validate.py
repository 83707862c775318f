"""``nni_strategies validate CONFIG``: everything wrong with an experiment's config, before a start."""

from __future__ import annotations

from pathlib import Path

import typer


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("validate")
    def _validate(
        config: Path = typer.Argument(..., help="The experiment's YAML file."),  # noqa: B008  # typer's way
    ) -> None:
        """List everything wrong with a config and its search space; exit code 2 if anything is, else 0."""
        from nni_strategies.bridge.validate import validate_config

        found = validate_config(config)
        for line in found.advice:
            typer.echo(f"advice: {line}", err=True)
        for line in found.problems:
            typer.echo(f"error: {line}", err=True)
        if found.problems:
            raise typer.Exit(2)
        typer.echo(f"{config}: nothing wrong was found")
