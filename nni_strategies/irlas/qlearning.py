"""The agent of IRLAS: tabular Q-learning over the decisions of a search space, exploring where experts would look.

While epsilon is 1 points are drawn from the prior. Later an episode walks through the decisions in order. With
probability epsilon it explores: it takes what one of 64 completions of the decisions so far has, chosen by the expert
prior where there is one (:mod:`.prior`), else uniformly. Otherwise it takes the action of highest Q. In spaces of more
than 12 decisions what was chosen so also stands for later decisions that explore, until a greedy one departs from it: p
of a whole is the product of its conditionals, and 64 completions at each of dozens of decisions take seconds. With the
result r of the finished trial, from the last step to the first,

    Q(s_T, a_T)  <-  (1 - alpha) Q(s_T, a_T) + alpha r
    Q(s_t, a_t)  <-  (1 - alpha) Q(s_t, a_t) + alpha max_a Q(s_t+1, a)

and the same for 64 past trials drawn at random (experience replay). epsilon follows BlockQNN's 178 iterations scaled to
the budget: 1 for 95 of them, then .9, .8, .7 for 7 each, .6 to .2 for 10 each, .1 for the rest.

Source: Guo et al., IRLAS, 1812.05285, on the agent of Zhong et al., BlockQNN, 1708.05552.

Deviations: what was never taken counts as the mean of all results, not as 0.5, below or above which every result may
lie; one decision a parameter, not a layer; a state is all decisions so far (``state="last"`` is BlockQNN's); the
intermediate reward r/T that makes blocks longer is an option (``shaping="blockqnn"``); alpha 0.1; one trial a step
instead of 64; points are never proposed twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.decisions import Action, Decisions, State, StateKind, Step
from nni_strategies.irlas.prior import CANDIDATES
from nni_strategies.search.searcher import Prior, Searcher, SearcherConfig, Trial
from nni_strategies.space.parameters import INACTIVE, Codes
from nni_strategies.space.search_space import Configuration, SearchSpace

#: BlockQNN's schedule: (iterations, epsilon).
SCHEDULE = ((95, 1.0), (7, 0.9), (7, 0.8), (7, 0.7), (10, 0.6), (10, 0.5), (10, 0.4), (10, 0.3), (10, 0.2), (12, 0.1))

Visit = tuple[State, Action, float]  # a state, the action taken there, how many there are

_EPISODES = 64
_FEW = 12  # decisions that are each explored anew
_STREAM = 1  # of replays; proposals are seeded by two numbers


@dataclass(frozen=True)
class QLearningConfig(SearcherConfig):
    """Hyper-parameters of :class:`QLearning`.

    Parameters
    ----------
    budget
        Number of trials the exploration schedule is scaled to; later ones go on with its last epsilon.
    alpha
        Learning rate. BlockQNN's is 0.01; on CIFAR-100 of NAS-Bench-201 the agent found better cells with 0.1, with
        and without a prior.
    gamma
        Discount; 1 in BlockQNN.
    replay
        Past trials learned again after each result; BlockQNN's 64 a batch.
    state
        ``prefix``: all decisions so far. ``last``: BlockQNN's, the last layer only.
    shaping
        ``none``, or ``blockqnn``: every decision is rewarded by r/T too.
    bins
        Quantile bins of a numerical parameter.

    Raises
    ------
    InvalidArgument
        A number out of its range, or an unknown name.
    """

    budget: int = 300
    alpha: float = 0.1
    gamma: float = 1.0
    replay: int = 64
    state: StateKind = "prefix"
    shaping: Literal["none", "blockqnn"] = "none"
    bins: int = 8

    def __post_init__(self) -> None:
        for name, least in (("budget", 1), ("replay", 0), ("bins", 2)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InvalidArgument(name, value, f"an integer, {least} or more")
        if not 0 < self.alpha <= 1:
            raise InvalidArgument("alpha", self.alpha, "in (0, 1]")
        if not 0 <= self.gamma <= 1:
            raise InvalidArgument("gamma", self.gamma, "in [0, 1]")
        for name, names in (("state", ("prefix", "last")), ("shaping", ("none", "blockqnn"))):
            if getattr(self, name) not in names:
                raise InvalidArgument(name, getattr(self, name), f"one of {', '.join(names)}", names)


class QLearning(Searcher):
    """Q-learning over the decisions of any space.

    Parameters
    ----------
    space
        What is searched.
    config
        Hyper-parameters; the defaults when None.
    prior
        Where it explores; uniform when None.
    """

    algorithm: ClassVar[str] = "q-learning"
    Config: ClassVar[type[SearcherConfig]] = QLearningConfig
    config: QLearningConfig

    def __init__(self, space: SearchSpace, config: SearcherConfig | None = None, *, prior: Prior | None = None) -> None:
        super().__init__(space, config, prior=prior)
        self.decisions = Decisions(space, self.config.bins, self.config.state)
        self._q: dict[State, dict[Action, float]] = {}
        self._seen: set[str] = set()
        self._results: list[tuple[list[Visit], float]] = []
        self._known: set[int] = set()
        self._total = 0.0
        self._n_proposed = 0
        self._seed = 0

    def begin(self, seed: int) -> None:
        self._seed = seed

    # -- events -----------------------------------------------------------------------------------

    @property
    def epsilon(self) -> float:
        """Probability that the next decision explores."""
        n_iterations = sum(n for n, _ in SCHEDULE)
        iteration = self._n_proposed * n_iterations / self.config.budget
        for n, epsilon in SCHEDULE:
            if iteration < n:
                return epsilon
            iteration -= n
        return SCHEDULE[-1][1]

    @property
    def phase(self) -> str:
        """``initial`` while every decision explores."""
        return "initial" if self.epsilon >= 1 else "search"

    def proposed(self, trial: Trial) -> None:
        self._n_proposed += 1
        self._seen.add(self.space.key(trial.configuration))

    def failed(self, trial: Trial) -> None:
        self._seen.add(self.space.key(trial.configuration))

    def finished(self, trial: Trial) -> None:
        self._seen.add(self.space.key(trial.configuration))
        if trial.value is None or trial.id in self._known:
            return
        reward = self.reward(trial)
        self._known.add(trial.id)
        codes = self.space.encode([trial.configuration])[0]
        steps = self.decisions.steps(codes)
        visits = [
            (self.decisions.state(steps[:i], place), action, self.decisions.count_actions(place, codes))
            for i, (place, action) in enumerate(steps)
        ]
        self._results.append((visits, reward))
        self._total += reward
        self._learn(*self._results[-1])
        rng = np.random.default_rng([self._seed, _STREAM, len(self._results)])
        for place in rng.integers(len(self._results), size=self.config.replay).tolist():
            self._learn(*self._results[place])

    def reward(self, trial: Trial) -> float:
        """Return what a trial is rewarded with: its value."""
        assert trial.value is not None
        return trial.value

    # -- learning ---------------------------------------------------------------------------------

    @property
    def _mean(self) -> float:
        return self._total / len(self._results) if self._results else 0.0

    def _learn(self, visits: list[Visit], reward: float) -> None:
        mean, alpha, gamma = self._mean, self.config.alpha, self.config.gamma
        step_reward = reward / max(len(visits), 1) if self.config.shaping == "blockqnn" else 0.0
        target = reward
        for state, action, n_actions in reversed(visits):
            known = self._q.setdefault(state, {})
            known[action] = (1 - alpha) * known.get(action, mean) + alpha * target
            best = max(known.values())
            if best < mean and len(known) < n_actions:
                best = mean  # of an action that was never taken
            target = step_reward + gamma * best

    # -- proposing --------------------------------------------------------------------------------

    def propose(self, rng: np.random.Generator) -> Configuration:
        """Run episodes until one leads to a new point; each explores more than the one before, the last always."""
        configuration: Configuration = {}
        for episode in range(_EPISODES):
            epsilon = max(self.epsilon, episode / (_EPISODES - 1))
            configuration = self._episode(epsilon, rng)
            if self.space.key(configuration) not in self._seen:
                break
        return configuration

    def _episode(self, epsilon: float, rng: np.random.Generator) -> Configuration:
        if epsilon >= 1:
            return self.space.decode(self.prior.sample_codes(rng, 1))[0]
        codes = np.full(self.space.n_codes, INACTIVE)
        steps: list[Step] = []
        chooses: Any = self.prior if hasattr(self.prior, "choose") else None
        prior = chooses if chooses is not None and chooses.guides(rng) else None
        point: Codes | None = None  # one that agrees with what is decided so far
        drawn: Codes | None = None  # the last that exploring chose
        for place in range(len(self.decisions)):
            if not self.decisions.is_due(place, codes):
                continue
            chosen = None if rng.random() < epsilon else self._greedy(codes, steps, place, rng)
            if chosen is None and not self._follows(drawn, codes, place):
                drawn = self._explore(codes, place, prior, point, rng)
            point = chosen if chosen is not None else drawn
            assert point is not None
            self.decisions.decide(codes, place, point)
            steps.append((place, self.decisions.action(place, point)))
        return self.space.decode(codes[None])[0]

    def _follows(self, drawn: Codes | None, codes: Codes, place: int) -> bool:
        """Whether what exploring chose earlier still stands, in a space of many decisions."""
        return len(self.decisions) > _FEW and drawn is not None and self.decisions.agree(drawn, codes, place)

    def _explore(self, codes: Codes, place: int, prior: Any, known: Codes | None, rng: np.random.Generator) -> Codes:
        """Return a completion that the prior chooses, or a uniform one; the known one where none other is found."""
        candidates = self.decisions.completions(codes, place, rng, 1 if prior is None else CANDIDATES)
        if not len(candidates):
            return self.space.sample_codes(rng, 1)[0] if known is None else known
        chosen: Codes = candidates[0 if prior is None else prior.choose(candidates, rng)]
        return chosen

    def _greedy(self, codes: Codes, steps: list[Step], place: int, rng: np.random.Generator) -> Codes | None:
        """Return a completion that takes the action of highest Q; None where one never taken promises more."""
        known = self._q.get(self.decisions.state(steps, place))
        if not known:
            return None
        best = max(known.values())
        if best < self._mean and len(known) < self.decisions.count_actions(place, codes):
            return None
        actions = [action for action, q in known.items() if q == best]
        found = self.decisions.completions(codes, place, rng, action=actions[int(rng.integers(len(actions)))])
        return found[0] if len(found) else None
