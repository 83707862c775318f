"""The trials of a config: folder, command, script, program.

NNI lets bash run the command, so only a plain one is judged: bash may make anything of another. Refused is what
certainly fails, such as ``python script.py`` without that script; of what merely looks wrong there is advice.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
from pathlib import Path

from nni_strategies.bridge.config_file import config_path
from nni_strategies.bridge.validation.checked_config import CheckedConfig
from nni_strategies.errors import InvalidArgument

_SHELL = re.compile(r"[;&|<>`$(){}\[\]*?!\n]")
_PYTHON = re.compile(r"(.*/)?python[\d.]*")
_FLAGS = re.compile(r"-[bBdEiIOPqRsSuvx]+")  # of Python, those without a value
_BASH_WORDS = {".", "builtin", "case", "command", "declare", "eval", "exec", "export", "for", "function", "if", "set",
               "select", "shopt", "source", "time", "trap", "type", "ulimit", "umask", "until", "while"}  # fmt: skip


def check_trial_code(config: CheckedConfig) -> None:
    """Find a missing folder, script or program."""
    given = config.get("trialCodeDirectory")
    folder = config.path("trialCodeDirectory", "." if given is None else given)
    if folder is None:
        return
    if not folder.is_dir():
        config.problem("trialCodeDirectory", given, f"a folder; there is none at {folder}")
        return
    command = config.get("trialCommand")
    if command is None:
        return
    if not isinstance(command, str) or not _code(command):
        config.problem("trialCommand", command, "a command")
        return
    try:
        words = shlex.split(_code(command))
    except ValueError as error:
        if not re.search(r"#|<<|\$'|\\$", command):  # where bash, unlike shlex, may see no open quote
            config.problem("trialCommand", command, f"a command a shell understands: {error}")
        return
    assigned = [word for word in words if re.match(r"\w+=", word)]
    words = words[len(assigned) :] if words[: len(assigned)] == assigned else words
    if words[:1] == ["exec"] and len(words) > 1 and not words[1].startswith("-"):
        words = words[1:]
    if not words or _SHELL.search(_code(command).replace("\\\n", " ")) or words[0] == "cd":
        return
    _check_script(config, folder, words, settled=not assigned)
    if config.platform == "local" and not assigned and words[0] not in _BASH_WORDS and not words[0].startswith("~"):
        program = words[0] if "/" not in words[0] else str((folder / words[0]).absolute())
        if shutil.which(program) is None:
            config.problem("trialCommand", words[0], "a program on this machine's PATH")


def _code(command: str) -> str:
    """Return a command without the lines that are comments."""
    return "\n".join(line for line in command.splitlines() if not line.lstrip().startswith("#")).strip()


def _check_script(config: CheckedConfig, folder: Path, words: list[str], *, settled: bool) -> None:
    """Find a missing script or module; `settled` unless the command sets variables, such as PYTHONPATH."""
    rest = words[1:]
    while rest and _FLAGS.fullmatch(rest[0]):
        rest = rest[1:]
    python = bool(_PYTHON.fullmatch(words[0]))
    if python and rest[:1] == ["-m"]:
        if settled and len(rest) > 1 and not _is_module(rest[1], folder):
            config.advise(f"trialCommand: {rest[1]} is no module in {folder}, and none is installed here")
        return
    certain = python and bool(rest) and rest[0].endswith(".py")
    script = rest[0] if certain else next((word for word in rest if word.endswith((".py", ".sh"))), None)
    if script is None or script.startswith(("-", "~")):
        return
    if config.platform != "local" and (Path(script).is_absolute() or ".." in Path(script).parts):
        return  # a file of another machine
    try:
        missing = not config_path("trialCommand", script, folder).exists()
    except InvalidArgument:  # no file has such a name
        missing = True
    if missing and certain:
        near = [str(file.relative_to(folder)) for file in folder.glob("*.py")]
        config.problem("trialCommand", script, f"a file in {folder}", near)
    elif missing:
        config.advise(f"trialCommand names {script}, which is not in {folder}")


def _is_module(name: str, folder: Path) -> bool:
    head = name.split(".")[0]
    try:
        return any(config_path("-m", one, folder).exists() for one in (head, f"{head}.py")) or (
            importlib.util.find_spec(head) is not None
        )
    except (ImportError, ValueError):  # InvalidArgument is one: no module has such a name, or it is __main__
        return False
