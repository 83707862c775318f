"""Search spaces from any ``nni.nas`` model space, and samples that NNI accepts from their configurations.

``Mutable.simplify()`` lists a model space's dimensions: ``Categorical``, ``CategoricalMultiple``, ``Numerical``,
constraints, and annotations that add nothing. A NAS-Bench-101 cell has up to seven nodes, a `Repeat` up to so many
blocks: what describes those it does not use is switched off here by a condition, so that equal networks are equal
configurations, while NNI wants a value for every label. :class:`ModelSpaceView` therefore translates both ways.

A model space whose conditions are others says so itself: a method ``own_search_space()`` of its module returns a
:class:`SearchSpace` over the same labels and values, whose ``normal_form`` makes a point of any sample of NNI's.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from nni import mutable as nni_mutable

from nni_strategies.errors import InvalidSearchSpace
from nni_strategies.space.constrained import CodeConstraint, ConstrainedSpace, rows_where
from nni_strategies.space.nasbench101 import CellConstraint
from nni_strategies.space.nni_numerical import distribution_of
from nni_strategies.space.nni_usage import module_of, usage_conditions
from nni_strategies.space.parameters import Categorical, Codes, Condition, Numerical, Parameter, Subset, canonical
from nni_strategies.space.search_space import Configuration, SearchSpace
from nni_strategies.space.weighted import WeightedCategorical, WeightedSubset

Sample = dict[str, Any]


def space_from_model_space(model_space: Any) -> SearchSpace:
    """Return the search space of any ``nni.nas`` model space (or any other ``nni.mutable.Mutable``).

    Raises
    ------
    InvalidSearchSpace
        No dimension, a kind of dimension that is not known, values that are no JSON types, or an
        ``own_search_space()`` over other labels or values.
    """
    return ModelSpaceView(model_space).space


class ModelSpaceView:
    """A model space, seen as a :class:`SearchSpace`.

    Parameters
    ----------
    model_space
        Any object with NNI's ``simplify()``.

    Attributes
    ----------
    space
        Its search space.

    Raises
    ------
    InvalidSearchSpace
        See :func:`space_from_model_space`.
    """

    def __init__(self, model_space: Any) -> None:
        leaves: dict[str, Any] = model_space.simplify()
        parameters: dict[str, Parameter] = {}
        constraints: list[CodeConstraint] = []
        self._values: dict[str, dict[str, Any]] = {}
        self._fillers: Sample = {}
        for label, leaf in leaves.items():
            if isinstance(leaf, nni_mutable.Constraint):
                constraints.append(_constraint(leaf, self))
            elif not isinstance(leaf, nni_mutable.MutableAnnotation):
                parameters[label] = _parameter(label, leaf)
                self._values[label] = {canonical(_json(label, v)): v for v in getattr(leaf, "values", ())}
                self._fillers[label] = _filler(leaf)
        for leaf in leaves.values():
            if _is_nasbench101(leaf):
                _switch_off_unused_nodes(leaf, parameters)
        module = module_of(model_space)
        for label, condition in usage_conditions(module, parameters).items():
            if parameters[label].condition is None:
                parameters[label] = replace(parameters[label], condition=condition)
        self._own: SearchSpace | None = _own_space(module, parameters)
        self.space: SearchSpace = self._own or ConstrainedSpace(_parents_first(parameters), tuple(constraints))

    def sample(self, configuration: Mapping[str, Any]) -> Sample:
        """Return what NNI freezes a model with: every label, NNI's own value objects.

        Labels that `configuration` does not have (nodes that are not used) get their first value.
        """
        sample: Sample = {}
        for label, filler in self._fillers.items():
            if label not in configuration:
                sample[label] = list(filler) if isinstance(filler, list) else filler
                continue
            value, own = configuration[label], self._values[label]
            if isinstance(self.space[label], Subset):
                sample[label] = [own[canonical(_json(label, v))] for v in value]
            else:
                sample[label] = own[canonical(_json(label, value))] if own else value
        return sample

    def configuration(self, sample: Mapping[str, Any]) -> Configuration:
        """Undo :meth:`sample`; labels that are not of the space (NNI adds some) are left out."""
        if self._own is not None:
            own = [label for label in self.space.labels if label in sample]
            return self._own.normal_form({label: _json(label, sample[label]) for label in own})
        configuration: Configuration = {}
        for parameter in self.space.parameters:
            condition = parameter.condition
            active = condition is None or (
                condition.label in configuration and configuration[condition.label] in condition.values
            )
            if active and parameter.label in sample:
                configuration[parameter.label] = _json(parameter.label, sample[parameter.label])
        return configuration


def _own_space(module: Any, parameters: Mapping[str, Parameter]) -> SearchSpace | None:
    ask = getattr(module, "own_search_space", None)
    if not callable(ask):
        return None
    own: SearchSpace = ask()
    if {p.label: list(p.values()) for p in own.parameters} != {p.label: list(p.values()) for p in parameters.values()}:
        raise InvalidSearchSpace("own_search_space", sorted(own.labels), f"labels and values of {sorted(parameters)}")
    return own


@dataclass(frozen=True)
class _MutableConstraint:
    """Any other constraint of NNI's, asked by way of the sample."""

    mutable: Any
    view: ModelSpaceView

    def violation(self, configuration: Configuration) -> str | None:
        try:
            problem = self.mutable.check_contains(self.view.sample(configuration))
        except Exception as error:  # user code, and NNI's own checks raise for some values
            problem = error
        return None if problem is None else str(problem) or type(problem).__name__

    def valid_codes(self, space: SearchSpace, codes: Codes) -> npt.NDArray[np.bool_]:
        return rows_where(space, codes, self.violation)

    def describe(self) -> Any:
        kind = type(self.mutable)
        described = {"constraint": f"{kind.__module__}.{kind.__qualname__}", "label": self.mutable.label}
        expression = getattr(self.mutable, "expression", None)
        if expression is not None:
            return {**described, "expression": repr(expression)}
        return {**described, "over": sorted(label for label in self.mutable.simplify() if label != self.mutable.label)}


