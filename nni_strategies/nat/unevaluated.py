"""Outputs that the critic alone chooses, none of them evaluated.

A critic is trusted when, each of its results left out in turn, it explains at least 60 % of their variance from the
others. Then what is new is chosen where its mean less half its standard deviation beats all that is known of the input:
the critic errs most about what is unlike all it has seen.

One that is not trusted has seen outputs, and no inputs, and takes inputs for as bad as the outputs it saw. It changes
an input only where the expected lead over it is above the standard deviation of that lead, and what is known of it is
beaten by as much; it changes little.

The threshold lies between what the critic explains after 100 queries on NAS-Bench-201, CIFAR-10 (84 % and more), and
on ENAS's cells scored by a supernet (50 % and less), on which outputs chosen by the first rule were worse than inputs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nni_strategies.nat.edges import Architectures
from nni_strategies.nat.evaluated import joined
from nni_strategies.nat.learner import Learner
from nni_strategies.nat.shortlist import shortlists

Array = npt.NDArray[np.float64]

TRUSTED = 0.6
CAUTION, DISTRUST = 0.5, 1.0  # standard deviations

_WEIGHED = 20  # samples of an input whose standard deviation is asked


def unevaluated_outputs(learner: Learner, inputs: Architectures) -> Architectures:
    """Return an output of each of `n` inputs.

    Parameters
    ----------
    learner
        What has learned; it is finished.
    inputs
        A batch of `n`.
    """
    choose = _promising if learner.critic.explained() >= TRUSTED else _cautious
    place, _ = learner.evaluated.best_reachable(inputs)
    sampled = shortlists(learner, inputs)
    outputs = []
    for i, at in enumerate(place.tolist()):
        best = learner.evaluated.architectures[[at]] if at >= 0 else inputs[[]]
        outputs.append(choose(learner, inputs[[i]], sampled[i][:_WEIGHED], best))
    return joined(outputs)


def _promising(learner: Learner, own: Architectures, sampled: Architectures, best: Architectures) -> Architectures:
    """Return what is new and expected to beat all that is known, or else the best that is known, or the input."""
    known = joined([own, best])
    reached = np.nan_to_num(learner.evaluated.values_of(known), nan=-np.inf)
    offers = joined([own, sampled])
    worth = _surely(learner, offers, CAUTION)
    if worth.max() > learner.critic.target(reached).max():
        return offers[[int(worth.argmax())]]
    return known[[len(known) - 1 if reached[-1] > reached[0] else 0]]


def _cautious(learner: Learner, own: Architectures, sampled: Architectures, best: Architectures) -> Architectures:
    """Return what is above the input by more than the doubt about it, and beats all that is known, or the input."""
    offers = joined([own, sampled, best])
    reached = learner.evaluated.values_of(offers)
    bar = learner.critic.target(np.nan_to_num(reached, nan=-np.inf)).max()
    lead, doubt = learner.critic.lead(offers)
    worth = lead - DISTRUST * doubt
    worth[np.isnan(reached) & (_surely(learner, offers, DISTRUST) <= bar)] = -np.inf
    worth[reached < reached[0]] = -np.inf  # measured, as the input was, and found to be worse
    worth[0] = 0.0 if learner.transitions.alive(own)[0] else -np.inf
    return offers[[int(worth.argmax())]]


def _surely(learner: Learner, offers: Architectures, caution: float) -> Array:
    """Return what new architectures reach at least, but for so many standard deviations, as targets, ``[n]``."""
    mean, sd = learner.critic.predict(offers)
    new = (learner.evaluated.places(offers) < 0) & learner.transitions.alive(offers)
    return np.where(new, mean - caution * sd, -np.inf)
