"""From the ``tuner:`` section of a config to the class it names, as NNI itself looks for it."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nni_strategies.bridge.register import names_of, nni_lists
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
        NNI knows no such name; the nearest is suggested, and `register` where the name is one of ours. Or its class
        cannot be imported, or NNI's list of names cannot be read.
    """
    from nni.tools.package_utils import get_algo_meta, get_all_algo_meta

    with nni_lists():
        meta, everything = get_algo_meta(str(name)), get_all_algo_meta()
        class_args = {} if meta is None else dict(meta.class_args or {})
    if meta is None or meta.algo_type != kind:
        if str(name).lower() in {ours.lower() for ours in names_of(kind)}:
            raise InvalidArgument(f"{kind}.name", name, "registered first: run `nni_strategies register` once")
        known = [one.name for one in everything if one.algo_type == kind]
        names = {*known, *names_of(kind)}
        raise InvalidArgument(f"{kind}.name", name, f"one of {', '.join(sorted(names))}", names)
    return load_class(f"{kind}.name", str(meta.class_name)), class_args


def check_by_validator(name: str, class_args: Mapping[str, Any]) -> None:
    """Let the validator that is registered for a name look at the class arguments; NNI 3.0 forgets to call it.

    NNI's validators ask for arguments that their classes do without, so a lacking one counts as given its default.

    Raises
    ------
    InvalidArgument
        With the validator's message.
    """
    from nni.tools.package_utils import get_algo_meta

    with nni_lists():
        meta = get_algo_meta(str(name))
    if meta is None or meta.validator_class_name is None:
        return
    defaults = {**_defaults(load_class("name", str(meta.class_name))), **(meta.class_args or {})}
    given = dict(class_args)
    while True:
        try:
            validator = load_class("classArgsValidator", str(meta.validator_class_name))()
            validator.validate_class_args(**given)
            return
        except InvalidArgument:
            raise
        except Exception as error:  # whatever it makes of wrong arguments
            message = " ".join(str(error).split()) or type(error).__name__
            lacking = {name for name in defaults if name not in given and repr(name) in message}
            if not lacking:
                raise InvalidArgument(f"classArgs of {name}", dict(class_args), message) from error
            given |= {name: defaults[name] for name in lacking}


def class_by_path(path: Any, code_directory: Path | None, kind: str = "tuner") -> type:
    """Return the class ``className`` names, imported with ``codeDirectory`` on the path, as NNI does.

    Parameters
    ----------
    path
        ``module.Class``.
    code_directory
        Where its module may be; None for nowhere special.
    kind
        ``tuner`` or ``assessor``.

    Raises
    ------
    InvalidArgument
        There is no such module or class, or it cannot be imported.
    """
    if not isinstance(path, str) or "." not in path:
        raise InvalidArgument(f"{kind}.className", path, "module.Class")
    with _on_path(code_directory):
        return load_class(f"{kind}.className", path)


def check_kind(field: str, found: type, kind: str) -> None:
    """Refuse a class that NNI cannot use as a ``tuner`` or an ``assessor``.

    Raises
    ------
    InvalidArgument
        It is no subclass of NNI's base class (an advisor counts as a tuner), or one of ours without a searcher.
    """
    from nni.assessor import Assessor
    from nni.runtime.msg_dispatcher_base import MsgDispatcherBase
    from nni.tuner import Tuner

    from nni_strategies.bridge.tuner import StudyTuner

    bases = (Assessor,) if kind == "assessor" else (Tuner, MsgDispatcherBase)
    name = f"{found.__module__}.{found.__qualname__}"
    if not issubclass(found, bases) or found in bases:
        words = " or ".join(f"{base.__module__}.{base.__qualname__}" for base in bases)
        raise InvalidArgument(field, name, f"a subclass of {words}")
    if issubclass(found, StudyTuner) and not hasattr(found, "searcher_class"):
        raise InvalidArgument(field, name, "a tuner with a searcher_class: this one is a base to derive others from")


def load_class(field: str, path: str) -> type:
    """Import ``module.Class``; raises InvalidArgument naming `field`."""
    module_name, _, class_name = path.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        where = "" if error.name and module_name.startswith(error.name) else f", which {module_name} imports"
        raise InvalidArgument(field, path, f"importable: there is no module {error.name!r}{where}") from error
    except (Exception, SystemExit) as error:  # the module is a program of somebody else
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


def _defaults(found: type) -> dict[str, Any]:
    """Return the class arguments that a class does without, and what it takes instead."""
    try:
        parameters = inspect.signature(found).parameters
    except (TypeError, ValueError):
        return {}
    return {name: one.default for name, one in parameters.items() if one.default is not one.empty}


@contextmanager
def _on_path(folder: Path | None) -> Any:
    before = list(sys.path)
    if folder is not None:
        sys.path.append(str(folder))
    try:
        yield
    finally:
        sys.path[:] = before
