"""A config while it is looked through, and what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nni_strategies.bridge.config_file import config_path, plain_fields, plain_name
from nni_strategies.errors import InvalidArgument, NNIStrategiesError


@dataclass
class Findings:
    """What was found.

    Parameters
    ----------
    problems
        Each keeps the experiment from working.
    advice
        Each is likely to be regretted.
    """

    problems: list[str] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)

    def attempt(self, check: Callable[[], Any]) -> Any:
        """Run a check; what it refuses becomes a problem, and None is returned."""
        try:
            return check()
        except NNIStrategiesError as error:
            if str(error) not in self.problems:  # NNI's lists are read for more than one part
                self.problems.append(str(error))
            return None


class CheckedConfig:
    """One config while it is looked through; field names as NNI takes them, in any case, underscores or not.

    Parameters
    ----------
    raw
        The fields as they were read.
    folder
        Of the file: paths are relative to it.
    found
        Where problems and advice go.
    """

    def __init__(self, raw: Mapping[str, Any], folder: Path, found: Findings) -> None:
        self.raw = raw
        self.found = found
        self._values = plain_fields(raw)
        self.folder = folder

    def get(self, name: str, default: Any = None) -> Any:
        """Return a field's value, `default` where it is absent or empty."""
        value = self._values.get(plain_name(name), default)
        return default if value is None else value

    @property
    def platform(self) -> str:
        """Of the training service; empty where there is none or there are several."""
        service = self.get("trainingService")
        return str(plain_fields(service).get("platform")) if isinstance(service, Mapping) else ""

    def path(self, name: str, value: Any) -> Path | None:
        """Return the absolute path that a value of the config stands for; None, and a problem, where that is none."""
        path: Path | None = self.found.attempt(lambda: config_path(name, value, self.folder))
        return path

    def problem(self, name: str, value: Any, allowed: str, names: Iterable[str] = ()) -> None:
        """Note what keeps the experiment from working, in the words of :class:`InvalidArgument`."""
        self.found.problems.append(str(InvalidArgument(name, value, allowed, names)))

    def advise(self, text: str) -> None:
        """Note what is likely to be regretted."""
        self.found.advice.append(text)


def camel_name(name: str) -> str:
    """Return ``max_trial_number`` as ``maxTrialNumber``."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)
