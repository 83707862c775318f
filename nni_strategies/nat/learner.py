"""The default learner: transforms many inputs after few evaluations.

A critic learns from every result, and the policy from what the critic imagines:

1. **Start**: random valid transitions of random inputs; of each only the output is evaluated.
2. **Rounds**: the critic is fitted anew; the policy takes 20 steps of policy gradient on 32 inputs with 16 outputs
   each, whose reward is the critic's mean; then queries are chosen (:mod:`.queries`) until as many results came in as
   a round has.
3. **End**: the policy takes 60 more steps.

:mod:`.derive` chooses the outputs of inputs. What it evaluates is up to the caller: the learner is a state machine, and
its state a function of the seed, the order of results and of what is under way.

Source: Guo et al.: NAT, NeurIPS 2019, 1910.14488, for the policy and its gradient. The paper has neither critic nor
imagined rewards: there each reward is an evaluation (:mod:`.paper_learner`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from torch import nn

from nni_strategies.nat.critic.critic import Critic
from nni_strategies.nat.edges import Architectures
from nni_strategies.nat.evaluated import Evaluated, Identity, identities
from nni_strategies.nat.gradient import PolicyGradient
from nni_strategies.nat.learner_config import LearnerConfig
from nni_strategies.nat.policy.make import make_policy
from nni_strategies.nat.queries import Queries, Query
from nni_strategies.nat.sampling import drawn_operations, revived, torch_generator
from nni_strategies.nat.transitions import Transitions

_POLICY, _QUERY = 0, 1  # what a generator is for


class Learner:
    """Learns a policy and a critic from evaluated outputs.

    Parameters
    ----------
    transitions
        Which outputs an input has.
    config
        Hyper-parameters; the defaults when None.
    seed
        Everything drawn depends on it.
    inputs
        What is to be transformed, if it is known: queries are outputs of these. None for uniform draws.

    Attributes
    ----------
    evaluated
        All results.
    critic, policy
        As of the last round that was made ready.
    outlook
        Of each such round the share of random inputs with an output worth a query; 0 says that nothing is left to
        learn.
    """

    def __init__(
        self,
        transitions: Transitions,
        config: LearnerConfig | None = None,
        seed: int = 0,
        inputs: Architectures | None = None,
    ) -> None:
        self.transitions, self.config, self.seed = transitions, config or LearnerConfig(), seed
        view = transitions.view
        self.critic = Critic(view, transitions.classes)
        self.policy: nn.Module = make_policy(self.config.policy, view, seed, self.config.hidden)
        self.evaluated = Evaluated(transitions)
        self.outlook: list[float] = []
        self._gradient = PolicyGradient(
            self.policy, learning_rate=self.config.learning_rate, entropy=self.config.entropy
        )
        self._queries = Queries(transitions, self.config, inputs)
        self._taken: dict[Identity, None] = {}  # evaluated, failed or under way
        self._n_results = 0
        self._begins: list[_Begin] = []  # of each round after the start
        self._n_learned: int | None = None  # values known when the last query was answered
        self._finished = False

    @property
    def done(self) -> bool:
        """Whether as many results came in as it learns from."""
        return self._n_learned is not None

    def propose(self) -> Query:
        """Return what to evaluate next; nothing is remembered of it.

        Raises
        ------
        SpaceExhausted
            Nothing new was found.
        """
        self._catch_up()
        n_before = self._begins[-1].n_taken if self._begins else 0
        rng = self._rng(_QUERY, len(self._begins), len(self._taken) - n_before)
        if not self._begins or not self._begins[-1].n_known:
            return self._queries.blind(self._taken.keys(), rng)
        return self._queries.thompson(self.critic, self.policy, self.evaluated, self._taken.keys(), rng)

    def proposed(self, child: Architectures) -> None:
        """Note that a child, a batch of one, is under way: it is not proposed again."""
        self._taken[identities(self.transitions.view, child)[0]] = None

    def ask(self) -> Query:
        """Return what to evaluate next, and note that it is under way.

        Returns
        -------
        Query
            Its child goes to :meth:`tell`, or to :meth:`failed`.

        Raises
        ------
        SpaceExhausted
            Nothing new was found.
        """
        query = self.propose()
        self.proposed(query.child)
        return query

    def tell(self, child: Architectures, value: float) -> None:
        """Learn what a child reached; higher is better. After the last query it is known, but not learned from.

        Parameters
        ----------
        child
            A batch of one, asked for or not. One that is known keeps its first value, but counts as a result again.
        value
            A finite number that can be squared, see :func:`~.evaluated.bounded`; not checked.
        """
        self.proposed(child)
        self.evaluated.add(child, [value])
        self._count()

    def failed(self, child: Architectures) -> None:
        """Note that a child has no value."""
        self.proposed(child)
        self._count()

    def finish(self) -> None:
        """Learn from all results, and let the policy take its last steps; once."""
        if self._finished:
            return
        self._catch_up()
        if self._n_learned is None:
            self._n_learned = len(self.evaluated)
        if self._n_learned:
            known = self.evaluated.first(self._n_learned)
            self.critic.fit(known.architectures, known.values)
            self._improve(self.config.final_steps, self._rng(_POLICY, len(self._begins) + 1))
        self._finished = True

    def settle(self) -> None:
        """Learn now what else is learned at the next proposal; what is proposed stays the same."""
        if self.done:
            self.finish()
        else:
            self._catch_up()

    def _count(self) -> None:
        if self.done:
            return
        self._n_results += 1
        config = self.config
        if self._n_results >= config.queries:
            self._n_learned = len(self.evaluated)
        elif self._n_results == config.n_start + len(self._begins) * config.results_a_round:
            self._begins.append(_Begin(len(self.evaluated), len(self._taken)))

    def _catch_up(self) -> None:
        """Make the critic and the policy ready for the rounds that have begun."""
        for number in range(len(self.outlook), len(self._begins)):
            n_known = self._begins[number].n_known
            if not n_known:
                self.outlook.append(1.0)
                continue
            known = self.evaluated.first(n_known)
            self.critic.fit(known.architectures, known.values)
            rng = self._rng(_POLICY, number + 1)
            self._improve(self.config.policy_steps, rng)
            self.outlook.append(self._queries.outlook(self.critic, self.policy, known, rng))

    def _improve(self, n_steps: int, rng: np.random.Generator) -> None:
        generator = torch_generator(rng)
        shape = self.config.imagined_inputs, self.config.imagined_outputs
        for _ in range(n_steps):
            inputs = self._queries.draw_inputs(rng, shape[0])
            allowed = self.transitions.allowed(inputs)
            drawn = drawn_operations(self.policy, inputs, allowed, shape[1], generator)
            rewards = self.critic.mean(revived(self.transitions, inputs, drawn)).reshape(shape)
            self._gradient.step(inputs, allowed, drawn, rewards)

    def _rng(self, *purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *purpose])


class _Begin(NamedTuple):
    """Where a round began: how many values were known, and how many children taken."""

    n_known: int
    n_taken: int
