"""What an architecture of a space may become, whatever kind of space it is: a model space of NNI's, or labels alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nni_strategies.errors import InvalidArgument, InvalidConfiguration
from nni_strategies.nat.edge_views import edge_view
from nni_strategies.nat.genotypes import Architecture, DartsGenotype
from nni_strategies.nat.label_transitions import given_costs, made_transitions
from nni_strategies.nat.live_costs import CostMode
from nni_strategies.nat.operation_classes import classes_by_name
from nni_strategies.nat.rules import Rule
from nni_strategies.nat.transitions import CostRule, Transitions
from nni_strategies.space.parameters import Subset
from nni_strategies.space.search_space import Configuration, SearchSpace
from nni_strategies.topology.cells import NODE_LABEL

INPUT_SHAPE = (3, 32, 32)


@dataclass(frozen=True)
class SpaceMoves:
    """The transitions of a space.

    Parameters
    ----------
    transitions
        What may become what, and what it costs.
    samples
        What translates NNI's samples; None where configurations are all there is.
    model_space
        NNI's, where there is one.
    """

    transitions: Transitions
    samples: Any = None
    model_space: Any = None

    @property
    def space(self) -> SearchSpace:
        """The search space."""
        return self.transitions.view.space

    def read(self, sample: Architecture) -> dict[str, Any]:
        """Return a sample, or a genotype's, checked.

        An input of NNI's cells may be a number in place of a list of one.
        Labels that a model space lacks are passed on, as NNI does, unless one is missing or they are of more nodes.

        Raises
        ------
        InvalidArgument
            It is not of the space; with NNI's own words, where there are any, and the nearest label or value. Or the
            output of a genotype is of other nodes than that of a model space's cells.
        """
        if isinstance(sample, DartsGenotype):
            if self.model_space is not None:
                from nni_strategies.nat.model_space.merges import check_merge  # loads nni.nas, as the space did

                check_merge(self.model_space, sample)
            sample = sample.sample
        if not isinstance(sample, Mapping):
            raise InvalidArgument("architecture", sample, "a dictionary label -> value")
        labels = [p.label for p in self.space.parameters if p.condition is None]
        missing = [label for label in labels if label not in sample]
        for label in sample:
            if missing and label not in self.space.labels:
                allowed = f"labels of the space; there is none for {missing[0]}"
                raise InvalidArgument("architecture", label, allowed, self.space.labels)
        if missing:
            raise InvalidArgument("architecture", list(sample), f"a value for {missing[0]}, too")
        if more := [label for label in sample if label not in self.space.labels and NODE_LABEL.fullmatch(label)]:
            raise InvalidArgument("architecture", more[0], "labels of the space, whose cells have fewer nodes")
        one = [p.label for p in self.space.parameters if isinstance(p, Subset) and p.n_chosen == 1]
        listed = {label: [v] if label in one and type(v) is int else v for label, v in sample.items()}
        try:
            self.space.validate(self.configuration(listed))
        except InvalidConfiguration as error:
            raise self._told(error, listed) from None
        return listed

    def _told(self, error: InvalidConfiguration, sample: Mapping[str, Any]) -> InvalidArgument:
        problem = None if self.model_space is None else self.model_space.check_contains(sample)
        words = "" if problem is None else f" ({type(problem).__name__}: {str(problem).splitlines()[0]})"
        names = [error.nearest] if error.nearest else []
        return InvalidArgument(f"architecture[{error.field}]", error.value, error.allowed + words, names)

    def configuration(self, sample: Mapping[str, Any]) -> Configuration:
        """Return a sample as a configuration; labels that NNI adds to its samples are left out."""
        return dict(sample) if self.samples is None else self.samples.configuration(sample)

    def sample(self, configuration: Mapping[str, Any]) -> dict[str, Any]:
        """Return what NNI builds the network of."""
        return dict(configuration) if self.samples is None else self.samples.sample(configuration)


def moves_of_space(
    space: Any,
    rule: Rule = "cost",
    cost_rule: CostRule = "strict",
    cost_mode: CostMode = "nominal",
    *,
    op_classes: Mapping[str, str] | None = None,
    input_shape: Sequence[int] = INPUT_SHAPE,
    costs: Mapping[str, Sequence[int]] | None = None,
) -> SpaceMoves:
    """Return the transitions of a space.

    Parameters
    ----------
    space
        A model space of ``nni.nas``, whose modules tell what operations are and cost; or a search space, whose labels
        and names do (:mod:`.edge_views`).
    rule, cost_rule, cost_mode
        See :class:`~.transitions.Transitions`.
    op_classes
        The user's word: operation, or ``label:operation``, -> ``O``, ``S`` or ``N``.
    input_shape
        One input of a model space's network, without the batch.
    costs
        (MAdds, parameters) by operation, for a search space.

    Raises
    ------
    InvalidArgument
        No space, one without edges to transform, with constraints or with costs that do not add up, an unknown rule or
        class, or under ``strict`` a search space with an operation whose costs are not given.
    """
    if not isinstance(space, SearchSpace) and not callable(getattr(space, "simplify", None)):
        raise InvalidArgument("space", space, "a model space of nni.nas, or a SearchSpace")
    if not isinstance(space, SearchSpace):
        return _of_model_space(space, (rule, cost_rule, cost_mode), op_classes, input_shape)
    view = edge_view(space)
    classes = classes_by_name(view, op_classes)
    table = given_costs(view, classes, costs, cost_rule)
    return SpaceMoves(made_transitions(view, classes, table, rule, cost_rule, cost_mode))


def _of_model_space(
    space: Any,
    rules: tuple[Rule, CostRule, CostMode],
    op_classes: Mapping[str, str] | None,
    input_shape: Sequence[int],
) -> SpaceMoves:
    from nni_strategies.nat.model_space import MeasuredCosts, classes_of_modules, edges_of_model_space

    edges = edges_of_model_space(space)
    classes = classes_of_modules(edges, op_classes)
    transitions = made_transitions(edges.view, classes, MeasuredCosts(edges, input_shape), *rules)
    return SpaceMoves(transitions, edges.samples, space)
