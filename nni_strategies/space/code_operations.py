"""Vectorised operations on codes ``[n, n_codes]``: encode, decode, draw, mutate, cross, repair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nni_strategies.errors import InvalidSearchSpace
from nni_strategies.space.numerical import Numerical
from nni_strategies.space.parameters import INACTIVE, Codes

if TYPE_CHECKING:
    from nni_strategies.space.search_space import SearchSpace

_MOST_DRAWS = 20_000  # half a second of constraints that look at one configuration at a time


def encode(space: SearchSpace, configurations: Sequence[Mapping[str, Any]]) -> Codes:
    """Return the codes of valid configurations."""
    if len(configurations) == 1:
        return _encode_one(space, configurations[0])
    codes = np.full((len(configurations), space.n_codes), INACTIVE)
    for parameter in space.parameters:
        label, columns = parameter.label, space.columns[parameter.label]
        rows: Any = slice(None)
        if parameter.condition is not None or not all(label in c for c in configurations):
            rows = [row for row, configuration in enumerate(configurations) if label in configuration]
            values = [configurations[row][label] for row in rows]
        else:
            values = [configuration[label] for configuration in configurations]
        if values:
            codes[rows, columns] = parameter.encode_all(values)
    return codes


def _encode_one(space: SearchSpace, configuration: Mapping[str, Any]) -> Codes:
    codes: list[float] = []
    for parameter in space.parameters:
        if parameter.label not in configuration:
            codes.extend([INACTIVE] * parameter.n_codes)
        elif isinstance(parameter, Numerical):  # a vector's last digits may be others than a scalar's
            codes.extend(parameter.encode_all([configuration[parameter.label]])[0])
        else:
            codes.extend(parameter.encode(configuration[parameter.label]))
    return np.array([codes], dtype=np.float64).reshape(1, space.n_codes)


def decode(space: SearchSpace, codes: Codes) -> list[dict[str, Any]]:
    """Return the configurations of codes."""
    out: list[dict[str, Any]] = [{} for _ in range(len(codes))]
    for parameter in space.parameters:
        label, columns = parameter.label, space.columns[parameter.label]
        active = codes[:, columns.start] != INACTIVE if parameter.condition is not None else None
        if active is None:
            for configuration, value in zip(out, parameter.decode_all(codes[:, columns]), strict=True):
                configuration[label] = value
        else:
            rows = np.flatnonzero(active)
            for row, value in zip(rows.tolist(), parameter.decode_all(codes[rows, columns]), strict=True):
                out[row][label] = value
    return out


def sample(space: SearchSpace, rng: np.random.Generator, n: int) -> Codes:
    """Draw `n` points; fewer only where constraints reject nearly all of 20,000 draws.

    Raises
    ------
    InvalidSearchSpace
        None of them satisfied the constraints.
    """
    found: list[Codes] = []
    n_found = drawn = 0
    batch = n
    while True:
        codes = np.hstack([parameter.sample_codes(rng, batch) for parameter in space.parameters])
        found.append(space.only_valid(space.repair(codes, rng)))
        n_found, drawn = n_found + len(found[-1]), drawn + batch
        if n_found >= n or drawn >= _MOST_DRAWS:
            break
        batch = min(2 * batch, _MOST_DRAWS - drawn, 4096)
    if n and not n_found:
        constraints = space.describe()["constraints"]
        raise InvalidSearchSpace("constraints", constraints, "satisfiable by random draws")
    return np.vstack(found)[:n]


def mutate(space: SearchSpace, codes: Codes, rng: np.random.Generator, n_changes: int) -> Codes:
    """Change `n_changes` active parameters in each row (all of them where there are fewer)."""
    starts = [space.columns[label].start for label in space.labels]
    movable = np.array([parameter.size != 1 for parameter in space.parameters])
    noise = np.where((codes[:, starts] != INACTIVE) & movable, rng.random((len(codes), len(starts))), -1.0)
    order = np.argsort(-noise, axis=1)[:, :n_changes]
    chosen = np.zeros(noise.shape, dtype=bool)
    np.put_along_axis(chosen, order, True, axis=1)
    chosen &= noise >= 0
    out = codes.copy()
    for i in np.flatnonzero(chosen.any(axis=0)).tolist():
        rows, columns = np.flatnonzero(chosen[:, i]), space.columns[space.labels[i]]
        out[rows, columns] = space.parameters[i].mutate_codes(codes[rows, columns], rng)
    return out


def cross(space: SearchSpace, mothers: Codes, fathers: Codes, rng: np.random.Generator) -> Codes:
    """Take each parameter from one of two parents."""
    take = rng.random((len(mothers), len(space.parameters))) < 0.5
    mask = np.repeat(take, [parameter.n_codes for parameter in space.parameters], axis=1)
    return np.where(mask, mothers, fathers)


def repair(space: SearchSpace, codes: Codes, rng: np.random.Generator) -> Codes:
    """Switch off what the conditions switch off, and draw what they switch on."""
    codes = codes.copy()
    for label, source, wanted in space.switches:
        active, columns = (codes[:, source, None] == wanted).any(axis=1), space.columns[label]
        fresh = active & (codes[:, columns.start] == INACTIVE)
        if fresh.any():
            codes[fresh, columns] = space[label].sample_codes(rng, int(fresh.sum()))
        codes[~active, columns] = INACTIVE
    return codes
