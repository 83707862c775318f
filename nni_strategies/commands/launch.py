"""``nni_strategies launch``, ``resume`` and ``view``: what ``nnictl`` has, with the manager mended."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nni_strategies.errors import InvalidArgument

Port = Annotated[
    int | None,
    typer.Option("--port", "-p", help="Port of the web UI; default: 8080, or the next free one."),
]
Debug = Annotated[bool, typer.Option("--debug", "-d", help="Log more.")]
Foreground = Annotated[bool, typer.Option("--foreground", "-f", help="Stay until the experiment ends, with its log.")]
Folder = Annotated[
    Path | None,
    typer.Option("--experiment_dir", "-e", help="The folder that holds the experiment's folder."),
]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command()(launch)
    app.command()(resume)
    app.command()(view)


def launch(
    config: Annotated[Path | None, typer.Argument(help="The experiment's YAML file.")] = None,
    config_option: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="The same, as `nnictl create` has it."),
    ] = None,
    port: Port = None,
    debug: Debug = False,
    url_prefix: Annotated[
        str | None,
        typer.Option("--url_prefix", "-u", help="Prefix of the web UI's paths."),
    ] = None,
    foreground: Foreground = False,
) -> None:
    """Start an experiment: `nnictl create`, with right parameters for every trial, and for this machine only."""
    if (config is None) == (config_option is None):
        raise InvalidArgument("config", None if config is None else str(config), "name one YAML file")
    from nni_strategies.bridge.nnictl import create

    file = config if config is not None else config_option
    assert file is not None
    access = create(file, port, debug=debug, url_prefix=url_prefix, foreground=foreground)
    if "NNI_GUARD_TOKEN" in access:
        typer.echo(f"Worker machines reach the manager at {access['NNI_GUARD_BIND']}; others, such as a browser on")
        typer.echo(f"another machine, are asked for a password: {access['NNI_GUARD_TOKEN']}")


def resume(
    experiment: Annotated[str, typer.Argument(metavar="ID", help="The id of a stopped experiment.")],
    port: Port = None,
    debug: Debug = False,
    foreground: Foreground = False,
    experiment_dir: Folder = None,
) -> None:
    """Go on with a stopped experiment: `nnictl resume`, mended."""
    from nni_strategies.bridge.nnictl import resume as resume_experiment

    resume_experiment(experiment, port, debug=debug, foreground=foreground, experiment_dir=experiment_dir)


def view(
    experiment: Annotated[str, typer.Argument(metavar="ID", help="The id of a stopped experiment.")],
    port: Port = None,
    experiment_dir: Folder = None,
) -> None:
    """Show a stopped experiment in the web UI: `nnictl view`, for this machine only."""
    from nni_strategies.bridge.nnictl import view as view_experiment

    view_experiment(experiment, port, experiment_dir=experiment_dir)
