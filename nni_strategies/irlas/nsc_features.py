r"""Features of NSC blocks and their discounted counts.

A block is a sequence of layers (index, type, kernel, pred1, pred2), see ``topology.nsc``. One step has features
phi(s), and a window of four steps the features of the step and of the three before it, zeros before the first. The
feature counts of a block of L steps are

    mu(b) = sum over t = 0..L-1 of gamma^t phi(s_t),   gamma = 0.9,

and a linear reward is F(b) = w.mu(b). Three kinds of features, each with and without the window:

    nsc_raw      the five numbers of the tuple: 5, or 20 with the window (IRLAS, the paper's form as reconstructed)
    nsc_onehot   type (7), kernel (4), first and second predecessor (5 each), each one-hot: 21, or 84
    nsc_joint    which of the possible types, kernels and predecessors, taken together: 63, or 252

Predecessors are told apart as input, one, two, three, four and more steps back: absolute numbers do not carry over
from one place in the block to another. A second predecessor that an operation does not have is no one's.

In the window the step t - k of a discounted sum is the step u of another, so the window's counts need no window:

    mu_k = sum over t of gamma^t phi(s_(t-k)) = gamma^k sum over u < L - k of gamma^u phi(s_u).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from nni_strategies.errors import InvalidArgument
from nni_strategies.topology.nsc import JOINING, KERNELS, TERMINAL, TYPES, Block

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

GAMMA = 0.9

_WINDOW = 4
_KERNELS = (0, 1, 3, 5)
_N_PLACES = 5


def _joint_columns() -> Integers:
    """Return the column of each type, kernel, first and second place, ``[8, 4, 5, 5]``; -1 where there is none."""
    columns = np.full((len(TYPES) + 1, len(_KERNELS), _N_PLACES, _N_PLACES), -1)
    far = _N_PLACES - 1
    # of two that are joined the first is the later one
    pairs = [(p, q) for p in range(1, far + 1) for q in range(far + 1) if q == 0 or q > p or q == p == far]
    for kind in range(1, len(TYPES) + 1):
        single = [(p, 0) for p in range(1 if kind == TERMINAL else _N_PLACES)]
        for kernel in KERNELS.get(kind, (0,)):
            for places in pairs if kind in JOINING else single:
                columns[(kind, _KERNELS.index(kernel), *places)] = columns.max() + 1
    return columns


_JOINT = _joint_columns()
_SIZES = {"raw": 5, "onehot": len(TYPES) + len(_KERNELS) + 2 * _N_PLACES, "joint": int(_JOINT.max()) + 1}
FEATURES = tuple(f"nsc_{kind}{window}" for kind in _SIZES for window in ("", "_window"))


@dataclass(frozen=True)
class BlockArray:
    """Many blocks as one array.

    Parameters
    ----------
    steps
        The layers, ``[n, n_steps, 5]``; zeros after the end of a block.
    lengths
        Number of layers of each block, a terminal included, ``[n]``.
    """

    steps: Integers
    lengths: Integers

    def __len__(self) -> int:
        return len(self.lengths)

    @classmethod
    def of(cls, blocks: Sequence[Block]) -> BlockArray:
        """Return the array of blocks that were parsed (``topology.nsc.parse_block``)."""
        lengths = np.array([len(block) for block in blocks], dtype=np.int64)
        there = np.arange(lengths.max(initial=0)) < lengths[:, None]
        steps = np.zeros((*there.shape, 5), dtype=np.int64)
        flat = np.fromiter(chain.from_iterable(chain.from_iterable(blocks)), dtype=np.int64)
        steps[there] = flat.reshape(-1, 5)
        return cls(steps, lengths)


@dataclass(frozen=True)
class NSCFeatures:
    """One kind of features.

    Parameters
    ----------
    name
        One of :data:`FEATURES`.
    gamma
        The discount of a step, above 0, at most 1.

    Raises
    ------
    InvalidArgument
        Another name or discount.
    """

    name: str
    gamma: float = GAMMA

    def __post_init__(self) -> None:
        if self.name not in FEATURES:
            raise InvalidArgument("features", self.name, f"one of {list(FEATURES)}", FEATURES)
        if not 0.0 < self.gamma <= 1.0:
            raise InvalidArgument("gamma", self.gamma, "a number above 0 and at most 1")

    @property
    def window(self) -> int:
        """Number of steps in the window."""
        return _WINDOW if self.name.endswith("_window") else 1

    @property
    def step_size(self) -> int:
        """Number of features of one step."""
        return _SIZES[self._kind]

    @property
    def size(self) -> int:
        """Number of feature counts of a block."""
        return self.window * self.step_size

    @property
    def _kind(self) -> str:
        return self.name.split("_")[1]

    def step_features(self, steps: Integers) -> Array:
        """Return phi of single steps without their window, ``[n, step_size]``, of ``[n, 5]``."""
        columns, values = self._entries(steps)
        phi = np.zeros((len(steps), self.step_size))
        np.add.at(phi, (np.arange(len(steps))[:, None], columns), values)
        return phi

    def counts(self, blocks: BlockArray) -> Array:
        """Return mu, ``[n, size]``."""
        n, n_steps = blocks.steps.shape[:2]
        columns, values = self._entries(blocks.steps)
        places = columns + (np.arange(n) * self.step_size)[:, None, None]
        values = values * self.discounts(n_steps)[:, None]
        parts = []
        for k in range(self.window):
            there = np.arange(n_steps) < blocks.lengths[:, None] - k
            summed = np.bincount(places[there].ravel(), values[there].ravel(), n * self.step_size)
            parts.append(self.gamma**k * summed.reshape(n, self.step_size))
        return np.concatenate(parts, axis=1)

    def discounts(self, n_steps: int) -> Array:
        """Return gamma^t, ``[n_steps]``."""
        return np.asarray(self.gamma ** np.arange(n_steps))

    def rewards_by_rest(self, weights: Array) -> Array:
        """Return what phi of one step is multiplied with, ``[window, step_size]``.

        Row r is for a step that is followed by r others, the last row for one followed by at least as many: it is
        in the window of that many later steps, hence sum over k <= r of gamma^k w_k.
        """
        parts = weights.reshape(self.window, self.step_size)
        return np.asarray(np.cumsum(parts * self.discounts(self.window)[:, None], axis=0))

    def _entries(self, steps: Integers) -> tuple[Integers, Array]:
        """Return the columns of phi that a step fills and what with, each ``[..., m]``.

        The zeros after a block's end get any columns: they are not counted.
        """
        if self._kind == "raw":
            return np.broadcast_to(np.arange(5), steps.shape), steps.astype(np.float64)
        index, kind, kernel, first, second = np.moveaxis(steps, -1, 0)
        kernel = np.searchsorted(_KERNELS, kernel)
        joins = np.isin(kind, JOINING)
        first, second = _place(index, first), np.where(joins, _place(index, second), 0)
        if self._kind == "joint":
            columns = np.maximum(_JOINT[kind, kernel, first, second], 0)[..., None]
            return columns, np.ones(columns.shape)
        starts = np.cumsum((0, len(TYPES), len(_KERNELS), _N_PLACES))
        columns = np.stack([np.maximum(kind - 1, 0), kernel, first, second], axis=-1) + starts
        values = np.ones(columns.shape)
        values[..., 3] = joins
        return columns, values


def _place(index: Integers, predecessor: Integers) -> Integers:
    """Return where a predecessor is: 0 the input, else the steps back, 4 for four and more."""
    return np.where(predecessor == 0, 0, np.clip(index - predecessor, 1, _N_PLACES - 1))
