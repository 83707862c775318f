"""From the ``tuner:`` section of a config to the class it names, as NNI itself looks for it."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nni_strategies.bridge.register import ALGORITHMS
from nni_strategies.errors import InvalidArgument


def class_by_name(name: Any, kind: str = "tuner") -> tuple[type, dict[str, Any]]:
    """Return the class registered under a name, and its registered class arguments.

    Parameters
    ----------
    name
        As in the config.
    kind
        ``tuner`` or ``assessor``.

    Raises
    ------
    InvalidArgument
        NNI knows no such name; the nearest is suggested, and `register` where the name is one of ours.
    """
    from nni.tools.package_utils import get_algo_meta, get_all_algo_meta

    meta = get_algo_meta(str(name))
    if meta is None or meta.algo_type != kind:
        if kind == "tuner" and str(name).lower() in {ours.lower() for ours in ALGORITHMS}:
            raise InvalidArgument("tuner.name", name, "registered first: run `nni_strategies register` once")
        known = [one.name for one in get_all_algo_meta() if one.algo_type == kind]
        names = {*known, *(ALGORITHMS if kind == "tuner" else ())}
        raise InvalidArgument(f"{kind}.name", name, f"one of {', '.join(sorted(names))}", names)
    return load_class(f"{kind}.name", meta.class_name), dict(meta.class_args or {})


def check_by_validator(name: str, class_args: Mapping[str, Any]) -> None:
    """Let the validator that is registered for a name look at the class arguments; NNI 3.0 forgets to call it.

    Raises
    ------
    InvalidArgument
        With the validator's message.
    """
    from nni.tools.package_utils import get_algo_meta

    meta = get_algo_meta(name)
    if meta is None or meta.validator_class_name is None:
        return
    try:
        validator = load_class("classArgsValidator", meta.validator_class_name)()
        validator.validate_class_args(**class_args)
    except InvalidArgument:
        raise
    except Exception as error:  # whatever it makes of wrong arguments
        message = " ".join(str(error).split()) or type(error).__name__
        raise InvalidArgument(f"classArgs of {name}", dict(class_args), message) from error


def class_by_path(path: Any, code_directory: Path | None) -> type:
    """Return the class ``className`` names, imported with ``codeDirectory`` on the path, as NNI does.

    Raises
    ------
    InvalidArgument
        There is no such module or class, or it cannot be imported.
    """
    if not isinstance(path, str) or "." not in path:
        raise InvalidArgument("tuner.className", path, "module.Class")
    with _on_path(code_directory):
        return load_class("tuner.className", path)


def load_class(field: str, path: str) -> type:
    """Import ``module.Class``; raises InvalidArgument naming `field`."""
    module_name, _, class_name = path.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        where = "" if error.name and module_name.startswith(error.name) else f", which {module_name} imports"
        raise InvalidArgument(field, path, f"importable: there is no module {error.name!r}{where}") from error
    except Exception as error:  # the module is a program of somebody else
        raise InvalidArgument(field, path, f"importable: importing it raised {error!r}") from error
    found = getattr(module, class_name, None)
    if not isinstance(found, type):
        names = [name for name, value in vars(module).items() if isinstance(value, type)]
        raise InvalidArgument(field, class_name, f"a class in {module_name}", names)
    return found


def unknown_arguments(tuner: type, class_args: Mapping[str, Any]) -> list[InvalidArgument]:
    """Return the class arguments a class does not take, and those that it needs and lacks."""
    try:
        parameters = inspect.signature(tuner).parameters
    except (TypeError, ValueError):
        return []
    if any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
        return []
    allowed = f"one of {', '.join(parameters) or 'none'}"
    wrong = [InvalidArgument("classArgs", n, allowed, parameters) for n in class_args if n not in parameters]
    needed = [n for n, p in parameters.items() if p.default is p.empty and p.kind is not p.VAR_POSITIONAL]
    missing = [n for n in needed if n not in class_args]
    return wrong + [InvalidArgument(f"classArgs.{n}", None, "given: it has no default") for n in missing]


@contextmanager
def _on_path(folder: Path | None) -> Any:
    before = list(sys.path)
    if folder is not None:
        sys.path.append(str(folder))
    try:
        yield
    finally:
        sys.path[:] = before
