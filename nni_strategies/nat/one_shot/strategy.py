"""NAT as a one-shot strategy of ``nni.nas``: ``NATOneShot(sample)`` in the place of ``DARTS()``.

One training makes a supernet of the model space and a policy, each from its own images. What is exported is the sample
given, transformed: never costlier, and no worse on the validation images with the shared weights. A cell that has no
``none`` among its operations can lose no connection: widen the space.

The supernet is :class:`~nni_strategies.supernet.network.Supernet`. Model space and evaluator are looked at before
anything is trained; what does not fit is refused then.

Source: Guo et al.: NAT, NeurIPS 2019, 1910.14488; nat.md 5.5.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
import numpy as np
from nni.nas.evaluator.pytorch import Lightning
from nni.nas.execution import SequentialExecutionEngine
from nni.nas.oneshot.pytorch.strategy import OneShotStrategy
from nni.nas.space import RawFormatModelSpace
from torch.random import fork_rng

from nni_strategies.bridge.tagged_batches import TaggedBatches
from nni_strategies.errors import InvalidArgument, refuse_unknown
from nni_strategies.nat.edges import Architectures
from nni_strategies.nat.genotypes import Architecture, DartsGenotype
from nni_strategies.nat.moves_of_space import moves_of_space
from nni_strategies.nat.one_shot.batches import (
    TRAIN,
    VALID,
    all_batches,
    first_batch,
    validation_loader,
)
from nni_strategies.nat.one_shot.derivation import derived
from nni_strategies.nat.one_shot.learner import OneShotLearner
from nni_strategies.nat.one_shot.lightning import NATLightningModule
from nni_strategies.nat.one_shot.settings import OneShotSettings, is_amount
from nni_strategies.nat.transform import TransformResult
from nni_strategies.supernet.network import Supernet
from nni_strategies.supernet.scorer import Scorer

_logger = logging.getLogger(__name__)

_INPUT = 3  # the draw of an input where none is given


class NATOneShot(OneShotStrategy):  # type: ignore[misc]  # NNI has no types
    """Train a supernet and a policy, and transform an architecture.

    The evaluator is NNI's Lightning one, for classification: batches are images and classes. Its optimizer is of the
    weights; one epoch is all training batches, then all validation batches, from which the policy learns. Lightning's
    ``limit_train_batches`` counts both.

    Parameters
    ----------
    input_sample
        The architecture to transform: a sample as NNI exports it, or a genotype (:mod:`..genotypes`). None: a uniform
        draw, of which a warning tells.
    input_shape
        One input of the network without the batch; None: that of the first validation batch.
    op_classes
        The user's word: operation, or ``label:operation``, -> ``O``, ``S`` or ``N``.
    gradient_clip_val
        Largest norm of the weights' gradient; None for no limit. Lightning's own option is refused: weights and policy
        take steps by hand.
    **settings
        Of :class:`~.settings.OneShotSettings`: `rule`, `cost_rule`, `cost_mode`, `paths`, `kept`, `n_inputs`,
        `n_outputs`, `policy`, `hidden`, `learning_rate`, `entropy`, `k`, `seed`.

    Raises
    ------
    InvalidArgument
        A bad argument; when the search begins, an input that is not of the space (with the nearest label) or has a dead
        cell, a model space without operations to replace, an evaluator without batches of images and classes, or a
        trainer that clips or accumulates gradients.
    """

    def __init__(
        self,
        input_sample: Architecture | None = None,
        *,
        input_shape: Sequence[int] | None = None,
        op_classes: Mapping[str, str] | None = None,
        gradient_clip_val: float | None = None,
        **settings: Any,
    ) -> None:
        if input_sample is not None and not isinstance(input_sample, Mapping | DartsGenotype):
            raise InvalidArgument("input_sample", input_sample, "a dictionary of labels and values, or None")
        if op_classes is not None and not isinstance(op_classes, Mapping):
            raise InvalidArgument("op_classes", op_classes, "a dictionary of operations and O, S or N, or None")
        if input_shape is not None and not _is_shape(input_shape):
            raise InvalidArgument("input_shape", input_shape, "whole numbers from 1, such as (3, 32, 32), or None")
        if gradient_clip_val is not None and not (is_amount(gradient_clip_val) and gradient_clip_val > 0):
            raise InvalidArgument("gradient_clip_val", gradient_clip_val, "a finite number above 0, or None")
        refuse_unknown("settings", settings, [each.name for each in fields(OneShotSettings)])
        self.settings = OneShotSettings(**settings)
        super().__init__()
        self._given = input_sample
        self._input_shape = input_shape
        self._op_classes = op_classes
        self._clip = gradient_clip_val
        self._begun = False
        self._result: TransformResult | None = None

    def extra_repr(self) -> str:
        """Return the settings."""
        return ", ".join(f"{name}={value!r}" for name, value in vars(self.settings).items())

    @property
    def transformed(self) -> TransformResult:
        """What became of the input: architectures, costs, accuracies with the shared weights, changed edges, policy.

        Raises
        ------
        InvalidArgument
            The search has not begun.
        ScoreNotFinite
            The supernet has diverged: no finite logits for the input.
        """
        if not self._begun:
            raise InvalidArgument("transformed", None, "asked for when the search has run")
        if self._result is None:
            home = self._net.device
            try:
                self._net.to(self.oneshot_module.trained_on)
                with fork_rng(devices=[]):
                    batches = all_batches(self._validation(), next(self._net.network.parameters()).dtype)
                self._result = derived(self._learner, self._moves, batches)
            finally:
                self._net.to(home)
        return self._result

    def configure_oneshot_module(self, training_module: Any) -> NATLightningModule:
        """Return the module that trains supernet and policy."""
        (watched,) = self._moves.transitions.view.decode(self._parent)
        return NATLightningModule(training_module, self._learner, watched, self._export, self._clip)

    def mutate_model(self, model: Any) -> Any:
        """Convert the model space to a supernet in place; a copy is kept, which tells what operations are and cost."""
        self._copy = copy.deepcopy(model)
        self._net = Supernet(model)
        return self._net.network

    def mutate_evaluator(self, evaluator: Any) -> Any:
        """Wrap the evaluator, after a look at what it trains on."""
        if not isinstance(evaluator, Lightning):
            raise InvalidArgument("evaluator", type(evaluator).__name__, "a Lightning evaluator of nni.nas")
        _refuse_automatic(evaluator.trainer)
        with fork_rng(devices=[]):  # a look is to change nothing that is drawn later
            self._validation = validation_loader(evaluator)
            images, labels = first_batch(self._validation())
        shape = tuple(images.shape[1:]) if self._input_shape is None else self._input_shape
        rules, classes = self.settings.rules, self._op_classes
        self._moves = moves_of_space(self._copy, *rules, op_classes=classes, input_shape=shape)
        self._copy.to("meta")  # its shapes are enough from here on
        self._parent = self._input()
        self._moves.transitions.costs.total(self._parent)  # measured; a shape that does not fit is refused
        self._learner = OneShotLearner(self._moves.transitions, self._net, self.settings, self._parent)
        Scorer(self._net, [(images, labels)])  # refuses what the network does not take
        self._begun = True
        return super().mutate_evaluator(evaluator)

    def train_dataloader(self, train_dataloader_fn: Callable[[], Any], val_dataloader_fn: Callable[[], Any]) -> Any:
        """Return the training batches, then the validation batches."""
        return TaggedBatches({TRAIN: train_dataloader_fn(), VALID: val_dataloader_fn()})

    def _input(self) -> Architectures:
        transitions = self._moves.transitions
        if self._given is None:
            _logger.warning("NATOneShot has no input_sample: a uniform draw of the space is transformed")
            return transitions.inputs(np.random.default_rng([self.settings.seed, _INPUT]), 1)
        parent = transitions.view.encode([self._moves.configuration(self._moves.read(self._given))])
        transitions.refuse_dead(parent)
        return parent

    def _initialize(self, model_space: Any, engine: Any) -> Any:
        if not isinstance(model_space, RawFormatModelSpace):
            raise InvalidArgument("model_format", type(model_space).__name__, "raw: the model space as it is")
        if not isinstance(engine, SequentialExecutionEngine):
            raise InvalidArgument("execution_engine", type(engine).__name__, "sequential: there is one training")
        return super()._initialize(model_space, engine)

    def _run(self) -> None:
        super()._run()
        self._result = None  # of a look before the training

    def _export(self) -> dict[str, Any]:
        return self.transformed.after


def _is_shape(shape: Any) -> bool:
    numbers = isinstance(shape, Sequence) and all(isinstance(n, int) and not isinstance(n, bool) for n in shape)
    return numbers and len(shape) > 0 and min(shape) > 0


def _refuse_automatic(trainer: Any) -> None:
    if trainer.gradient_clip_val:
        raise InvalidArgument(
            "gradient_clip_val", trainer.gradient_clip_val, "an argument of NATOneShot, not of the trainer"
        )
    if trainer.accumulate_grad_batches != 1:
        raise InvalidArgument("accumulate_grad_batches", trainer.accumulate_grad_batches, "1: a batch is a step")
