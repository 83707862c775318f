"""The search space of a config, each parameter by itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nni_strategies.bridge.config_file import config_path
from nni_strategies.bridge.validation.checked_config import CheckedConfig
from nni_strategies.errors import InvalidArgument
from nni_strategies.space.from_json import space_from_json
from nni_strategies.space.search_space import SearchSpace


def check_space(config: CheckedConfig) -> SearchSpace | None:
    """Find what is wrong with each parameter of the search space."""
    space = config.get("searchSpace")
    file = config.get("searchSpaceFile")
    if (space is None) == (file is None):
        both = "one of searchSpace and searchSpaceFile, not both"
        allowed = "given, or searchSpaceFile" if space is None else both
        config.problem("searchSpace", space, allowed)
        return None
    if file is not None:
        space = config.found.attempt(lambda: _read_space(config_path("searchSpaceFile", file, config.folder)))
        if space is None:
            return None
    problems: list[str] = []
    for name, spec in space.items() if isinstance(space, Mapping) else ():
        try:
            space_from_json({name: spec})
        except InvalidArgument as error:
            problems.append(str(error))
    try:
        read = space_from_json(space)
    except InvalidArgument as error:  # then also what no single parameter shows
        config.found.problems += problems or [str(error)]
        return None
    maximum = config.get("maxTrialNumber")
    if read.size is not None and isinstance(maximum, int) and read.size < maximum:
        config.advise(
            f"the search space has {read.size} points: our tuners end the experiment after them, before "
            f"maxTrialNumber = {maximum}; others may leave it at TUNER_NO_MORE_TRIAL"
        )
    return read


def _read_space(path: Path) -> Any:
    import yaml

    from nni_strategies.bridge.plain_yaml import load_json, load_yaml

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArgument("searchSpaceFile", str(path), f"readable: {error}") from error
    try:
        return load_json(text)
    except ValueError:
        try:
            return load_yaml(text)
        except yaml.YAMLError as error:
            raise InvalidArgument("searchSpaceFile", str(path), f"JSON or plain YAML: {error}") from error
