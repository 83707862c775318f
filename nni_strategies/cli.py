"""The command line: ``nni_strategies COMMAND``. Each command lives in its own module of `nni_strategies.commands`.

Nothing heavy is imported before a command runs: neither NNI nor torch is needed to read a help text. Whatever the
package raises on purpose (:class:`~nni_strategies.errors.NNIStrategiesError`) ends as one message on stderr and
exit code 2, without a traceback.
"""

from __future__ import annotations

import io
import sys
import warnings

import typer

from nni_strategies.commands import demo, doctor, launch, register, report, teacher, transform, validate
from nni_strategies.errors import NNIStrategiesError

BAD_INPUT = 2


def build() -> typer.Typer:
    """Return the application with every command registered."""
    app = typer.Typer(
        name="nni_strategies",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def _group() -> None:
        """Neural-architecture search as plug-ins of NNI 3.0."""

    for command in (demo, launch, validate, register, report, teacher, transform, doctor):
        command.register(app)
    return app


def main() -> None:
    """Run the command line; the entry point of the ``nni_strategies`` script.

    Raises
    ------
    SystemExit
        Always: 0 when the command succeeded, 2 for bad input, otherwise what the command asked for.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a trial may report text that the terminal has no characters for
            stream.reconfigure(errors="backslashreplace")
    # NNI's when it is imported, of classes that torch has got since; it concerns no model space
    warnings.filterwarnings("ignore", ".*is found to be not a nn.Module", RuntimeWarning)
    try:
        build()()
    except NNIStrategiesError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(BAD_INPUT)


if __name__ == "__main__":
    main()
