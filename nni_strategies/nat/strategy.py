"""NAT for `nni.nas`: the exploration strategy of a ``NasExperiment``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, cast

from nni_strategies.bridge.strategy import StudyStrategy
from nni_strategies.errors import InvalidArgument
from nni_strategies.nat import policy_file
from nni_strategies.nat.config import NATConfig
from nni_strategies.nat.cost_table import CostTable
from nni_strategies.nat.label_transitions import given_costs, made_transitions
from nni_strategies.nat.model_space import MeasuredCosts, ModelEdges, classes_of_modules, edges_of_model_space
from nni_strategies.nat.moves_of_space import SpaceMoves
from nni_strategies.nat.operation_classes import OperationClasses
from nni_strategies.nat.searcher import NATSearcher
from nni_strategies.nat.transformation import Transformation
from nni_strategies.search.searcher import Searcher
from nni_strategies.space.from_nni import ModelSpaceView
from nni_strategies.space.search_space import SearchSpace


class NAT(StudyStrategy):
    """NAT as an NNI exploration strategy.

    Keyword arguments are ``seed``, ``journal``, ``prior`` and the fields of
    :class:`~nni_strategies.nat.config.NATConfig`; ``inputs`` are samples of the model space.

    Parameters
    ----------
    input_shape
        One input of the networks without the batch, such as ``(3, 32, 32)``: costs are measured with it. None asks
        the evaluator's training data; ``costs`` and ``cost_rule="paper"`` do without.

    Raises
    ------
    InvalidArgument
        An unknown name or a bad value; when an experiment starts, no shape where one is needed, or an input that is
        not of the space.
    """

    searcher_class: ClassVar[type[Searcher]] = NATSearcher

    def __init__(self, *, input_shape: Sequence[int] | None = None, **arguments: Any) -> None:
        if input_shape is not None and not _is_shape(input_shape):
            raise InvalidArgument("input_shape", input_shape, "positive whole numbers, such as (3, 32, 32)")
        super().__init__(**arguments)
        self._input_shape = None if input_shape is None else tuple(input_shape)
        self._evaluator: Any = None
        self._edges: tuple[str, ModelEdges, OperationClasses, CostTable] | None = None

    def look_at(self, model_space: Any) -> None:
        """See the model space and, if it has one, its evaluator."""
        super().look_at(model_space)
        self._evaluator = getattr(model_space, "evaluator", None)

    def make_searcher(self, space: SearchSpace) -> Searcher:
        """Build the searcher; what operations are and cost, the model space's modules say."""
        config = cast(NATConfig, self._args.config)
        edges, classes, costs = self._looked_at(space, config)
        transitions = made_transitions(edges.view, classes, costs, *config.rules)
        moves = SpaceMoves(transitions, edges.samples, edges.module)
        return NATSearcher(space, config, prior=self.make_prior(space), moves=moves)

    def _looked_at(self, space: SearchSpace, config: NATConfig) -> tuple[ModelEdges, OperationClasses, CostTable]:
        if self._edges is None or self._edges[0] != space.hash:
            edges = edges_of_model_space(self._module, ModelSpaceView(self._module))
            classes = classes_of_modules(edges, config.op_classes)
            self._edges = space.hash, edges, classes, self._costs(edges, classes, config)
        return self._edges[1:]

    def _costs(self, edges: ModelEdges, classes: OperationClasses, config: NATConfig) -> CostTable:
        if config.costs is not None:
            return given_costs(edges.view, classes, config.costs, config.cost_rule)
        shape = self._input_shape or _shape_of(self._evaluator)
        if shape is not None:
            return MeasuredCosts(edges, shape)
        if config.cost_rule == "paper":
            return given_costs(edges.view, classes, config.costs, config.cost_rule)
        allowed = "the shape of one input, such as (3, 32, 32): costs are measured with it, and the evaluator has none"
        raise InvalidArgument("input_shape", None, allowed)

    def transformed(self, number: int) -> Transformation:
        """Return what became of an input so far, as samples of the model space.

        Parameters
        ----------
        number
            Of the input, from 0.
        """
        study, models = self._opened()
        found = cast(NATSearcher, study.searcher).transformed(number)
        return replace(found, before=models.view.sample(found.before), after=models.view.sample(found.after))

    def save_policy(self, path: Path | str) -> None:
        """Write the policy as it is by now, for ``policy_file`` of another search or ``transform(policy=...)``.

        Parameters
        ----------
        path
            Of the file; folders are made, and what is there is replaced as a whole.

        Raises
        ------
        OSError
            It cannot be written.
        """
        study, _ = self._opened()
        policy_file.save(Path(path), cast(NATSearcher, study.searcher).learned())


def _is_shape(shape: Any) -> bool:
    numbers = shape if isinstance(shape, (list, tuple)) and shape else [None]
    return all(isinstance(one, int) and not isinstance(one, bool) and one > 0 for one in numbers)


def _shape_of(evaluator: Any) -> tuple[int, ...] | None:
    """Return the shape of the first image of an evaluator's training data; None where it has none."""
    loader: Any = getattr(evaluator, "train_dataloaders", None)
    try:
        image = loader.dataset[0][0]
    except Exception:  # somebody else's data, or no loader
        return None
    shape = tuple(getattr(image, "shape", ()))
    return shape or None
