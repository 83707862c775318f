"""The hyper-parameters of LaNAS, checked before any work starts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from nni_strategies.errors import InvalidArgument
from nni_strategies.lanas.presets import DEFAULTS, PRESETS
from nni_strategies.search.searcher import SearcherConfig

_WORDS: dict[str, tuple[str, ...]] = {
    "initial_design": ("random", "latin_hypercube"),
    "value_transform": ("rank", "minmax", "none"),
    "split": ("ridge", "kmeans_svm", "svm"),
    "svm_kernel": ("rbf", "poly", "linear", "sigmoid"),
    "svm_gamma": ("auto", "scale"),
    "training_route": ("prediction", "actual"),
    "ucb": ("log", "sqrt"),
    "pending": ("count", "constant_liar", "virtual_loss"),
    "on_failure": ("ignore", "worst"),
    "local_sampler": ("gp", "mutation", "uniform"),
}
_INTEGERS: dict[str, tuple[int, int]] = {
    "relearn_every": (1, 1_000_000),
    "height": (1, 64),
    "min_split": (2, 1_000_000),
    "min_leaf": (1, 1_000_000),
    "stagnation": (0, 1_000_000),
    "n_parents": (1, 100_000),
    "n_candidates": (1, 100_000),
    "enough_candidates": (1, 100_000),
    "gp_points": (10, 5_000),
    "gp_fit_points": (5, 5_000),
    "gp_steps": (0, 1_000),
}
_NUMBERS: dict[str, tuple[float, float]] = {
    "relearn_fraction": (0.0, 1.0),
    "ridge_lambda": (1e-12, 1e12),
    "cp": (0.0, 1e12),
}


class _AsPreset:
    """Stands for "as the preset says" until `__post_init__` has looked it up."""

    def __repr__(self) -> str:
        return "<as the preset says>"


AS_PRESET: Any = _AsPreset()


@dataclass(frozen=True)
class LaNASConfig(SearcherConfig):
    """Hyper-parameters of :class:`~nni_strategies.lanas.searcher.LaNASSearcher`; what is not given, the preset says.

    Parameters
    ----------
    preset
        ``default``, ``paper`` (the published algorithm), ``nasbench101``, ``oneshot``, ``distributed`` (constants of
        the official LaNAS experiments), ``lamcts_ackley`` / ``_levy`` / ``_lunar`` / ``_swimmer`` / ``_hopper``.
    n_init
        Blind draws at the start, at most a tenth of a finite space; None for 10, or the
        number of parameters where that is more and there are numbers.
    initial_design
        ``random`` draws from the prior, or a ``latin_hypercube`` (as official LA-MCTS begins) where that is uniform.
    relearn_every, relearn_fraction
        With n results the tree is learned anew every ``max(relearn_every, int(n * relearn_fraction))`` results.
    value_transform
        What the tree learns: ``rank`` (in (0, 1), ties averaged: `cp` is then free of the metric's scale),
        ``minmax`` (in [0, 1]) or ``none`` (raw; set `cp` to about a tenth of the highest metric).
    split
        ``ridge``: linear regression, the threshold is the mean prediction (LaNAS). ``kmeans_svm``: two clusters of
        (features, value), an SVM as their boundary (LA-MCTS). ``svm``: an SVM on values above the median. SVMs are
        slow where there are many results.
    ridge_lambda
        Penalty on the weights of the centred features.
    svm_kernel, svm_gamma
        Handed to scikit-learn's SVC.
    training_route
        ``prediction`` sends results to children by the split's prediction, as regions do; ``actual`` by their value
        against the threshold, as the official LaNAS code does: its nodes then describe other points than they hold.
    height
        Levels of the tree including the root; 1 for no tree.
    min_split, min_leaf
        A node with fewer results than `min_split`, or whose split leaves a side with fewer than `min_leaf`, is a leaf.
    cp
        Exploration constant of the UCB.
    ucb
        ``log`` (LaNAS) or ``sqrt`` (LA-MCTS).
    pending
        How trials under way enter the UCB: ``count`` adds them to the visits (WU-UCT), ``constant_liar`` adds visits
        with their leaf's mean, ``virtual_loss`` adds visits with the lowest value.
    on_failure
        ``ignore`` a failed trial (never proposed again), or learn it as the ``worst`` value so far.
    local_sampler
        Inside the region: ``gp`` (expected improvement of a Gaussian process over mutations of its best and, where
        numbers are searched, a trust region around it), ``mutation`` (a mutation of its best; better with
        `stagnation` 0) or ``uniform`` (the paper).
    histogram
        Whether groups of choices with the same values also enter by how often each value is used.
    histogram_groups
        The groups as lists of labels; None for choices with equal values and labels equal up to numbers or letters.
    quadratic
        Whether numbers also enter the splits squared, so that a region in the middle of a range is one boundary.
    stagnation
        After so many results without a new best, constraints are dropped at random; 0 for never.
    n_parents, n_candidates, enough_candidates
        Parents that are mutated, candidates of one round, and how many surviving ones end the rounds.
    gp_points, gp_fit_points, gp_steps
        Most results in the Gaussian process (half of them the best), in the fit of its hyper-parameters, and
        random-walk steps of a fit (where numbers are searched the fit is by gradients instead).
    pool
        Only these configurations are proposed: a list, an array of codes ``[n, n_codes]``, or a file
        (``.json``, ``.jsonl`` or ``.npy``).

    Raises
    ------
    InvalidArgument
        Naming the field, the value and what is allowed.
    """

    preset: str = "default"
    n_init: int | None = AS_PRESET
    initial_design: str = AS_PRESET
    relearn_every: int = AS_PRESET
    relearn_fraction: float = AS_PRESET
    value_transform: str = AS_PRESET
    split: str = AS_PRESET
    ridge_lambda: float = AS_PRESET
    svm_kernel: str = AS_PRESET
    svm_gamma: str | float = AS_PRESET
    training_route: str = AS_PRESET
    height: int = AS_PRESET
    min_split: int = AS_PRESET
    min_leaf: int = AS_PRESET
    cp: float = AS_PRESET
    ucb: str = AS_PRESET
    pending: str = AS_PRESET
    on_failure: str = AS_PRESET
    local_sampler: str = AS_PRESET
    histogram: bool = AS_PRESET
    histogram_groups: Sequence[Sequence[str]] | None = AS_PRESET
    quadratic: bool = AS_PRESET
    stagnation: int = AS_PRESET
    n_parents: int = AS_PRESET
    n_candidates: int = AS_PRESET
    enough_candidates: int = AS_PRESET
    gp_points: int = AS_PRESET
    gp_fit_points: int = AS_PRESET
    gp_steps: int = AS_PRESET
    pool: Any = AS_PRESET

    def __post_init__(self) -> None:
        if not isinstance(self.preset, str) or self.preset not in PRESETS:
            raise InvalidArgument("preset", self.preset, f"one of {list(PRESETS)}", PRESETS)
        resolved = {**DEFAULTS, **PRESETS[self.preset]}
        for each in fields(self):
            if getattr(self, each.name) is AS_PRESET:
                object.__setattr__(self, each.name, resolved[each.name])
        for name, words in _WORDS.items():
            value = getattr(self, name)
            if name == "svm_gamma" and _is_number(value) and value > 0:
                continue
            if not isinstance(value, str) or value not in words:
                raise InvalidArgument(name, value, f"one of {list(words)}", words)
        for name, (low, high) in _INTEGERS.items():
            _check_integer(name, getattr(self, name), low, high)
        for name, (least, most) in _NUMBERS.items():
            value = getattr(self, name)
            if not _is_number(value) or not least <= value <= most:
                raise InvalidArgument(name, value, f"a number from {least:g} to {most:g}")
        if self.n_init is not None:
            _check_integer("n_init", self.n_init, 1, 1_000_000)
        for name in ("histogram", "quadratic"):
            if not isinstance(getattr(self, name), bool):
                raise InvalidArgument(name, getattr(self, name), "true or false")
        groups = self.histogram_groups
        if groups is not None and not (isinstance(groups, (list, tuple)) and all(map(_is_label_list, groups))):
            raise InvalidArgument("histogram_groups", groups, "a list of lists of labels")

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON types; of a pool its file, or the number of its members."""
        plain = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "pool"}
        groups = self.histogram_groups
        plain["histogram_groups"] = None if groups is None else [list(labels) for labels in groups]
        pool = self.pool
        given = pool is None or isinstance(pool, (str, Path))
        return {**plain, "pool": (pool and str(pool)) if given else {"size": len(pool)}}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_label_list(labels: Any) -> bool:
    return isinstance(labels, (list, tuple)) and all(isinstance(label, str) for label in labels)


def _check_integer(name: str, value: Any, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidArgument(name, value, f"an integer from {low} to {high}")
