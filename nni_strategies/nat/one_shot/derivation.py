"""What a trained policy makes of an architecture: the best of `k` outputs and of the architecture itself.

All are judged on the validation batches, with the shared weights and the statistics of each batch
(:class:`~nni_strategies.supernet.scorer.Scorer`). Of equal accuracies the cheaper one is better. So the result is never
worse than the input on these batches, and never costlier.

Source: Guo et al.: NAT, NeurIPS 2019, section 3.4; nat.md 1.5, D6.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nni_strategies.nat.counter import Cost
from nni_strategies.nat.evaluated import joined
from nni_strategies.nat.moves_of_space import SpaceMoves
from nni_strategies.nat.one_shot.batches import Batch
from nni_strategies.nat.one_shot.learner import OneShotLearner
from nni_strategies.nat.policy_file import Learned
from nni_strategies.nat.transform import TransformResult
from nni_strategies.nat.transformation import changes, dead_labels, live_cost_of
from nni_strategies.supernet.scorer import ScoreNotFinite, Scorer


def derived(learner: OneShotLearner, moves: SpaceMoves, batches: Sequence[Batch]) -> TransformResult:
    """Transform the learner's architecture.

    Parameters
    ----------
    learner
        Trained.
    moves
        Of its space.
    batches
        What is judged by.

    Raises
    ------
    ScoreNotFinite
        The supernet has no finite logits for the architecture itself.
    """
    view, costs = moves.transitions.view, moves.transitions.costs
    parent = learner.parent
    offers = joined([parent, learner.offers()])
    configurations = view.decode(offers)
    scorer = Scorer(learner.supernet, batches)
    scores = [scorer(configurations[0])]
    for configuration in configurations[1:]:
        try:
            scores.append(scorer(configuration))
        except ScoreNotFinite:  # a path that does not work with the shared weights
            scores.append(-np.inf)
    cost = costs.total(offers)
    best = int(np.lexsort((cost[:, 1], cost[:, 0], -np.array(scores)))[0])
    settings = learner.settings
    return TransformResult(
        before=moves.sample(configurations[0]),
        after=moves.sample(configurations[best]),
        cost_before=Cost(*cost[0].tolist()),
        cost_after=Cost(*cost[best].tolist()),
        score_before=scores[0],
        score_after=scores[best],
        changed=changes(view, parent, offers[[best]]),
        dead=dead_labels(moves.transitions, offers[[best]]),
        live_before=live_cost_of(moves.transitions, parent),
        live_after=live_cost_of(moves.transitions, offers[[best]]),
        evaluations=len(set(offers.keys())),
        learned=Learned(learner.gradient.policy, view, settings.policy, settings.hidden),
        scores=tuple(score for score in scores if np.isfinite(score)),
    )
