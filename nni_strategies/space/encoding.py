"""Encoder: codes -> the float matrix models are fitted on; and histograms of the values choices share.

One-hot for a categorical, k-hot for a subset, the standardised prior quantile ``(F(x) - 1/2) * sqrt(12)`` for a number
(unit variance under the prior; LA-MCTS and LaNAS alike). What a condition switches off is all zero: no
"active" column is needed, the one-hot of the branch is it. Nothing else is centred: that is the model's matter.

Histograms ``c(x)`` count how often each value is used by choices that mean the same thing, such as the operations on
the edges of a cell: many architectures that differ edge by edge perform alike since they use the same operations.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nni_strategies.errors import InvalidArgument
from nni_strategies.space.parameters import INACTIVE, Categorical, Codes, Numerical, Parameter, Subset, canonical
from nni_strategies.space.search_space import SearchSpace

Features = npt.NDArray[np.float32]

_MOST_ONE_HOT = 64  # a longer list of values is hashed into so many buckets
_MOST_LEVELS = 32  # a longer grid is a continuum to a model
_INDEX = re.compile(r"\d+|(?<![A-Za-z])[A-Za-z](?![A-Za-z])")


class Encoder:
    """Turns codes of one space into features; the same space gives the same columns, always.

    Parameters
    ----------
    space
        The space whose codes are transformed.
    standardize
        Scale quantiles to mean 0 and variance 1 under the prior; False leaves them in [0, 1], with 1/2 for
        what is switched off.
    ordered_levels
        Give numbers of at most 32 levels a one-hot beside their quantile.
    ranks
        Give categoricals whose values are all numbers their standardised rank beside the one-hot.
    """

    def __init__(
        self, space: SearchSpace, *, standardize: bool = True, ordered_levels: bool = False, ranks: bool = False
    ) -> None:
        self.space = space
        self._scale, self._shift = (math.sqrt(12.0), -0.5) if standardize else (1.0, 0.0)
        self._rest = 0.0 if standardize else 0.5  # a switched-off quantile
        self._columns: list[tuple[str, str]] = []
        hot_sources: list[int] = []  # code columns that select a feature column ...
        hot_tables: list[npt.NDArray[np.int64]] = []  # ... through this table
        bits: list[tuple[int, int]] = []
        linear: list[tuple[int, int]] = []
        self._grids: list[tuple[int, int, npt.NDArray[np.float64]]] = []
        self._ranks: list[tuple[int, int, npt.NDArray[np.float64]]] = []
        self.slices: dict[str, slice] = {}
        for parameter in space.parameters:
            first, code = len(self._columns), space.columns[parameter.label].start
            if isinstance(parameter, Categorical):
                hot_sources.append(code)
                hot_tables.append(first + self._name_values(parameter))
                if ranks and (rank := _standardised_ranks(parameter)) is not None:
                    self._ranks.append((code, self._add(parameter, "rank"), rank))
            elif isinstance(parameter, Subset):
                for i, value in enumerate(parameter.choices):
                    bits.append((code + i, self._add(parameter, f"has {canonical(value)}")))
            elif isinstance(parameter, Numerical):
                linear.append((code, self._add(parameter, "quantile")))
                levels = parameter.distribution.levels
                if ordered_levels and levels is not None and 1 < len(levels) <= _MOST_LEVELS:
                    starts = [self._add(parameter, f"= {level:g}") for level in levels]
                    self._grids.append((code, starts[0], parameter.distribution.cdf(levels)))
            self.slices[parameter.label] = slice(first, len(self._columns))
        self._hot = np.array(hot_sources, dtype=np.int64)
        self._hot_base = np.cumsum([0] + [len(table) for table in hot_tables])[:-1].astype(np.int64)
        self._hot_table = np.concatenate(hot_tables) if hot_tables else np.zeros(0, dtype=np.int64)
        self._bits = np.array(bits, dtype=np.int64).reshape(-1, 2).T
        self._linear = np.array(linear, dtype=np.int64).reshape(-1, 2).T

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """The label and a description of each feature column, such as ``("op", '= "conv"')``."""
        return tuple(self._columns)

    @property
    def n_columns(self) -> int:
        """Number of feature columns."""
        return len(self._columns)

    def transform(self, codes: Codes) -> Features:
        """Return the features ``[n, n_columns]`` of codes ``[n, n_codes]``."""
        codes = np.asarray(codes, dtype=np.float64)
        out = np.zeros((len(codes), self.n_columns), dtype=np.float32)
        if len(self._hot):
            chosen = codes[:, self._hot]
            rows, which = np.nonzero(chosen != INACTIVE)
            out[rows, self._hot_table[self._hot_base[which] + chosen[rows, which].astype(np.int64)]] = 1.0
        if self._bits.size:
            out[:, self._bits[1]] = np.maximum(codes[:, self._bits[0]], 0.0)
        if self._linear.size:
            u = codes[:, self._linear[0]]
            out[:, self._linear[1]] = np.where(u != INACTIVE, (u + self._shift) * self._scale, self._rest)
        for source, first, grid in self._grids:
            rows = np.flatnonzero(codes[:, source] != INACTIVE)
            nearest = np.abs(codes[rows, source][:, None] - grid).argmin(axis=1)
            out[rows, first + nearest] = 1.0
        for source, target, rank in self._ranks:
            rows = np.flatnonzero(codes[:, source] != INACTIVE)
            out[rows, target] = rank[codes[rows, source].astype(np.int64)]
        return out

    def _add(self, parameter: Parameter, description: str) -> int:
        self._columns.append((parameter.label, description))
        return len(self._columns) - 1

    def _name_values(self, parameter: Categorical) -> npt.NDArray[np.int64]:
        """Add the columns of a categorical; return for each value which of them it sets, ``[size]``."""
        if parameter.size <= _MOST_ONE_HOT:
            for value in parameter.choices:
                self._add(parameter, f"= {canonical(value)}")
            return np.arange(parameter.size)
        for bucket in range(_MOST_ONE_HOT):
            self._add(parameter, f"hashes to {bucket}")
        # CRC, not hash(): the same in every process.
        return np.array([zlib.crc32(canonical(value).encode()) % _MOST_ONE_HOT for value in parameter.choices])


@dataclass(frozen=True)
class ValueGroup:
    """Choices that take their values from one list and mean the same thing.

    Parameters
    ----------
    labels
        The choices, two or more.
    choices
        Their common list of values.
    columns
        Their code columns.
    """

    labels: tuple[str, ...]
    choices: tuple[Any, ...]
    columns: tuple[int, ...]


def value_groups(space: SearchSpace, declared: Sequence[Sequence[str]] | None = None) -> tuple[ValueGroup, ...]:
    """Find the choices that share a list of values.

    Choices whose lists look alike but mean different things are kept apart by their labels: two belong together
    when their labels are equal up to numbers and single letters (``normal/op_2_0`` and ``normal/op_3_1``, ``edge_a``
    and ``edge_b``; not ``normal/op_2_0`` and ``reduce/op_2_0``, nor ``op_1`` and ``input_1``).

    Parameters
    ----------
    space
        The space.
    declared
        The groups as lists of labels, where the labels do not tell.

    Raises
    ------
    InvalidArgument
        A declared group of fewer than two, of an unknown label or of choices with different lists.
    """
    members: dict[Any, list[Categorical]] = {}
    if declared is not None:
        for i, labels in enumerate(declared):
            members[i] = [_declared(space, label, f"groups[{i}]") for label in labels]
            if len(set(labels)) < 2 or len({canonical(p.choices) for p in members[i]}) != 1:
                allowed = "two or more different choices with the same list of values"
                raise InvalidArgument(f"groups[{i}]", list(labels), allowed)
    else:
        for parameter in space.parameters:
            if isinstance(parameter, Categorical) and parameter.size > 1:
                key = (_INDEX.sub("#", parameter.label), canonical(parameter.choices))
                members.setdefault(key, []).append(parameter)
    return tuple(
        ValueGroup(tuple(p.label for p in group), group[0].choices, tuple(space.columns[p.label].start for p in group))
        for group in members.values()
        if len(group) > 1
    )


def histograms(codes: Codes, groups: Sequence[ValueGroup]) -> Features:
    """Count how often each group uses each of its values.

    Parameters
    ----------
    codes
        Codes of the space, ``[n, n_codes]``.
    groups
        From :func:`value_groups`.

    Returns
    -------
    Features
        Counts, ``[n, sum of the lengths of the groups' lists]``; what is switched off counts nowhere.
    """
    parts = [
        # A comparison per value is faster than a bincount for the short lists there are.
        np.stack([(codes[:, list(g.columns)] == v).sum(axis=1) for v in range(len(g.choices))], axis=1)
        for g in groups
    ]
    return np.hstack(parts).astype(np.float32) if parts else np.zeros((len(codes), 0), dtype=np.float32)


def _declared(space: SearchSpace, label: str, field: str) -> Categorical:
    if label not in space.labels or not isinstance(space[label], Categorical):
        names = [p.label for p in space.parameters if isinstance(p, Categorical)]
        raise InvalidArgument(field, label, "the label of a choice of the space", names)
    parameter = space[label]
    assert isinstance(parameter, Categorical)
    return parameter


def _standardised_ranks(parameter: Categorical) -> npt.NDArray[np.float64] | None:
    numbers = [v for v in parameter.choices if isinstance(v, (int, float)) and not isinstance(v, bool)]
    if len(numbers) < parameter.size or parameter.size < 2:
        return None
    ranks = np.argsort(np.argsort(np.array(numbers, dtype=np.float64))).astype(np.float64)
    return np.asarray((ranks - ranks.mean()) / ranks.std())
