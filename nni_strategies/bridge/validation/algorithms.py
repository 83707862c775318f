"""The tuner and the assessor of a config: their classes, and the arguments those take."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from nni_strategies.bridge.class_args import MODES
from nni_strategies.bridge.config_file import config_path, plain_fields, plain_name
from nni_strategies.bridge.tuner_class import (
    check_by_validator,
    check_kind,
    class_by_name,
    class_by_path,
    unknown_arguments,
)
from nni_strategies.bridge.validation.checked_config import CheckedConfig
from nni_strategies.errors import InvalidArgument, NNIStrategiesError
from nni_strategies.space.search_space import SearchSpace

_FIELDS = ("name", "className", "codeDirectory", "classArgs")


def check_tuner(config: CheckedConfig, space: SearchSpace | None) -> None:
    """Find a wrong tuner, and wrong class arguments."""
    section = config.get("tuner", config.get("advisor"))
    named = _read_section(config, "tuner", section)
    if named is None or not _check_files(config, named[1]):
        return
    from nni_strategies.bridge.tuner import StudyTuner

    tuner, class_args = named
    if issubclass(tuner, StudyTuner) or hasattr(tuner, "prepare"):
        config.found.attempt(lambda: _build(tuner, class_args, space))
    else:
        config.found.problems += [str(error) for error in unknown_arguments(tuner, class_args)]
        mode = class_args.get("optimize_mode", MODES[0])
        if mode not in MODES:
            config.problem("optimize_mode", mode, "maximize or minimize", MODES)
    _ask_validator(config, section)


def check_assessor(config: CheckedConfig) -> None:
    """Find a wrong assessor, and wrong class arguments."""
    section = config.get("assessor")
    named = None if section is None else _read_section(config, "assessor", section)
    if named is not None:
        config.found.problems += [str(error) for error in unknown_arguments(*named)]
        _ask_validator(config, section)


def _read_section(config: CheckedConfig, kind: str, section: Any) -> tuple[type, dict[str, Any]] | None:
    """Return the class that a section names and its arguments, registered ones too; None after a problem."""
    if not isinstance(section, Mapping):
        config.problem(kind, section, "a section with name or className")
        return None
    fields = plain_fields(section)
    for key in section:
        if plain_name(key) not in {plain_name(one) for one in _FIELDS}:
            config.problem(kind, key, "one of its fields", _FIELDS)
    class_args = fields.get("classargs") or {}
    if not isinstance(class_args, Mapping):
        config.problem(f"{kind}.classArgs", class_args, "a dictionary")
        return None
    name, path, given = fields.get("name"), fields.get("classname"), fields.get("codedirectory")
    folder = config.path(f"{kind}.codeDirectory", "." if given is None else given)
    if folder is None:
        return None
    if given is not None and not folder.is_dir():
        config.problem(f"{kind}.codeDirectory", given, f"a folder; there is none at {folder}")
        return None
    if (name is None) == (path is None):
        config.problem(kind, dict(section), "either name or className")
        return None
    registered: dict[str, Any] = {}
    if name is not None:
        found, registered = config.found.attempt(lambda: class_by_name(name, kind)) or (None, {})
    else:
        if given is None:
            config.problem(f"{kind}.codeDirectory", None, "given beside className: NNI asks for one")
        found = config.found.attempt(lambda: class_by_path(path, folder, kind))
    if found is None:
        return None
    before = len(config.found.problems)
    config.found.attempt(lambda: check_kind(f"{kind}.{'className' if name is None else 'name'}", found, kind))
    for key in class_args:
        if not isinstance(key, str) or key == "self":
            config.problem(f"{kind}.classArgs", key, "names of arguments; Python keeps 'self' for the object itself")
    return (found, {**registered, **class_args}) if len(config.found.problems) == before else None


def _check_files(config: CheckedConfig, class_args: Mapping[str, Any]) -> bool:
    """Find a file that the tuner would look for in another folder; return whether there is none."""
    for name, value in class_args.items():
        if isinstance(value, str) and Path(value).suffix and not Path(value).is_absolute():
            for folder in (config.folder, Path.cwd()):
                with suppress(InvalidArgument):  # then it is some other text
                    file = config_path(name, value, folder)
                    if file.exists():
                        allowed = f"an absolute path, {file}: NNI runs the tuner in a folder of its own"
                        config.problem(name, value, allowed)
                        return False
    return True


def _build(tuner: Any, class_args: Mapping[str, Any], space: SearchSpace | None) -> None:
    """Build a tuner of ours, or one derived from them, which may raise anything."""
    try:
        built = tuner(**class_args)
        if space is not None:
            (built.prepare if hasattr(built, "prepare") else built.make_searcher)(space)
    except NNIStrategiesError:
        raise
    except Exception as error:
        raise InvalidArgument("tuner", tuner.__qualname__, f"one that can be built; it raised {error!r}") from error


def _ask_validator(config: CheckedConfig, section: Mapping[Any, Any]) -> None:
    """Let NNI's own validator of a class that is known by name look at its arguments."""
    fields = plain_fields(section)
    if fields.get("name") is not None:
        config.found.attempt(lambda: check_by_validator(fields["name"], fields.get("classargs") or {}))
