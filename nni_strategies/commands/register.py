"""``nni_strategies register``: our tuners by name, ``tuner: {name: LaNAS}``."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("register")
    def _register(
        remove: bool = typer.Option(False, "--remove", help="Forget the names again."),
    ) -> None:
        """Make the algorithms available to `nnictl` by name, as `tuner: {name: LaNAS}`; harmless when repeated."""
        from nni_strategies.bridge.register import (
            ALGORITHMS,
            config_folder,
            register_algorithms,
            unregister_algorithms,
        )

        changed = unregister_algorithms() if remove else register_algorithms()
        for name, class_name in ALGORITHMS.items():
            state = ("removed" if remove else "registered") if name in changed else "as before"
            typer.echo(f"{name:12} {state:12} {class_name}")
        typer.echo(f"NNI keeps the list in {config_folder()}")
