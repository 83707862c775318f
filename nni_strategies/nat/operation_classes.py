"""What an operation is to a transformation: O (real operation), S (skip) or N (null), its family and its kernel.

Here by name, for spaces of which no modules are at hand, as benchmarks are. What the names of operations stand for is
:func:`nni_strategies.topology.vocabulary.standard`'s knowledge; a name that means nothing to it is an O of the family
``other``. A user's map comes first.

Source: Guo et al.: NAT, NeurIPS 2019, section 3.1 (O, S, N); Guo et al.: Towards Accurate and Compact Architectures
via Neural Architecture Transformer, 2021 (families and kernels).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.edges import EdgeView
from nni_strategies.topology.vocabulary import ZERO, standard

Family = Literal["conv", "sep", "dil", "avgpool", "maxpool", "skip", "null", "other"]

NULL, SKIP, OPERATION = 0, 1, 2
NO_CHOICE = -1
ROLES = {"N": NULL, "S": SKIP, "O": OPERATION}

_STANDARD = re.compile(r"(?P<kind>conv|sepconv|maxpool|avgpool)(?P<k>\d+)(?:x(?P<l>\d+))?(?P<d>d\d+(?:x\d+)?)?")
_SHORT = re.compile(r"(?P<kind>sep|dil|max|avg)_?(?P<k>\d+)(?:x\d+)?")  # as NAT's tables abbreviate
_SHORT_FAMILIES: dict[str, Family] = {"sep": "sep", "dil": "dil", "max": "maxpool", "avg": "avgpool"}
# the last is the skip that halves
_SKIP = re.compile(r"skip(_?connect(ion)?)?|iden(tity)?|factori[sz]ed_?reduc(e|tion)", re.IGNORECASE)


class OperationClass(NamedTuple):
    """The class of one operation.

    Parameters
    ----------
    role
        ``OPERATION`` (2), ``SKIP`` (1) or ``NULL`` (0).
    family
        See :class:`OperationClasses`.
    kernel
        The longer side of the largest window, in positions without dilation; 0 where there is none.
    """

    role: int
    family: Family
    kernel: int = 0


@dataclass(frozen=True)
class OperationClasses:
    """The classes of all operations of all edges.

    Parameters
    ----------
    view
        The edges.
    roles
        ``[n_edges, n_operations]``: 2 real operation, 1 skip, 0 null, -1 where the edge cannot carry it.
    families
        ``[n_edges, n_operations]``: conv, sep (depthwise separable), dil (the same, dilated), avgpool, maxpool, skip,
        null or other; empty where the edge cannot carry it.
    kernels
        ``[n_edges, n_operations]``: the longer side of the largest window; 0 where there is none.
    """

    view: EdgeView
    roles: npt.NDArray[np.int8]
    families: npt.NDArray[np.str_]
    kernels: npt.NDArray[np.int64]

    @classmethod
    def of(cls, view: EdgeView, classes: Mapping[tuple[int, str], OperationClass]) -> OperationClasses:
        """Return the classes of a view.

        Parameters
        ----------
        classes
            By place of the edge and name of the operation.
        """
        shape = (view.n_edges, len(view.operations))
        roles = np.full(shape, NO_CHOICE, dtype=np.int8)
        families = np.full(shape, "", dtype="<U8")
        kernels = np.zeros(shape, dtype=np.int64)
        for v, name in enumerate(view.operations):
            for e, edge in enumerate(view.edges):
                if name in edge.names:
                    roles[e, v], families[e, v], kernels[e, v] = classes[e, name]
        return cls(view, roles, families, kernels)


def classes_by_name(view: EdgeView, op_classes: Mapping[str, str] | None = None) -> OperationClasses:
    """Return the classes that the names of operations tell.

    Parameters
    ----------
    view
        The edges.
    op_classes
        The user's word: operation, or ``label:operation`` for one edge, -> ``O``, ``S`` or ``N``.

    Raises
    ------
    InvalidArgument
        An entry for an operation or a class that there is not.
    """
    own = user_roles(view, op_classes or {})
    return OperationClasses.of(
        view,
        {
            (e, name): with_role(class_of_name(name), own.get((e, name)))
            for e, edge in enumerate(view.edges)
            for name in edge.names
        },
    )


def class_of_name(name: str) -> OperationClass:
    """Return the class that a name tells, such as ``sep_conv_3x3``, ``nor_conv_1x1``, ``skip_connect``, ``null``."""
    chain = standard(name)
    if chain == (ZERO,):
        return OperationClass(NULL, "null")
    if _SKIP.fullmatch(name):
        return OperationClass(SKIP, "skip")
    short = _SHORT.fullmatch(name.lower())
    if short:
        return OperationClass(OPERATION, _SHORT_FAMILIES[short["kind"]], int(short["k"]))
    parts = [_STANDARD.fullmatch(part) for part in chain]
    found = [part for part in parts if part is not None]
    if len(found) < len(parts) or len({part["kind"] for part in found}) != 1:
        return OperationClass(OPERATION, "other")
    kernel = max(int(size) for part in found for size in (part["k"], part["l"]) if size)
    return OperationClass(OPERATION, _family(found[0]["kind"], found[0]["d"] is not None), kernel)


def user_roles(view: EdgeView, op_classes: Mapping[str, str]) -> dict[tuple[int, str], int]:
    """Return what the user's map says, by place of the edge and operation; an entry for one label goes first.

    Raises
    ------
    InvalidArgument
        See :func:`classes_by_name`.
    """
    check_op_classes(op_classes)
    by_label = {f"{edge.label}:{name}": (e, name) for e, edge in enumerate(view.edges) for name in edge.names}
    general: dict[tuple[int, str], int] = {}
    special: dict[tuple[int, str], int] = {}
    for key, role in op_classes.items():
        if key in view.operations:
            general.update({(e, key): ROLES[role] for e, edge in enumerate(view.edges) if key in edge.names})
        elif key in by_label:
            special[by_label[key]] = ROLES[role]
        else:
            allowed = f"one of the operations {list(view.operations)}, or label:operation"
            raise InvalidArgument("op_classes", key, allowed, [*view.operations, *by_label])
    return {**general, **special}


def check_op_classes(op_classes: Any) -> None:
    """Refuse what is no mapping of operations to classes.

    Raises
    ------
    InvalidArgument
        It names the first that is none of ``O``, ``S`` and ``N``.
    """
    if not isinstance(op_classes, Mapping):
        raise InvalidArgument("op_classes", op_classes, "a dictionary: operation -> O, S or N")
    for key, role in op_classes.items():
        if not isinstance(role, str) or role not in ROLES:
            raise InvalidArgument(f"op_classes[{key}]", role, "O (operation), S (skip) or N (null)", ROLES)


def with_role(found: OperationClass, role: int | None) -> OperationClass:
    """Return a class with the role that the user gave it, if any; its family follows."""
    if role is None or role == found.role:
        return found
    if role == OPERATION:
        return OperationClass(OPERATION, "other", found.kernel)
    return OperationClass(SKIP, "skip") if role == SKIP else OperationClass(NULL, "null")


def _family(kind: str, dilated: bool) -> Family:
    if kind == "sepconv":
        return "dil" if dilated else "sep"
    return {"conv": "conv", "maxpool": "maxpool", "avgpool": "avgpool"}[kind]  # type: ignore[return-value]
