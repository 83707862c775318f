"""What the classes of the stimuli say without a teacher: the control that tells a teacher's worth from its labels'."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from nni_strategies.rsa.gram import gram
from nni_strategies.rsa.rdm import correlation_rdm
from nni_strategies.rsa.similarity import gram_signature, signature
from nni_strategies.rsa.teacher import TeacherSpec


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

    def cross_entropy(self, logits: torch.Tensor | None) -> float:
        """Return a classifier's mean cross-entropy on the stimuli; NaN for an output that is no logits of the classes.

        Parameters
        ----------
        logits
            ``[n_stimuli, n_classes]`` on the CPU, or more columns; None where the model gave something else.
        """
        if logits is None or len(logits) != len(self._labels) or logits.shape[1] < self._n_classes:
            return math.nan
        return float(F.cross_entropy(logits.double(), self._labels))
