"""The trials of a config: folder, command, script, program."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
from pathlib import Path

from nni_strategies.bridge.validation.checked_config import CheckedConfig

_SHELL = re.compile(r"[;&|<>`$(){}*?]")


def check_trial_code(config: CheckedConfig) -> None:
    """Find a missing folder, script or program."""
    folder = config.path(config.get("trialCodeDirectory", "."))
    if not folder.is_dir():
        config.problem("trialCodeDirectory", config.get("trialCodeDirectory"), f"a folder; there is none at {folder}")
        return
    command = config.get("trialCommand")
    if command is None:
        return
    if not isinstance(command, str) or not command.strip():
        config.problem("trialCommand", command, "a command")
        return
    try:
        words = shlex.split(command)
    except ValueError as error:
        config.problem("trialCommand", command, f"a command a shell understands: {error}")
        return
    assigned = [word for word in words if re.match(r"\w+=", word)]
    words = words[len(assigned) :] if words[: len(assigned)] == assigned else words
    if not words or _SHELL.search(" ".join(words)) or words[0] == "cd":
        return
    script = next((word for word in words[1:] if word.endswith((".py", ".sh"))), None)
    if script is not None and not (folder / script).exists():
        near = [str(file.relative_to(folder)) for file in folder.glob("*" + Path(script).suffix)]
        config.problem("trialCommand", script, f"a file in {folder}", near)
    elif words[1:2] == ["-m"] and len(words) > 2 and not _is_module(words[2], folder):
        config.problem("trialCommand", words[2], f"a module in {folder}, or an installed one")
    if config.platform == "local" and not assigned:
        program = words[0] if "/" not in words[0] else str((folder / words[0]).absolute())
        if shutil.which(program) is None:
            config.problem("trialCommand", words[0], "a program on this machine's PATH")


def _is_module(name: str, folder: Path) -> bool:
    head = name.split(".")[0]
    return (folder / head).exists() or (folder / f"{head}.py").exists() or bool(importlib.util.find_spec(head))
