"""A deterministic objective on the NASNet space, for searches of thousands of queries.

It is synthetic: no network is trained, and nothing about real accuracies can be read from it. It has what makes
such spaces hard for a search: the worth of an operation depends on where its input comes from, pairs of
operations in a node interact, deep and wide cells saturate, unused nodes matter only through the output, and cost
beyond a budget is punished. The definition, for each of the two cells:

- nodes 0 and 1 carry strength 1; node n adds two operations, ``s = gain[o] * strength(input) * late[o, n]``
- ``strength(n) = tanh(0.6 * (s_1 + s_2) + synergy[o_1, o_2])``, and 0.8 of it where both inputs are the same
- the cell is worth the mean strength of its loose ends, plus 0.3 of the largest, plus
  ``0.1 * exp(-(depth - wanted)^2 / 4)`` for its longest path
- its cost is the sum of its operations' costs

``value = 0.65 * normal + 0.35 * reduction - 0.1 * max(0, cost - budget)^2``, where the tables ``gain``, ``late``,
``synergy``, ``wanted`` are drawn once a variant: settings are chosen on variant 0 and reported on others.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from nni_strategies.space.parameters import Categorical
from nni_strategies.space.search_space import Configuration, SearchSpace

# Operation -> cost in units of a 3x3 convolution, from its number of multiply-adds at equal width.
COSTS = {
    "skip_connect": 0.0,
    "conv_3x1_1x3": 0.67,
    "conv_7x1_1x7": 1.56,
    "dil_conv_3x3": 0.13,
    "avg_pool_3x3": 0.0,
    "max_pool_3x3": 0.0,
    "max_pool_5x5": 0.0,
    "max_pool_7x7": 0.0,
    "conv_1x1": 0.11,
    "conv_3x3": 1.0,
    "sep_conv_3x3": 0.26,
    "sep_conv_5x5": 0.29,
    "sep_conv_7x7": 0.34,
}
OPERATIONS = tuple(COSTS)
NODES = range(2, 7)
CELLS = ("normal", "reduce")
BUDGET = 6.0


def space() -> SearchSpace:
    """Return the 40 choices of the hub's NASNet space, inputs as integers: 5.1e33 points."""
    return SearchSpace(
        tuple(
            parameter
            for cell in CELLS
            for node in NODES
            for slot in range(2)
            for parameter in (
                Categorical(f"{cell}/op_{node}_{slot}", OPERATIONS),
                Categorical(f"{cell}/input_{node}_{slot}", tuple(range(node))),
            )
        )
    )


@dataclass(frozen=True)
class SyntheticNASNet:
    """The objective; higher is better.

    Parameters
    ----------
    variant
        Which tables are drawn.
    """

    variant: int = 0
    _tables: tuple[npt.NDArray[np.float64], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng([2007, self.variant])
        n, cost = len(OPERATIONS), np.array(list(COSTS.values()))
        gain = 0.35 + 0.5 * np.sqrt(cost / cost.max()) + rng.normal(0, 0.2, n)
        gain[OPERATIONS.index("skip_connect")] = 0.6
        late = 1 + rng.normal(0, 0.25, (len(CELLS), n, max(NODES) + 1))
        synergy = rng.normal(0, 0.2, (n, n))
        wanted = rng.integers(2, 5, len(CELLS)).astype(np.float64)
        object.__setattr__(self, "_tables", (gain, late, synergy + synergy.T, wanted))

    def __call__(self, configuration: Configuration) -> float:
        """Return the value of a configuration of :func:`space`."""
        (normal, cost_n), (reduction, cost_r) = (self._cell(configuration, i) for i in range(2))
        over = max(0.0, cost_n + cost_r - BUDGET)
        return 0.65 * normal + 0.35 * reduction - 0.1 * over**2

    def _cell(self, configuration: Configuration, which: int) -> tuple[float, float]:
        gain, late, synergy, wanted = self._tables
        cell, cost = CELLS[which], 0.0
        strength, depth, used = [1.0, 1.0], [0, 0], set()
        for node in NODES:
            slots = []
            for slot in range(2):
                o = OPERATIONS.index(configuration[f"{cell}/op_{node}_{slot}"])
                slots.append((o, int(configuration[f"{cell}/input_{node}_{slot}"])))
            (o1, i1), (o2, i2) = slots
            flow = sum(gain[o] * strength[i] * late[which, o, node] for o, i in slots)
            value = float(np.tanh(0.6 * flow + synergy[o1, o2]))
            strength.append(value * (0.8 if i1 == i2 else 1.0))
            depth.append(1 + max(depth[i1], depth[i2]))
            used |= {i1, i2}
            cost += sum(COSTS[OPERATIONS[o]] for o, _ in slots)
        loose = [node for node in NODES if node not in used]
        ends = [strength[node] for node in loose]
        longest = max(depth[node] for node in loose)
        bonus = 0.1 * np.exp(-((longest - wanted[which]) ** 2) / 4)
        return float(np.mean(ends) + 0.3 * max(ends) + bonus), cost
