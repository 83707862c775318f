"""Pool mode: the search is over a given list of configurations, as in the paper's NAS-Bench-101 experiments."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from nni_strategies.lanas.additive import AdditiveMargins
from nni_strategies.lanas.candidates import row_hashes
from nni_strategies.lanas.features import Features
from nni_strategies.lanas.splits import LinearSplit, Split
from nni_strategies.lanas.tree import LatentActionTree, Node
from nni_strategies.space.parameters import Codes
from nni_strategies.space.search_space import Configuration

_CHUNK = 65_536

_Key = tuple[tuple[int, bool], ...]


class Pool:
    """Which members are left, and which of them are inside a region.

    Parameters
    ----------
    codes
        The members, all different, ``[n, n_codes]``.
    features
        Codes -> features.
    configurations
        The members as they were given; decoded when None (numbers then differ by rounding).
    """

    def __init__(
        self, codes: Codes, features: Features, configurations: list[Configuration] | None = None
    ) -> None:
        self.codes = codes
        self._configurations = configurations
        self._features = features
        self._additive = AdditiveMargins(codes, features) if AdditiveMargins.fits(features) else None
        self.left = np.ones(len(codes), dtype=bool)
        self._inside: dict[_Key, npt.NDArray[np.intp]] = {(): np.arange(len(codes))}
        self._tree: LatentActionTree | None = None
        hashes = row_hashes(codes)[:, 0]
        self._order = np.argsort(hashes, kind="stable")
        self._hashes = hashes[self._order]

    def describe(self) -> dict[str, Any]:
        """Return its size and the hash of its members, as JSON types."""
        return {"size": len(self.codes), "sha256": hashlib.sha256(np.ascontiguousarray(self.codes).data).hexdigest()}

    @property
    def n_left(self) -> int:
        """Members that were not proposed."""
        return int(self.left.sum())

    def find(self, codes: Codes) -> npt.NDArray[np.intp]:
        """Return the member each row is, -1 for none, ``[n]``."""
        place = np.minimum(np.searchsorted(self._hashes, row_hashes(codes)[:, 0]), len(self._order) - 1)
        index = self._order[place]
        return np.where((np.abs(self.codes[index] - codes) < 1e-9).all(axis=1), index, -1)

    def configuration(self, codes: Codes) -> Configuration:
        """Return the member that a row ``[1, n_codes]`` is."""
        if self._configurations is None:
            return self._features.space.decode(codes)[0]
        return dict(self._configurations[int(self.find(codes)[0])])

    def take(self, codes: Codes) -> None:
        """Cross out the members among rows ``[n, n_codes]``."""
        index = self.find(codes)
        self.left[index[index >= 0]] = False

    def route(self, tree: LatentActionTree) -> None:
        """Send every member left down a tree that was learned anew, as far as it is asked for."""
        self._tree = tree  # alive, so that the ids of its splits stay its own
        self._inside = {(): np.flatnonzero(self.left)}

    def inside(self, node: Node) -> npt.NDArray[np.intp]:
        """Return the members left in a node of the routed tree."""
        members = self._members(node.path)
        return members[self.left[members]]

    def _members(self, path: tuple[tuple[Split, bool], ...]) -> npt.NDArray[np.intp]:
        if _key(path) not in self._inside:
            above, split = self._members(path[:-1]), path[-1][0]
            good = self._margin(split, above) >= 0
            self._inside[_key((*path[:-1], (split, True)))] = above[good]
            self._inside[_key((*path[:-1], (split, False)))] = above[~good]
        return self._inside[_key(path)]

    def _margin(self, split: Split, members: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        if self._additive is not None and isinstance(split, LinearSplit):
            return self._additive.margin(split, members)
        chunks = [members[i : i + _CHUNK] for i in range(0, len(members), _CHUNK)]
        return np.concatenate(
            [np.zeros(0), *(split.margin(self._features.transform(self.codes[chunk])) for chunk in chunks)]
        )

    def chosen(self, codes: Codes) -> Codes:
        """Keep the rows that are members left."""
        index = self.find(codes)
        return codes[(index >= 0) & self.left[index]]


def _key(path: tuple[tuple[Split, bool], ...]) -> _Key:
    return tuple((id(split), good) for split, good in path)
