"""``best.json``: the best configuration and what it reached; ``best.py``: a program that rebuilds its model."""

from __future__ import annotations

import ast
import importlib
import json
import os
import pprint
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nni_strategies.errors import InvalidArgument
from nni_strategies.report.records import ExperimentRecord

_PATH = re.compile(r"(?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*")

_PROGRAM = '''\
"""The best model of experiment {id} (trial {trial}, {metric}): ``python best.py`` builds and prints it.

Needs the packages the model is made of; the weights are fresh, the architecture is the one that was found.
"""

import importlib
import sys

from nni_strategies.compat import load_torchvision

sys.path += {code!r}  # where the experiment's own modules are
load_torchvision()  # NNI imports torchvision, which a CPU-only torch needs help with

from nni.nas.space import model_context  # noqa: E402

MODULE, CLASS = {module!r}, {name!r}

ARGUMENTS = {arguments}

KEYWORDS = {keywords}

CONFIGURATION = {configuration}


def build():
    """Return the model, an ordinary torch module with the choices made."""
    space = getattr(importlib.import_module(MODULE), CLASS)
    with model_context(CONFIGURATION):
        return space(*ARGUMENTS, **KEYWORDS)


if __name__ == "__main__":
    print(build())
'''


def best_json(experiment: ExperimentRecord) -> dict[str, Any]:
    """Return what ``best.json`` holds.

    Raises
    ------
    InvalidArgument
        No trial has a result.
    """
    if not experiment.ranked:
        raise InvalidArgument("experiment", experiment.id, "an experiment with at least one finished trial")
    best = experiment.ranked[0]
    return {
        "experiment": experiment.id,
        "name": experiment.name,
        "trial": best.id,
        "nni_trials": list(best.nni_ids),
        "optimize_mode": "maximize" if experiment.maximize else "minimize",
        "metric": best.metric,
        "metrics": dict(best.metrics),
        "configuration": dict(best.configuration),
        "algorithm": experiment.algorithm,
        "seed": experiment.seed,
    }


def best_program(experiment: ExperimentRecord) -> str | None:
    """Return what ``best.py`` holds; None for an experiment without a model space.

    Raises
    ------
    InvalidArgument
        The model space cannot be imported by name (a class of ``__main__``), or its arguments are no literals.
    """
    if experiment.model_space is None or not experiment.ranked:
        return None
    best = experiment.ranked[0]
    module, name = _split_symbol(experiment.model_space.get("model_symbol"))
    arguments, keywords = _arguments(experiment.model_space)
    return _PROGRAM.format(
        id=experiment.id,
        trial=best.id,
        metric=f"metric {best.metric:g}",
        module=module,
        name=name,
        code=_code_path(experiment, module),
        arguments=_literal("model_args", arguments),
        keywords=_literal("model_kwargs", keywords),
        configuration=_literal("configuration", dict(best.sample or best.configuration)),
    )


def write_best(experiment: ExperimentRecord, folder: Path) -> list[Path]:
    """Write ``best.json``, and ``best.py`` for a model space, into `folder`; return their paths.

    Raises
    ------
    InvalidArgument
        No trial has a result, or the model space cannot be written down (``best.json`` is written all the same).
    """
    written = [write_atomically(folder / "best.json", json.dumps(best_json(experiment), indent=2) + "\n")]
    program = best_program(experiment)
    return written if program is None else [*written, write_atomically(folder / "best.py", program)]


def write_atomically(path: Path, text: str) -> Path:
    """Write a file so that a reader sees the old or the new one, never half of it.

    Lone surrogates, which a trial may report and UTF-8 does not have, are written as their escape sequences.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path


def model_class(experiment: ExperimentRecord) -> tuple[Any, list[Any], dict[str, Any]]:
    """Import the class of an experiment's model space; return it with the arguments it was built from.

    Raises
    ------
    InvalidArgument
        It cannot be imported by name, or the arguments are no literals.
    """
    model_space = experiment.model_space or {}
    module, name = _split_symbol(model_space.get("model_symbol"))
    path = _code_path(experiment, module)
    sys.path += path
    try:
        kind = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        allowed = f"a class that can be imported here: {error}; set PYTHONPATH as it was when it was started"
        raise InvalidArgument("model space", f"{module}.{name}", allowed) from error
    finally:
        for folder in path:
            sys.path.remove(folder)
    return kind, *_arguments(model_space)


def _arguments(model_space: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    arguments, keywords = list(model_space.get("model_args") or []), dict(model_space.get("model_kwargs") or {})
    _literal("model_args", arguments)
    _literal("model_kwargs", keywords)
    return arguments, keywords


def _code_path(experiment: ExperimentRecord, module: str) -> list[str]:
    """Return the experiment's code directory if `module` is a file or package in it."""
    root = experiment.code_directory
    if root is None:
        return []
    first = root / module.partition(".")[0]
    return [str(root)] if first.is_dir() or first.with_suffix(".py").is_file() else []


def symbol_path(symbol: Any) -> str:
    """Return the dotted name NNI wrote down for a class: ``{"__nni_type__": "path:package.Class"}``."""
    if isinstance(symbol, Mapping):
        symbol = symbol.get("__nni_type__") or symbol.get("__symbol__") or ""
    return str(symbol).removeprefix("path:")


def _split_symbol(symbol: Any) -> tuple[str, str]:
    text = symbol_path(symbol)
    if not _PATH.fullmatch(text) or text.startswith("__main__."):
        raise InvalidArgument("model space", text[:60], "a class in a module that can be imported (not in __main__)")
    module, _, name = text.rpartition(".")
    return module, name


def _literal(field: str, value: Any) -> str:
    text = pprint.pformat(value, width=100, sort_dicts=False)
    try:
        same = ast.literal_eval(text) == value and not re.search(r"__(nni_type|symbol|instance_type)__", text)
    except (ValueError, SyntaxError):
        same = False
    if not same:
        raise InvalidArgument(field, value, "Python literals: numbers, text, lists and dictionaries")
    return text
