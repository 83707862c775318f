"""What the classes of the stimuli say without a teacher: the control that tells a teacher's worth from its labels'."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional as F

from nni_strategies.rsa.gram import gram
from nni_strategies.rsa.rdm import correlation_rdm
from nni_strategies.rsa.similarity import gram_signature, signature
from nni_strategies.rsa.teacher import TeacherSpec
from nni_strategies.rsa.untouched import untouched

_BATCH = 64


class StimulusClasses:
    """Known classes of the stimuli.

    Parameters
    ----------
    labels
        ``[n_stimuli]``, from 0.
    method
        The similarity.
    group
        What each stimulus shows, where conditions are averaged.

    Attributes
    ----------
    signature
        Of a layer with one unit a class: what candidates' layers are compared with.
    """

    def __init__(self, labels: npt.NDArray[np.int64], method: str, group: npt.NDArray[Any] | None = None) -> None:
        self._labels = torch.from_numpy(labels)
        self._n_classes = int(labels.max()) + 1
        sums = gram(np.eye(self._n_classes)[labels])
        sums = sums if group is None else sums.averaged(group)
        if method == "cka":
            self.signature = gram_signature(sums, method)
        else:  # pairs of one class are ties, whatever rounding makes of them
            self.signature = signature(correlation_rdm(sums).round(5), method)

    @classmethod
    def of(cls, spec: TeacherSpec) -> StimulusClasses | None:
        """Return those kept with a teacher's stimuli; None where there are none, or only one class."""
        labels = spec.stimuli.labels()
        if labels is None or len(np.unique(labels)) < 2:
            return None
        return cls(labels, spec.method, None if spec.group is None else np.array(spec.group))

    def cross_entropy(self, model: nn.Module, stimuli: torch.Tensor) -> float:
        """Return a classifier's mean cross-entropy on the stimuli; NaN for an output that is no logits of the classes.

        Parameters
        ----------
        model
            Left as it was.
        stimuli
            ``[n_stimuli, ...]``.
        """
        device = next((p.device for p in model.parameters()), torch.device("cpu"))
        total = 0.0
        with untouched(model):
            for first in range(0, len(stimuli), _BATCH):
                logits = model(stimuli[first : first + _BATCH].to(device))
                if not isinstance(logits, torch.Tensor) or logits.ndim != 2 or logits.shape[1] < self._n_classes:
                    return math.nan
                target = self._labels[first : first + _BATCH].to(device)
                total += float(F.cross_entropy(logits.float(), target, reduction="sum"))
        return total / len(stimuli)
