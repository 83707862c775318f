"""The space of NSC blocks: labels ``op_t``, ``p1_t``, ``p2_t``, and what is legal.

``op_t`` is there until an operation is the terminal, ``p1_t`` but for the terminal, ``p2_t`` where two nodes are
joined; of those ``p1_t > p2_t`` is required. Drawing never rejects (:mod:`.nsc_draws`). Mutation and crossing put
predecessors in order, and draw the second anew where both are one node.

NNI's search-space JSON says this only with a branch for each sequence of operations. There all labels are always
present instead; :meth:`NSCSpace.normal_form` drops those that are not in use.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nni_strategies.space.constrained import ConstrainedSpace
from nni_strategies.space.parameters import INACTIVE, Categorical, Codes, Condition
from nni_strategies.space.search_space import Configuration, SearchSpace
from nni_strategies.topology.nsc import OPERATIONS
from nni_strategies.topology.nsc_draws import END, JOINS, draw_layers, first_operations, random_block, random_blocks

__all__ = [
    "END", "JOINS", "USUAL_OPERATIONS", "Action", "LaterFirst", "NSCSpace", "nsc_space",
    "random_block", "random_blocks",
]  # fmt: skip

#: What a search chooses from: all but pools with a kernel of 1, which are identities.
USUAL_OPERATIONS = tuple(name for name in OPERATIONS if name not in ("maxpool1", "avgpool1"))

#: The operation of a layer and the nodes it reads, the later first; None for those it does not read.
Action = tuple[str, int | None, int | None]


@dataclass(frozen=True)
class LaterFirst:
    """Of two nodes that are joined, the later is the first predecessor."""

    def violation(self, configuration: Configuration) -> str | None:
        """Say what is wrong with `configuration`, or None when it satisfies the constraint."""
        for label, second in configuration.items():
            if label.startswith("p2_") and not configuration[f"p1_{label[3:]}"] > second:
                return f"p1_{label[3:]} > {label}, not {configuration[f'p1_{label[3:]}']} and {second}"
        return None

    def valid_codes(self, space: SearchSpace, codes: Codes) -> npt.NDArray[np.bool_]:
        """Whether each row of codes ``[n, n_codes]`` satisfies the constraint, ``[n]``."""
        first, second = _joined_columns(space)
        fine = (codes[:, first] > codes[:, second]) | (codes[:, second] == INACTIVE)
        return np.asarray(fine.all(axis=1))

    def describe(self) -> Any:
        """Return what defines the constraint, as JSON types."""
        return {"constraint": "p1_t > p2_t"}


def _joined_columns(space: SearchSpace) -> tuple[list[int], list[int]]:
    # the code of a predecessor is its number, as its choices count from 0
    second = [label for label in space.labels if label.startswith("p2_")]
    starts = [[space.columns[label].start for label in labels] for labels in ([f"p1_{s[3:]}" for s in second], second)]
    return starts[0], starts[1]


@functools.lru_cache(maxsize=64)
def nsc_space(most: int = 10, operations: tuple[str, ...] = USUAL_OPERATIONS) -> NSCSpace:
    """Return the space of blocks of 1 to `most` operations.

    Parameters
    ----------
    most
        T: the labels are ``op_1`` to ``op_T`` and so on. A block of T operations has no terminal.
    operations
        Some of `OPERATIONS`; without ``terminal`` all blocks are of T operations.

    Raises
    ------
    InvalidSearchSpace
        No layer, an unknown operation or one named twice, none that could be the first.
    """
    first = first_operations(most, operations)
    going_on = tuple(name for name in operations if name != END)
    joins = tuple(name for name in operations if name in JOINS)
    parameters: list[Categorical] = []
    for t in range(1, most + 1):
        follows = None if t == 1 else Condition(f"op_{t - 1}", first if t == 2 else going_on)
        parameters.append(Categorical(f"op_{t}", first if t == 1 else operations, condition=follows))
        is_there = Condition(f"op_{t}", first if t == 1 else going_on)
        parameters.append(Categorical(f"p1_{t}", tuple(range(t)), condition=is_there))
        if t > 1 and joins:
            joined = Condition(f"op_{t}", joins)
            parameters.append(Categorical(f"p2_{t}", tuple(range(t - 1)), condition=joined))
    return NSCSpace(tuple(parameters), (LaterFirst(),))


@dataclass(frozen=True)
class NSCSpace(ConstrainedSpace):
    """Blocks as configurations; build it with :func:`nsc_space`."""

    @cached_property
    def most(self) -> int:
        """Most operations of a block, T."""
        return sum(label.startswith("op_") for label in self.labels)

    @cached_property
    def operations(self) -> tuple[str, ...]:
        """What a layer that is not the first chooses from."""
        return tuple(self["op_2" if self.most > 1 else "op_1"].values())

    @cached_property
    def size(self) -> int:  # the chain of conditions is too long to be counted through each operation
        """Number of blocks."""
        n = 1
        for index in range(self.most, 0, -1):
            names = list(self[f"op_{index}"].values())
            n_joins, n_ends = sum(name in JOINS for name in names), names.count(END)
            n_layers = (len(names) - n_joins - n_ends) * index + n_joins * index * (index - 1) // 2
            n = n_layers * n + n_ends
        return n

    # -- one layer after the other ----------------------------------------------------------------

    def legal_actions(self, prefix: Sequence[Action]) -> list[Action]:
        """Return what the next layer may be after those of `prefix`; nothing once the block has ended."""
        index = len(prefix) + 1
        if index > self.most or (prefix and prefix[-1][0] == END):
            return []
        legal: list[Action] = []
        for name in self[f"op_{index}"].values():
            if name == END:
                legal.append((name, None, None))
            elif name in JOINS:
                legal += [(name, first, second) for first in range(index) for second in range(first)]
            else:
                legal += [(name, first, None) for first in range(index)]
        return legal

    def configuration(self, actions: Sequence[Action]) -> Configuration:
        """Return the configuration of a block's layers, in order."""
        labelled = [
            (f"{label}_{t}", value)
            for t, action in enumerate(actions, start=1)
            for label, value in zip(("op", "p1", "p2"), action, strict=True)
        ]
        return {label: value for label, value in labelled if value is not None}

    def actions(self, configuration: Mapping[str, Any]) -> list[Action]:
        """Return the layers of a configuration, in order."""
        return [
            (configuration[f"op_{t}"], configuration.get(f"p1_{t}"), configuration.get(f"p2_{t}"))
            for t in range(1, self.most + 1)
            if f"op_{t}" in configuration
        ]

    # -- what NNI draws ---------------------------------------------------------------------------

    def nni_search_space(self) -> dict[str, Any]:
        """Return NNI's search-space JSON: flat, all labels always present, also where they have no effect."""
        return {p.label: {"_type": "choice", "_value": list(p.values())} for p in self.parameters}

    def normal_form(self, configuration: Mapping[str, Any]) -> Configuration:
        """Return the point of the space that a choice of each label on its own stands for.

        Labels that are not in use are dropped. Predecessors that are joined are put in order; where both are node
        i, the second is i - 1, and where both are the input, they are node 1 and the input.
        """
        out: Configuration = {}
        for parameter in self.parameters:
            label = parameter.label
            if label in configuration and self.is_active(parameter, out):
                out[label] = parameter.normal_form(configuration[label])
        for second in [label for label in out if label.startswith("p2_")]:
            first = f"p1_{second[3:]}"
            a, b = out[first], out[second]
            if a == b:
                a, b = max(a, 1), max(a, 1) - 1
            out[first], out[second] = max(a, b), min(a, b)
        return out

    # -- codes ------------------------------------------------------------------------------------

    def sample_codes(self, rng: np.random.Generator, n: int) -> Codes:
        """Draw `n` points, types uniform, as codes ``[n, n_codes]``."""
        chosen, first, second = draw_layers(rng, n, self.most, self.operations)
        codes = np.full((n, self.n_codes), INACTIVE)
        for t in range(self.most):
            ops, code = chosen[:, t], chosen[:, t]
            if t == 0:  # its list of operations is shorter
                positions = [self["op_1"].index(name) for name in self.operations]  # type: ignore[attr-defined]
                code = np.array([-1 if at is None else at for at in positions])[ops]
            codes[:, self.columns[f"op_{t + 1}"].start] = code
            codes[:, self.columns[f"p1_{t + 1}"].start] = first[:, t]
            if f"p2_{t + 1}" in self.columns:
                codes[:, self.columns[f"p2_{t + 1}"].start] = second[:, t]
        return codes

    def loose_codes(self, rng: np.random.Generator, n: int) -> Codes:
        """Draw `n` points, types uniform, as codes ``[n, n_codes]``: nothing is rejected anyway."""
        return self.sample_codes(rng, n)

    def repair(self, codes: Codes, rng: np.random.Generator) -> Codes:
        """Switch off and on what the conditions do, and put predecessors in order."""
        codes = super().repair(codes, rng)
        for a, b in zip(*_joined_columns(self), strict=True):
            first, second = codes[:, a].copy(), codes[:, b].copy()
            joined, t = second != INACTIVE, len(list(self.parameters[a].values()))
            other = np.floor(rng.random(len(codes)) * (t - 1))
            second = np.where(joined & (first == second), other + (other >= first), second)
            codes[:, a] = np.where(joined, np.maximum(first, second), first)
            codes[:, b] = np.where(joined, np.minimum(first, second), second)
        return codes
