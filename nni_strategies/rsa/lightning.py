"""TeacherCallback: TG after each epoch of any Lightning training, that of one-shot strategies of ``nni.nas`` too.

::

    evaluator = Classification(..., callbacks=[TeacherCallback(teacher="/data/teacher.json")])
    NasExperiment(space, evaluator, DARTS()).run()  # TG, TG/<layer> in the metrics of every epoch

A supernet is scored as it is when it evaluates: DARTS' mixture, or the path that a sampling strategy drew last, so
that TG jumps from path to path. No other module of this wing imports pytorch-lightning.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # pytorch-lightning imports torchvision

# isort: split
import nni
from pytorch_lightning import Callback
from torch import Tensor, nn, stack

from nni_strategies.errors import InvalidArgument, refuse_unknown
from nni_strategies.rsa.score import ScoreOptions
from nni_strategies.rsa.trial import Guide

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EpochScore:
    """The network at the end of an epoch.

    Parameters
    ----------
    epoch
        From 1.
    tg
        The teacher-guided score.
    per_layer
        By teacher layer, the similarity of its best match.
    match
        By teacher layer, the name of that match.
    seconds
        It took.
    """

    epoch: int
    tg: float
    per_layer: dict[str, float]
    match: dict[str, str]
    seconds: float


@nni.trace
class TeacherCallback(Callback):  # type: ignore[misc]  # Lightning is not followed
    """Scores the network in training, which is left as it was.

    Parameters
    ----------
    teacher
        As for :class:`~nni_strategies.rsa.evaluator.TeacherGuidedEvaluator`.
    every
        Epochs from score to score.
    patience
        Training ends when so many scores in a row were not above the best before; None never ends it.
    network
        Path of the scored module in the LightningModule, ``""`` for that itself. None takes its ``model``, which NNI's
        have, or itself where there is none.
    name
        Of the logged score, with ``/<layer>`` of the layers' ones; two teachers need two names.
    strict
        Whether a failing score fails the training; else it is logged once.
    options
        Fields of :class:`~nni_strategies.rsa.score.ScoreOptions`.

    Attributes
    ----------
    results
        An :class:`EpochScore` a scored epoch of the last training, in the main process only.

    Raises
    ------
    InvalidArgument
        A teacher or an option that cannot be used; when training starts, a `network` that is not there.
    """

    def __init__(
        self,
        teacher: Path | str | Mapping[str, Any] = "",
        every: int = 1,
        patience: int | None = None,
        network: str | None = None,
        name: str = "TG",
        strict: bool = False,
        **options: Any,
    ) -> None:
        super().__init__()
        for field, value in (("every", every), ("patience", 1 if patience is None else patience)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InvalidArgument(field, value, "a positive integer")
        if not isinstance(network, (str, type(None))):
            raise InvalidArgument("network", network, "a module's path in the LightningModule, or None")
        if not isinstance(name, str) or not name:
            raise InvalidArgument("name", name, "a name for the logged score")
        refuse_unknown("option", options, [field.name for field in fields(ScoreOptions)], "one of")
        self.every, self.patience, self.network = every, patience, network
        self.name, self.strict = name, strict
        self.results: list[EpochScore] = []
        self._scorer = Guide(teacher, **options).scorer
        self._failed = False

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Forget the last training."""
        if stage == "fit":
            self.results, self._failed = [], False

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Refuse a network that is not there; not earlier, as LightningModules may build theirs in `setup`."""
        try:
            network_of(pl_module, self.network)
        except AttributeError:
            names = [name for name, _ in pl_module.named_modules() if name]
            allowed = f"a module's path in {type(pl_module).__name__}"
            raise InvalidArgument("network", self.network, allowed, names) from None

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Score, log, and end the training where TG has not risen for long."""
        epoch = trainer.current_epoch + 1
        if epoch % self.every:
            return
        if trainer.is_global_zero:
            self._score(pl_module, epoch)
        if self.patience is not None:  # all processes have to end at the same epoch
            stop = trainer.is_global_zero and self._stalled()
            trainer.should_stop = trainer.should_stop or trainer.strategy.reduce_boolean_decision(stop, all=False)

    @property
    def state_key(self) -> str:
        """The checkpoint's name for it."""
        return f"TeacherCallback {self.name}"

    def state_dict(self) -> dict[str, Any]:
        """Return what a Lightning checkpoint keeps."""
        return {"results": [asdict(result) for result in self.results]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.results = [EpochScore(**result) for result in state_dict["results"]]

    def _score(self, pl_module: Any, epoch: int) -> None:
        try:
            score = self._scorer.score(network_of(pl_module, self.network))
            if not math.isfinite(score.tg):
                raise RuntimeError("no layer of the network says anything about the stimuli")
        except Exception:
            if self.strict:
                raise
            if not self._failed:
                _logger.warning("the teacher could not judge this network; the training goes on", exc_info=True)
            self._failed = True
            return
        self.results.append(EpochScore(epoch, score.tg, score.per_layer, score.match, score.seconds))
        shown = {self.name: score.tg, **{f"{self.name}/{layer}": value for layer, value in score.per_layer.items()}}
        for name, value in shown.items():
            pl_module.log(name, value, on_step=False, on_epoch=True, batch_size=1, rank_zero_only=True)

    def _stalled(self) -> bool:
        scores = [result.tg for result in self.results]
        return bool(scores) and len(scores) - 1 - scores.index(max(scores)) >= (self.patience or 0)


class EpochLosses(Callback):  # type: ignore[misc]  # Lightning is not followed
    """Keeps training losses, for judges that take the sum of the epochs' means.

    An epoch that is not over counts by the share of its batches, or, where their number is not known, by the mean so
    far. After n epochs the sum is thus the same whenever it was asked for on the way.
    """

    def __init__(self) -> None:
        super().__init__()
        self._of_epoch: list[Tensor] = []
        self._share = 1.0
        self._before = 0.0
        self._told = 0.0
        self._any = False

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Count the last epoch among those before."""
        self._share = 1.0  # it is over, whatever part of its batches it took
        self._before, self._of_epoch = self._sum(), []

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Keep the batch's loss, on its device: reading it would wait for the GPU."""
        n = trainer.num_training_batches
        self._share = min((batch_idx + 1) / n, 1.0) if n and math.isfinite(n) else 1.0
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        if isinstance(loss, Tensor):
            # Lightning divides what it optimises itself, so that gradients of several batches add up to a mean
            divided = trainer.accumulate_grad_batches if pl_module.automatic_optimization else 1
            self._of_epoch.append(loss.detach().float().mean() * divided)
            self._any = True

    def take(self) -> float:
        """Return by how much the sum of the epochs' mean losses grew since it was asked for last.

        NaN where there never was a loss.
        """
        told, self._told = self._told, self._sum()
        return self._told - told if self._any else math.nan

    def _sum(self) -> float:
        return self._before + (float(stack(self._of_epoch).mean()) * self._share if self._of_epoch else 0.0)


def network_of(module: Any, path: str | None = None) -> nn.Module:
    """Return the network that a LightningModule trains; the supernet of a one-shot strategy's.

    Parameters
    ----------
    module
        A LightningModule.
    path
        See :class:`TeacherCallback`.

    Raises
    ------
    AttributeError
        There is no module at the path.
    """
    if path is None:
        model = getattr(module, "model", None)
        return model if isinstance(model, nn.Module) else module
    network: nn.Module = module.get_submodule(path)
    return network
