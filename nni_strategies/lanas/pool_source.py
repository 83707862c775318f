"""Where a pool comes from: a list, an array of codes or a file, read and checked before a search begins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nni_strategies.errors import InvalidArgument, InvalidConfiguration
from nni_strategies.lanas.candidates import CODE_DIGITS, row_hashes
from nni_strategies.space.parameters import Categorical, Codes
from nni_strategies.space.search_space import Configuration, SearchSpace

_LARGEST = 1_000_000
_ALLOWED = "a list of configurations, an array of codes [n, n_codes], or a .json, .jsonl or .npy file"


def load_pool(pool: Any, space: SearchSpace) -> tuple[Codes, list[Configuration] | None]:
    """Return the codes ``[n, n_codes]`` of a pool, without repetitions, in the given order.

    Beside them are the configurations as they were given; None where codes were given.

    Raises
    ------
    InvalidArgument
        The file cannot be read, the shape is wrong, a member is not of the space, two members cannot be told apart, or
        there are more than a million.
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
    first, same = _twins(codes)
    if not isinstance(data, np.ndarray):
        _check_distinct(data, first[same], space)
    first.sort()
    return codes[first], None if isinstance(data, np.ndarray) else [dict(data[i]) for i in first]


def _twins(codes: Codes) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the first of each set of equal rows, and for each row the number of its set."""
    _, first, same = np.unique(row_hashes(codes)[:, 0], return_index=True, return_inverse=True)  # rows sort slowly
    if (np.abs(codes[first[same]] - codes) >= 10.0**-CODE_DIGITS).any():  # a collision
        _, first, same = np.unique(np.round(codes, CODE_DIGITS), axis=0, return_index=True, return_inverse=True)
    return first, same.reshape(-1)


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


def _check_distinct(members: Any, twins: Any, space: SearchSpace) -> None:
    """Refuse different members with one code: a search would take them for the same."""
    for i in np.flatnonzero(twins != np.arange(len(twins))):
        twin = int(twins[i])
        if space.key(members[i]) != space.key(members[twin]):
            allowed = (
                f"told apart from pool[{twin}]: their numbers are too close for the range of their parameter, "
                "or too far out in its tail"
            )
            raise InvalidArgument(f"pool[{i}]", dict(members[i]), allowed)


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
