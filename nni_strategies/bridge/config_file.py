"""An experiment's YAML file: read without executing anything in it, its fields found however they are written."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from nni_strategies.errors import InvalidArgument


def read_config(config: Path | str) -> dict[str, Any]:
    """Read the YAML file of an experiment.

    Raises
    ------
    InvalidArgument
        If there is no such file, or it holds something else than plain fields. YAML tags, which could name a Python
        object to be made, are refused, and so is a key that is given twice.
    """
    import yaml

    from nni_strategies.bridge.plain_yaml import load_yaml

    path = Path(config)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InvalidArgument("config", str(config), "there is no such file", _yaml_files(path.parent)) from None
    except IsADirectoryError:
        raise InvalidArgument("config", str(config), "is a folder; name the YAML file of an experiment in it") from None
    except (OSError, ValueError) as error:  # ValueError: no text, or a NUL in the path
        raise InvalidArgument("config", str(config), f"cannot be read: {error}") from None
    try:
        fields = load_yaml(text)
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        allowed = f"must be plain YAML, without tags and repeated keys: {problem}"
        raise InvalidArgument("config", str(config), allowed) from None
    if not isinstance(fields, dict):
        raise InvalidArgument("config", str(config), f"must hold fields such as 'tuner:', not {type(fields).__name__}")
    return fields


def check_by_nni(path: Path) -> None:
    """Let NNI look at the config before anything is started; raises InvalidArgument with its message."""
    from nni.experiment.config import ExperimentConfig, utils

    try:
        ExperimentConfig.load(path).canonical_copy()
    except Exception as error:  # NNI raises whatever comes: ValueError, AttributeError, AssertionError …
        failed_line = traceback.extract_tb(error.__traceback__)[-1].line  # all that a bare assertion tells
        message = " ".join(str(error).split()) or failed_line or type(error).__name__
        raise InvalidArgument("config", str(path), f"NNI refuses it: {message}") from error
    finally:
        utils.unset_base_path()  # NNI forgets to where it fails, and would refuse the next config for it


def config_path(field: str, value: Any, folder: Path) -> Path:
    """Return the absolute path that a value of a config stands for; there need not be anything at it.

    Parameters
    ----------
    field, value
        Where the path was given, and what was given.
    folder
        What a relative one is relative to.

    Raises
    ------
    InvalidArgument
        No file system has such a path: an unknown user's home, a NUL, a name that is too long.
    """
    try:
        path = (folder / Path(str(value)).expanduser()).resolve()
        path.exists()  # only looking shows that a name is too long
    except (OSError, RuntimeError, ValueError) as error:
        problem = error.strerror if isinstance(error, OSError) else str(error)
        raise InvalidArgument(field, value, f"a path: {problem}") from error
    return path


def plain_name(name: Any) -> str:
    """Return a field's name without case and underscores: NNI takes ``trialCommand`` and ``trial_command`` alike."""
    return str(name).replace("_", "").lower()


def plain_fields(fields: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the fields of a config or of a section by their plain names."""
    return {plain_name(name): value for name, value in fields.items()}


def _yaml_files(folder: Path) -> list[str]:
    with suppress(OSError):  # no such folder, or one that may not be listed
        return [str(file) for file in sorted(folder.iterdir()) if file.suffix in (".yml", ".yaml")]
    return []
