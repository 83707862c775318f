"""The command line: quick help, errors as messages, exit codes."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest
import typer

from nni_strategies import cli
from nni_strategies.errors import InvalidArgument, NNIStrategiesError


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nni_strategies.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_help_names_every_command_without_importing_nni_or_torch():
    code = (
        "import sys; sys.argv[1:] = ['--help']\n"
        "from nni_strategies import cli\n"
        "try:\n    cli.main()\n"
        "except SystemExit as end:\n    print('exit', end.code)\n"
        "print(sorted({'nni', 'torch', 'numpy', 'plotly'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    *text, end, heavy = done.stdout.splitlines()
    assert end == "exit 0"
    assert heavy == "[]"
    for command in ("demo", "launch", "resume", "view", "validate", "register", "report", "doctor"):
        assert any(line.strip().startswith(command) for line in text), command


def test_help_is_quick():
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    call("--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # processor time, which other work on the machine hardly changes; importing NNI or torch takes more than 1.5 s
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.2


def test_an_unknown_command_is_bad_input():
    done = call("lunch")
    assert done.returncode == 2
    assert "lunch" in done.stderr
    assert "Traceback" not in done.stderr


def application(error: BaseException) -> typer.Typer:
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.command()
    def fail() -> None:
        raise error

    return app


@pytest.mark.parametrize(
    "error", [InvalidArgument("port", 0, "a number from 1 to 65535"), NNIStrategiesError("the disk is full")]
)
def test_our_errors_become_a_message_with_exit_code_2(monkeypatch, capsys, error):
    monkeypatch.setattr(cli, "build", lambda: application(error))
    monkeypatch.setattr(sys, "argv", ["nni_strategies"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    assert capsys.readouterr().err == f"error: {error}\n"


def test_text_that_the_terminal_does_not_have_is_escaped():
    code = (
        "import typer\nfrom nni_strategies import cli\n"
        "app = typer.Typer(pretty_exceptions_enable=False)\n"
        "@app.command()\ndef show() -> None: print('<\\ud800>')\n"
        "cli.build = lambda: app\ncli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "<\\ud800>\n"), done.stderr


def test_other_errors_are_not_hidden(monkeypatch):
    monkeypatch.setattr(cli, "build", lambda: application(ZeroDivisionError("a fault of ours")))
    monkeypatch.setattr(sys, "argv", ["nni_strategies"])
    with pytest.raises(ZeroDivisionError):
        cli.main()
