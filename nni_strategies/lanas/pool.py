"""Pool mode: the search is over a given list of configurations, as in the paper's NAS-Bench-101 experiments."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nni_strategies.errors import InvalidArgument, InvalidConfiguration
from nni_strategies.space.parameters import Categorical, Codes

if TYPE_CHECKING:
    from nni_strategies.lanas.features import Features
    from nni_strategies.lanas.tree import LatentActionTree, Node
    from nni_strategies.space.search_space import Configuration, SearchSpace

_LARGEST = 1_000_000
_CHUNK = 65_536
_ALLOWED = "a list of configurations, an array of codes [n, n_codes], or a .json, .jsonl or .npy file"


def fingerprint(pool: Any) -> Any:
    """Return what stands for a pool in a journal's header: None, a file's name, or the hash of the data."""
    if pool is None or isinstance(pool, str):
        return pool
    if isinstance(pool, Path):
        return str(pool)
    if isinstance(pool, np.ndarray):
        digest = hashlib.sha256(np.ascontiguousarray(pool, dtype=np.float64).tobytes()).hexdigest()
    else:
        digest = hashlib.sha256(json.dumps(list(pool), sort_keys=True, default=str).encode()).hexdigest()
    return {"size": len(pool), "sha256": digest}


def load_pool(pool: Any, space: SearchSpace) -> tuple[Codes, list[Configuration] | None]:
    """Return the codes ``[n, n_codes]`` of a pool, without repetitions, in the given order.

    Beside them are the configurations as they were given; None where codes were given.

    Raises
    ------
    InvalidArgument
        The file cannot be read, the shape is wrong, a member is not of the space, or there are more than a million.
    """
    data = _read(Path(pool)) if isinstance(pool, (str, Path)) else pool
    if isinstance(data, np.ndarray):
        codes = _checked_codes(data, space)
    elif isinstance(data, (list, tuple)):
        codes = _encoded(data, space)
    else:
        given = pool if data is pool else str(pool)
        raise InvalidArgument("pool", given, f"{_ALLOWED}, not {type(data).__name__}")
    if not 1 <= len(codes) <= _LARGEST:
        raise InvalidArgument("pool", len(codes), f"1 to {_LARGEST} configurations")
    _, first = np.unique(codes, axis=0, return_index=True)
    first.sort()
    return codes[first], None if isinstance(data, np.ndarray) else [dict(data[i]) for i in first]


def _read(path: Path) -> Any:
    try:
        if path.suffix == ".npy":
            return np.load(path, allow_pickle=False)
        text = path.read_text()
        return json.loads(text) if path.suffix == ".json" else [json.loads(line) for line in text.splitlines() if line]
    except OSError as error:
        found = f"{path.absolute()}: {error.strerror}"  # NNI runs a tuner elsewhere than where it was started
        raise InvalidArgument("pool", str(path), f"{_ALLOWED}; {found}") from None
    except (ValueError, EOFError, RecursionError) as error:
        raise InvalidArgument("pool", str(path), f"{_ALLOWED}: {error}") from None


def _encoded(members: list[Any] | tuple[Any, ...], space: SearchSpace) -> Codes:
    for i, configuration in enumerate(members):
        try:
            space.validate(configuration)
        except InvalidConfiguration as error:
            raise InvalidArgument(f"pool[{i}].{error.field}", error.value, error.allowed) from None
    return space.encode(members)


def _checked_codes(data: npt.NDArray[Any], space: SearchSpace) -> Codes:
    if data.ndim != 2 or data.shape[1] != space.n_codes or data.dtype.kind not in "iuf":
        raise InvalidArgument("pool", list(data.shape), f"numbers of shape [n, {space.n_codes}]")
    codes = data.astype(np.float64)
    simple = all(isinstance(p, Categorical) and p.condition is None for p in space.parameters)
    if simple and not space.constraints:
        sizes = np.array([p.size for p in space.parameters], dtype=np.float64)
        bad = ((codes < 0) | (codes >= sizes) | (codes != np.floor(codes))).any(axis=1)
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise InvalidArgument(f"pool[{row}]", codes[row].tolist(), "indices of the values of each choice")
        return codes
    return _encoded(space.decode(codes), space)


class Pool:
    """Which members are left, and in which leaf each is.

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
        self.left = np.ones(len(codes), dtype=bool)
        self._leaf = np.zeros(len(codes), dtype=np.int32)
        hashes = _row_hashes(codes)
        self._order = np.argsort(hashes, kind="stable")
        self._hashes = hashes[self._order]

    @property
    def n_left(self) -> int:
        """Members that were not proposed."""
        return int(self.left.sum())

    def find(self, codes: Codes) -> npt.NDArray[np.intp]:
        """Return the member each row is, -1 for none, ``[n]``."""
        place = np.minimum(np.searchsorted(self._hashes, _row_hashes(codes)), len(self._order) - 1)
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
        """Send every member down a tree that was learned anew."""
        self._send(tree.root, np.arange(len(self.codes)))

    def _send(self, node: Node, members: npt.NDArray[np.intp]) -> None:
        if node.split is None:
            self._leaf[members] = node.leaves[0]
            return
        chunks = (members[i : i + _CHUNK] for i in range(0, len(members), _CHUNK))
        margins = [node.split.margin(self._features.transform(self.codes[chunk])) for chunk in chunks]
        good = np.concatenate(margins) >= 0 if margins else np.zeros(0, dtype=bool)
        for child, side in zip(node.children, (members[good], members[~good]), strict=True):
            self._send(child, side)

    def inside(self, node: Node) -> npt.NDArray[np.intp]:
        """Return the members left in a node of the routed tree."""
        first, end = node.leaves
        return np.flatnonzero(self.left & (self._leaf >= first) & (self._leaf < end))

    def chosen(self, codes: Codes) -> Codes:
        """Keep the rows that are members left."""
        index = self.find(codes)
        return codes[(index >= 0) & self.left[index]]


def _row_hashes(codes: Codes) -> npt.NDArray[np.uint64]:
    # Multiply-and-add over the bit patterns of the rounded codes; equality is checked afterwards.
    bits = np.ascontiguousarray(np.round(codes, 9) + 0.0).view(np.uint64)
    out = np.zeros(len(codes), dtype=np.uint64)
    for column in range(bits.shape[1]):
        out = (out ^ (bits[:, column] >> np.uint64(17)) ^ bits[:, column]) * np.uint64(0x9E3779B97F4A7C15)
        out ^= out >> np.uint64(29)
    return out
