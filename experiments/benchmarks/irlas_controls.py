"""Experts that are none, for :mod:`.irlas_benefit`: triples of cells drawn by what is to be ruled out."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from nni_strategies.irlas.prior import ExpertPrior
from nni_strategies.ranks import average_ranks
from nni_strategies.space.parameters import Codes
from nni_strategies.space.search_space import Configuration
from nni_strategies.topology.declared import declared
from nni_strategies.topology.graph import TopologyGraph
from search_spaces.nasbench201 import LABELS, OPERATIONS, load_costs, load_table, search_space

COUNTS = {"random": 20, "cost": 20, "good": 10}

# the experts that are cells of the space, edges 0-1, 0-2, 1-2, 0-3, 1-3, 2-3
_RESNEXT = ("nor_conv_1x1", "none", "nor_conv_3x3", "skip_connect", "none", "nor_conv_1x1")
_RESNET_BASIC = ("nor_conv_3x3", "none", "none", "skip_connect", "nor_conv_3x3", "none")
_CONVOLUTIONS = ((1, 2), (2, 0), (2, 2))  # 3x3 and 1x1 of ResNeXt, ResNet basic, DenseNet


def _codes() -> npt.NDArray[np.int64]:
    return np.indices((len(OPERATIONS),) * len(LABELS)).reshape(len(LABELS), -1).T


def _place(cell: tuple[str, ...]) -> int:
    codes = tuple(OPERATIONS.index(operation) for operation in cell)
    return int(np.ravel_multi_index(codes, (len(OPERATIONS),) * len(LABELS)))


@lru_cache(maxsize=3)
def triples(kind: str) -> list[dict[str, TopologyGraph]]:
    """Return a control's triples of experts: ``random``, ``cost`` or ``good``; each kind has a stream of its own."""
    rng = np.random.default_rng([201, list(COUNTS).index(kind)])
    accuracies = load_table("cifar100").accuracies
    pools = {"random": _random, "cost": _cost, "good": _good}[kind](accuracies)
    return [_experts([int(rng.choice(pool)) for pool in pools]) for _ in range(COUNTS[kind])]


def _random(accuracies: npt.NDArray[np.float64]) -> list[npt.NDArray[np.int64]]:
    low, high = np.quantile(accuracies, [0.45, 0.55])
    return [np.flatnonzero((accuracies >= low) & (accuracies <= high))] * 3


def _cost(accuracies: npt.NDArray[np.float64]) -> list[npt.NDArray[np.int64]]:
    codes = _codes()
    wide, narrow = ((codes == OPERATIONS.index(f"nor_conv_{k}x{k}")).sum(axis=1) for k in (3, 1))
    return [np.flatnonzero((wide == w) & (narrow == n) & (accuracies > 2)) for w, n in _CONVOLUTIONS]


def _good(accuracies: npt.NDArray[np.float64]) -> list[npt.NDArray[np.int64]]:
    known = [accuracies[_place(_RESNEXT)], accuracies[_place(_RESNET_BASIC)]]
    return [np.flatnonzero(np.abs(accuracies - level) <= 0.5) for level in (*known, np.mean(known))]


def _experts(places: list[int]) -> dict[str, TopologyGraph]:
    codes = _codes()[places]
    cells = [dict(zip(LABELS, (OPERATIONS[i] for i in row), strict=True)) for row in codes.tolist()]
    return {f"cell {number}": declared(cell).blocks[0].graph for number, cell in enumerate(cells)}


class ControlPrior(ExpertPrior):
    """The prior's form with the normal score of multiply-adds in place of a similarity to experts."""

    def __init__(self) -> None:
        super().__init__(_CostScores())  # type: ignore[arg-type]  # all that is asked of it

    def stimulus(self, codes: Codes) -> npt.NDArray[np.float64]:
        """Return z of points of the space, ``[n]``."""
        places = np.ravel_multi_index(tuple(codes.astype(np.int64).T), (len(OPERATIONS),) * len(LABELS))
        return _cost_scores()[places]

    def describe(self) -> dict[str, Any]:
        """Return what it is, as JSON types."""
        return {"name": "multiply-adds"}

    def remarks(self, configuration: Configuration) -> dict[str, Any]:
        """Say nothing."""
        return {}


class _CostScores:
    def __init__(self) -> None:
        self.space = search_space()


@lru_cache(maxsize=1)
def _cost_scores() -> npt.NDArray[np.float64]:
    costs = load_costs()
    return np.asarray(ndtri((average_ranks(costs) + 0.5) / len(costs)))
