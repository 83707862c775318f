"""Which operation may become which, by what the operations are.

An operation is O (a real operation), S (a skip) or N (null); c(O) > c(S) > c(N) in the paper. Every operation may stay,

- ``nat``: O becomes S or N; S becomes N; N becomes S, for a skip costs next to nothing and helps. N and S never become
  O.
- ``nat++``: besides, O becomes O' of a cheaper type (conv → sep → dil → pooling, max and average pooling to and fro)
  with a kernel no larger, or of the same type with a smaller kernel.
- ``cost``: anything becomes anything, and what it costs decides (:mod:`.transitions`). It has moves that the table of
  ``nat++`` lacks although they reduce cost, such as sep3 → conv1 and conv1 → pooling.

A rule knows no costs. Where a skip is a strided convolution, ``nat`` and ``nat++`` alone make architectures costlier.

Sources: Guo et al.: NAT, NeurIPS 2019, section 3.1; Guo et al.: Towards Accurate and Compact Architectures via Neural
Architecture Transformer, 2021 (the types and kernels of ``nat++``).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.edges import Flags
from nni_strategies.nat.operation_classes import NULL, OPERATION, SKIP, OperationClasses

Rule = Literal["nat", "nat++", "cost"]
RULES: tuple[Rule, ...] = ("nat", "nat++", "cost")

# types by how cheap they are; what is not here has no order
_TYPES = {"conv": 0, "sep": 1, "dil": 2, "maxpool": 3, "avgpool": 3}
_POOLING = 3
_NO_TYPE = -1


def allowed_by_rule(rule: Rule, classes: OperationClasses) -> Flags:
    """Return what each operation of each edge may become.

    Parameters
    ----------
    rule
        ``nat``, ``nat++`` or ``cost``.
    classes
        What operations are.

    Returns
    -------
    Flags
        ``[n_edges, n_operations (from), n_operations (to)]``; False for what an edge cannot carry.

    Raises
    ------
    InvalidArgument
        An unknown rule.
    """
    if rule not in RULES:
        raise InvalidArgument("rule", rule, f"one of {', '.join(RULES)}", RULES)
    present = classes.roles >= NULL
    both = present[:, :, None] & present[:, None, :]
    if rule == "cost":
        return both
    allowed = _by_role(classes.roles) | np.eye(classes.roles.shape[1], dtype=bool)
    if rule == "nat++":
        allowed |= _cheaper_types(classes)
    return allowed & both


def _by_role(roles: npt.NDArray[np.int8]) -> Flags:
    """S and N from anywhere; of two nulls or two skips on an edge, one becomes the other."""
    to = (roles == SKIP) | (roles == NULL)
    return np.broadcast_to(to[:, None, :], (*roles.shape, roles.shape[1])).copy()


def _cheaper_types(classes: OperationClasses) -> Flags:
    types = np.vectorize(lambda family: _TYPES.get(family, _NO_TYPE), otypes=[np.int64])(classes.families)
    ordered = (classes.roles == OPERATION) & (types != _NO_TYPE) & (classes.kernels > 0)
    before, after = types[:, :, None], types[:, None, :]
    old, new = classes.kernels[:, :, None], classes.kernels[:, None, :]
    pooling = (before == _POOLING) & (after == _POOLING)
    cheaper = (after > before) | ((after == before) & (new < old)) | pooling
    return np.asarray(ordered[:, :, None] & ordered[:, None, :] & (new <= old) & cheaper)