def _constraint(leaf: Any, view: ModelSpaceView) -> CodeConstraint:
    if not _is_nasbench101(leaf):
        return _MutableConstraint(leaf, view)
    # NNI logs two lines at info level for each cell it builds.
    logging.getLogger(type(leaf).__module__).setLevel(logging.WARNING)
    return CellConstraint(leaf.num_nodes.label, tuple(i.label for i in leaf.inputs), leaf.max_num_edges)


def _is_nasbench101(leaf: Any) -> bool:
    # By name: importing the class would import torch and the whole hub.
    return type(leaf).__name__ == "NasBench101CellConstraint"


def _switch_off_unused_nodes(leaf: Any, parameters: dict[str, Parameter]) -> None:
    counts = parameters[leaf.num_nodes.label]
    # Node i has inputs when there are more than i nodes, an operation when it is not the last of them.
    for extra, mutables in ((1, leaf.inputs), (2, leaf.operations)):
        for i, mutable in enumerate(mutables, start=1):
            using = tuple(n for n in counts.values() if n >= i + extra)
            if len(using) < int(counts.size or 0):
                condition = Condition(counts.label, using)
                parameters[mutable.label] = replace(parameters[mutable.label], condition=condition)


def _parents_first(parameters: Mapping[str, Parameter]) -> tuple[Parameter, ...]:
    parents = {p.condition.label for p in parameters.values() if p.condition is not None}

    def rank(parameter: Parameter) -> tuple[int, bool]:
        depth, above = 0, parameter.condition
        while above is not None:
            depth, above = depth + 1, parameters[above.label].condition
        return depth, parameter.label not in parents

    return tuple(sorted(parameters.values(), key=rank))  # stable


def _parameter(label: str, leaf: Any) -> Parameter:
    if isinstance(leaf, nni_mutable.Numerical):
        return Numerical(label, distribution_of(label, leaf))
    if not isinstance(leaf, (nni_mutable.Categorical, nni_mutable.CategoricalMultiple)):
        allowed = "Categorical, CategoricalMultiple, Numerical, a constraint or an annotation"
        raise InvalidSearchSpace(label, type(leaf).__name__, allowed)
    choices = tuple(_json(label, value) for value in leaf.values)
    weights = tuple(float(weight) for weight in leaf.weights)
    if isinstance(leaf, nni_mutable.Categorical):
        equal = len(set(weights)) == 1
        return Categorical(label, choices) if equal else WeightedCategorical(label, choices, (), weights)
    usual = {0.5} if leaf.n_chosen is None else {1 / len(choices)}
    if set(weights) == usual:
        return Subset(label, choices, leaf.n_chosen)
    return WeightedSubset(label, choices, leaf.n_chosen, weights)


def _filler(leaf: Any) -> Any:
    if isinstance(leaf, nni_mutable.CategoricalMultiple):
        return list(leaf.values[: leaf.n_chosen or 0])
    return leaf.values[0] if isinstance(leaf, nni_mutable.Categorical) else leaf.default({})


def _json(label: str, value: Any) -> Any:
    """Return `value` in JSON types: tuples become lists, numpy scalars Python numbers."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (list, tuple, range)):
        return [_json(label, item) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _json(label, item) for key, item in value.items()}
    if value is None or isinstance(value, (str, bool, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise InvalidSearchSpace(label, value, "values of JSON types (numbers, strings, lists, dictionaries)")
