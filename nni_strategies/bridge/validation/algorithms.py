"""The tuner and the assessor of a config: their classes, and the arguments those take."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nni_strategies.bridge.class_args import MODES
from nni_strategies.bridge.config_file import plain_fields, plain_name
from nni_strategies.bridge.tuner_class import check_by_validator, class_by_name, class_by_path, unknown_arguments
from nni_strategies.bridge.validation.checked_config import CheckedConfig
from nni_strategies.space.search_space import SearchSpace


def check_tuner(config: CheckedConfig, space: SearchSpace | None) -> None:
    """Find a wrong tuner, and wrong class arguments."""
    section = config.get("tuner", config.get("advisor"))
    if not isinstance(section, Mapping):
        config.problem("tuner", section, "a section with name or className")
        return
    tuner = plain_fields(section)
    unknown = [key for key in section if plain_name(key) not in ("name", "classname", "codedirectory", "classargs")]
    for key in unknown:
        config.problem("tuner", key, "one of its fields", ("name", "className", "codeDirectory", "classArgs"))
    class_args = tuner.get("classargs") or {}
    if not isinstance(class_args, Mapping):
        config.problem("tuner.classArgs", class_args, "a dictionary")
        return
    folder = config.path(tuner.get("codedirectory", "."))
    if tuner.get("codedirectory") is not None and not folder.is_dir():
        config.problem("tuner.codeDirectory", tuner["codedirectory"], f"a folder; there is none at {folder}")
        return
    if (tuner.get("name") is None) == (tuner.get("classname") is None):
        config.problem("tuner", dict(section), "either name or className")
    elif tuner.get("name") is not None:
        named = config.found.attempt(lambda: class_by_name(tuner["name"]))
        if named is not None:
            _check_class_args(config, named[0], {**named[1], **class_args}, space)
            config.found.attempt(lambda: check_by_validator(tuner["name"], class_args))
    else:
        if tuner.get("codedirectory") is None:
            config.problem("tuner.codeDirectory", None, "given beside className: NNI asks for one")
        found = config.found.attempt(lambda: class_by_path(tuner["classname"], folder))
        if found is not None:
            _check_class_args(config, found, class_args, space)


def _check_class_args(
    config: CheckedConfig, tuner: type, class_args: Mapping[str, Any], space: SearchSpace | None
) -> None:
    from nni_strategies.bridge.tuner import StudyTuner

    for name, value in class_args.items():
        if isinstance(value, str) and Path(value).suffix and not Path(value).is_absolute():
            file = next((one for one in (config.path(value), Path(value).resolve()) if one.exists()), None)
            if file is not None:
                allowed = f"an absolute path, {file}: NNI runs the tuner in a folder of its own"
                config.problem(str(name), value, allowed)
                return
    if not issubclass(tuner, StudyTuner):
        config.found.problems += [str(error) for error in unknown_arguments(tuner, class_args)]
        mode = class_args.get("optimize_mode", MODES[0])
        if mode not in MODES:
            config.problem("optimize_mode", mode, "maximize or minimize", MODES)
        return
    bad = {name for name in class_args if not isinstance(name, str)}
    built = None if bad else config.found.attempt(lambda: tuner(**class_args))
    if built is not None and space is not None:
        config.found.attempt(lambda: built.make_searcher(space))


def check_assessor(config: CheckedConfig) -> None:
    """Find an assessor that NNI does not know, and wrong class arguments of one it knows."""
    section = config.get("assessor")
    if not isinstance(section, Mapping):
        if section is not None:
            config.problem("assessor", section, "a section with name or className")
        return
    assessor = plain_fields(section)
    class_args = assessor.get("classargs") or {}
    name = assessor.get("name")
    if name is None or not isinstance(class_args, Mapping):
        return  # NNI's own check says what is missing
    found = config.found.attempt(lambda: class_by_name(name, "assessor"))
    if found is not None:
        config.found.problems += [str(error) for error in unknown_arguments(found[0], class_args)]
        config.found.attempt(lambda: check_by_validator(name, class_args))
