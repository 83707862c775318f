"""What is known of a half-trained candidate without a teacher: the rivals that a teacher has to beat, and its partners.

Cross-entropy and training losses come from what the trial reports; where it reports no cross-entropy, from the stimuli,
if their labels are known (fewer images than a validation set, so noisier).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import nn

from nni_strategies.rsa.judge import Judge
from nni_strategies.rsa.score import ScoreResult

SHOWN = {"CE": "CE", "TSE": "TSE", "params": "params", "onehot": "TG_onehot"}  # signal -> key of the reported metric


class FreeSignals:
    """Of one trial.

    Parameters
    ----------
    judge
        Knows under which keys the trial reports losses.
    """

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._tse = 0.0
        self._n_losses = 0
        self._params: int | None = None

    def see(self, metric: Any, final: bool) -> None:
        """Note the training loss of an intermediate result; one without it leaves the sum unknown from then on."""
        if not final:
            self._tse += _number(metric, self._judge.loss_key)
            self._n_losses += 1

    def known(self, metric: Any, score: ScoreResult | None, model: nn.Module) -> dict[str, float]:
        """Return the signals that are known now, by name.

        Parameters
        ----------
        metric
            What the trial reports.
        score
            The candidate's last score, if there is one.
        model
            The candidate.
        """
        if self._params is None:
            parameters = [p for p in model.parameters() if not isinstance(p, nn.parameter.UninitializedParameter)]
            self._params = sum(parameter.numel() for parameter in parameters)
        ce = _number(metric, self._judge.ce_key)
        if score is not None and not math.isfinite(ce):
            ce = score.cross_entropy
        signals = {
            "CE": ce,
            "TSE": self._tse if self._n_losses else math.nan,
            "params": float(self._params),
            "onehot": score.onehot if score is not None else math.nan,
        }
        return {name: value for name, value in signals.items() if math.isfinite(value)}


def _number(metric: Any, key: str) -> float:
    try:
        return float(metric[key]) if isinstance(metric, Mapping) else math.nan
    except (KeyError, TypeError, ValueError, OverflowError):
        return math.nan
