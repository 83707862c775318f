"""Where Python text says ``Genotype(...)``, and what it says there. Text is parsed, never run."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import Any

from nni_strategies.errors import InvalidArgument

_NAME = "Genotype"
_MARK = re.compile(rf"\b{_NAME}\s*\(")
_MOST = 1000  # of a range


def is_source(text: str) -> bool:
    """Whether a text is meant to hold genotypes."""
    return _MARK.search(text) is not None


def calls_in(text: str, field: str) -> tuple[dict[str, ast.Call], list[ast.Call]]:
    """Return the calls of ``Genotype`` by the names that have them at the end of a text, and all of them in its order.

    All are those of names, each once, and those that stand alone.

    Parameters
    ----------
    text
        Python. ``A = B`` gives a second name.
    field
        What errors call it.

    Raises
    ------
    InvalidArgument
        It is no Python, or there is no call in it.
    """
    try:
        body = ast.parse(text.strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # the last of what nests too deeply
        allowed = f"Python that assigns genotypes, without what a log writes before them ({error})"
        raise InvalidArgument(field, text, allowed) from None
    named: dict[str, ast.Call] = {}
    bare: list[ast.Call] = []
    for statement in body:
        value = getattr(statement, "value", None)
        call = named.get(value.id) if isinstance(value, ast.Name) else value
        genotype = call if isinstance(call, ast.Call) and _called(call) == _NAME else None
        for name in _targets(statement):
            named.pop(name, None)
            if genotype is not None:
                named[name] = genotype
        if genotype is not None and isinstance(statement, ast.Expr):
            bare.append(genotype)
    if not named and not bare:
        raise InvalidArgument(field, text, f"Python that assigns {_NAME}(...) to names; this assigns none")
    once = {id(call): call for call in (*named.values(), *bare)}
    return named, sorted(once.values(), key=lambda call: (call.lineno, call.col_offset))


def _targets(statement: ast.stmt) -> list[str]:
    """Return the names that a statement assigns or deletes."""
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def arguments_of(call: ast.Call, names: Sequence[str], field: str) -> dict[str, ast.expr]:
    """Return the arguments of a call by name.

    Parameters
    ----------
    call
        Of a function with these parameters, all optional.
    names
        Of the parameters, in order.
    field
        What errors call it.

    Raises
    ------
    InvalidArgument
        One is unknown, given twice, or not written out.
    """
    if len(call.args) > len(names):
        raise InvalidArgument(field, f"{len(call.args)} arguments", f"at most {len(names)}: {', '.join(names)}")
    found: dict[str, ast.expr] = dict(zip(names, call.args, strict=False))
    for one in call.keywords:
        if one.arg is None or one.arg not in names or one.arg in found:
            raise InvalidArgument(field, one.arg or ast.unparse(one.value), f"each of {', '.join(names)} once", names)
        found[one.arg] = one.value
    return found


def value_of(node: ast.expr, field: str) -> Any:
    """Return what is written down: a literal, a range of whole numbers, a sum of lists.

    Parameters
    ----------
    node
        Of parsed Python.
    field
        What errors call it.

    Raises
    ------
    InvalidArgument
        It is something else, such as a name.
    """
    try:
        return _value(node)
    except (ValueError, TypeError, RecursionError):
        raise InvalidArgument(field, ast.unparse(node), "written out, a list or a range, without names") from None


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [*_value(node.left), *_value(node.right)]
    if isinstance(node, ast.Call) and not node.keywords:
        if _called(node) == "range":
            return list(range(*map(_value, node.args))[:_MOST])
        if _called(node) in ("list", "tuple") and len(node.args) == 1:
            return list(_value(node.args[0]))
    return ast.literal_eval(node)
