"""The Lightning module of :class:`~.strategy.NATOneShot`: one epoch trains the weights, then the policy.

A batch of the training loader: a uniform path, and a step of the evaluator's optimizer. A batch of the validation
loader: a step of the policy, which has an optimizer of its own; the evaluator's never sees the policy's weights. In
Lightning's validation loop the input is judged, with the shared weights, so that is what NNI reports in the end.

The policy, its optimizer and all generators are part of the state, and so of Lightning's checkpoints.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
import torch
from nni.nas.oneshot.pytorch.base_lightning import BaseOneShotLightningModule
from torch import Tensor

from nni_strategies.nat.one_shot.batches import TRAIN
from nni_strategies.nat.one_shot.learner import OneShotLearner
from nni_strategies.supernet.batch_norm import of_the_batch


class NATLightningModule(BaseOneShotLightningModule):  # type: ignore[misc]  # NNI has no types
    """Trains a supernet and a policy.

    Parameters
    ----------
    training_module
        The evaluator's.
    learner
        The policy.
    watched
        The configuration that the validation loop runs.
    export_sample
        Gives NNI's sample of what the search found.
    gradient_clip_val
        Largest norm of the weights' gradient; None for no limit.
    """

    def __init__(
        self,
        training_module: Any,
        learner: OneShotLearner,
        watched: Mapping[str, Any],
        export_sample: Callable[[], dict[str, Any]],
        gradient_clip_val: float | None = None,
    ) -> None:
        super().__init__(training_module)
        self.learner = learner
        self._watched = watched
        self._export_sample = export_sample
        self._clip = gradient_clip_val
        self.trained_on = torch.device("cpu")

    def training_step(self, packed: tuple[Any, str], batch_idx: int) -> Any:
        """Take a step of the weights or of the policy, by where the batch is from."""
        batch, loader = packed
        output = None
        if loader == TRAIN:
            output = self._weight_step(batch, batch_idx)
        else:
            self._policy_step(*batch)
        if self.trainer.is_last_batch:
            self._advance_lr_schedulers_impl(batch_idx, "epoch")
        return output

    def _weight_step(self, batch: Any, batch_idx: int) -> Any:
        self.learner.draw_path()
        output = self.training_module.training_step(batch, batch_idx)
        loss = output["loss"] if isinstance(output, dict) else output
        self.advance_optimization(loss, batch_idx, self._limit())
        self._advance_lr_schedulers_impl(batch_idx, "step")
        return output

    def _limit(self) -> float | None:
        """Return the largest norm of gradients as they are when NNI clips them: scaled, in half precision."""
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        return self._clip if self._clip is None or scaler is None else self._clip * scaler.get_scale()

    def _policy_step(self, images: Tensor, labels: Tensor) -> None:
        self.trained_on = images.device
        if len(labels) < 2:  # batch norm has nothing to normalise it with
            return
        progress = self.learner.learn(images, labels)
        if progress is not None:
            seen = {"nat/reward": progress.reward, "nat/entropy": progress.entropy}
            self.log_dict(seen, on_step=False, on_epoch=True, batch_size=len(labels))

    def validation_step(self, batch: Any, batch_idx: int) -> Any:
        """Judge the watched architecture, with the batch's own statistics."""
        self.learner.supernet.set(self._watched)
        if len(batch[1]) < 2:
            return None
        with of_the_batch(self.learner.norms):
            return self.training_module.validation_step(batch, batch_idx)

    def resample(self) -> dict[str, Any]:
        """Have the supernet run a uniform architecture that is alive; return its sample."""
        return self.learner.supernet.view.sample(self.learner.draw_path())

    def export(self) -> dict[str, Any]:
        """Return the sample of the transformed architecture."""
        return self._export_sample()

    def get_extra_state(self) -> dict[str, Any]:
        """Return the state of the policy; PyTorch makes it a part of ``state_dict()``."""
        return self.learner.state_dict()

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take the state of the policy up."""
        self.learner.load_state_dict(state)
