"""The outputs of inputs that are worth evaluating, the best first."""

from __future__ import annotations

import numpy as np

from nni_strategies.nat.edges import Architectures
from nni_strategies.nat.learner import Learner
from nni_strategies.nat.nearness import nearer
from nni_strategies.nat.paper_queries import PaperQueries
from nni_strategies.nat.sampling import sampled_outputs, torch_generator

_DERIVE, _NEAR = 2, 3  # what a generator is for, beside those of the learner


def shortlists(learner: Learner | PaperQueries, inputs: Architectures) -> list[Architectures]:
    """Return the distinct outputs that a learner's policy draws for each of `n` inputs, `n` batches.

    Those of which the critic expects most come first; without a critic, those that were drawn first. Beside a critic,
    outputs of large inputs stay near them (:mod:`.nearness`).
    """
    n_each = learner.config.derive_samples
    generator = torch_generator(np.random.default_rng([learner.seed, _DERIVE]))
    sampled = sampled_outputs(learner.policy, learner.transitions, inputs, n_each, generator)
    means = None
    if learner.critic is not None:
        sampled = nearer(learner.transitions, inputs, sampled, np.random.default_rng([learner.seed, _NEAR]))
        means = learner.critic.mean(sampled)
    lists = []
    for i in range(len(inputs)):
        _, first = np.unique(sampled.operations[i * n_each : (i + 1) * n_each], axis=0, return_index=True)
        places = i * n_each + np.sort(first)
        if means is not None:
            places = places[np.argsort(-means[places], kind="stable")]
        lists.append(sampled[places])
    return lists
