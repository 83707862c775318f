"""The agent: its updates by hand, its schedule, conformance, and that it finds what it should."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.decisions import Decisions
from nni_strategies.irlas.qlearning import SCHEDULE, QLearning, QLearningConfig
from nni_strategies.search.searcher import Trial, UniformPrior
from nni_strategies.search.study import Study
from nni_strategies.search.testing import MakeSearcher, SearcherConformance
from nni_strategies.search.testing_spaces import SPACES
from nni_strategies.space.parameters import Categorical
from nni_strategies.space.search_space import SearchSpace
from nni_strategies.topology.nsc_space import nsc_space

TWO = SearchSpace((Categorical("a", (0, 1)), Categorical("b", (0, 1, 2))))


def agent(space=TWO, **config) -> QLearning:
    made = QLearning(space, QLearningConfig(**config))
    made.begin(0)
    return made


def finish(made: QLearning, *results) -> None:
    for number, (configuration, value) in enumerate(results):
        trial = Trial(number, configuration, value=value)
        made.proposed(trial)
        made.finished(trial)


@pytest.mark.timeout(60)
class TestConformance(SearcherConformance):
    n_trials = 40
    n_without_duplicate = 120
    n_imported = 200
    n_per_thread = 8

    @pytest.fixture
    def searcher(self) -> MakeSearcher:
        return lambda space: QLearning(space, QLearningConfig(budget=60))


@pytest.mark.timeout(60)
class TestLastState(SearcherConformance):
    n_trials = 40
    n_without_duplicate = 60
    n_imported = 100
    n_per_thread = 5

    @pytest.fixture
    def searcher(self) -> MakeSearcher:
        return lambda space: QLearning(space, QLearningConfig(budget=60, state="last", shaping="blockqnn"))


def test_updates_by_hand():
    """Two results, no replay: Q from the last decision to the first, what was never taken counts as the mean."""
    made = agent(alpha=0.5, replay=0)
    finish(made, ({"a": 0, "b": 2}, 1.0), ({"a": 0, "b": 1}, 3.0))
    # first: mean 1 everywhere, so all is 1. second: mean 2; b: .5*2+.5*3; a: .5*1+.5*max(1, 2.5, mean of an untried)
    assert made._q[((0, (0,)),)] == {(2,): pytest.approx(1.0), (1,): pytest.approx(2.5)}
    assert made._q[()] == {(0,): pytest.approx(0.5 * 1 + 0.5 * 2.5)}


def test_blockqnn_rewards_every_decision():
    made = agent(alpha=1.0, replay=0, shaping="blockqnn", gamma=1.0)
    finish(made, ({"a": 1, "b": 0}, 4.0))
    assert made._q[()][(1,)] == pytest.approx(4.0 / 2 + 4.0)  # r/T + max Q


def test_replay_is_repeatable_and_brings_q_closer():
    results = [({"a": 0, "b": b}, float(b)) for b in range(3)]
    one, other, none = agent(replay=64), agent(replay=64), agent(replay=0)
    for made in (one, other, none):
        finish(made, *results)
    assert one._q == other._q
    state = ((0, (0,)),)
    assert abs(one._q[state][(2,)] - 2) < abs(none._q[state][(2,)] - 2)


def test_the_schedule_is_blockqnn_s_scaled_to_the_budget():
    assert sum(n for n, _ in SCHEDULE) == 178
    made = agent(budget=178)
    seen = []
    for _ in range(200):
        seen.append(made.epsilon)
        made._n_proposed += 1
    counted = Counter(seen)
    assert (counted[1.0], counted[0.9], counted[0.5], counted[0.1]) == (95, 7, 10, 12 + 22)
    assert seen == sorted(seen, reverse=True)


def test_it_exploits_what_it_found():
    """An additive objective on 5^6 cells: the agent's later trials are above its first ones."""
    space = SPACES["flat"]
    study = Study(QLearning(space, QLearningConfig(budget=200)), seed=1)
    values = []
    for _ in range(200):
        trial = study.ask()
        values.append(sum(value == "conv3" for value in trial.configuration.values()) / 6)
        study.tell(trial.id, values[-1])
    assert not any(study.counts.values())
    assert np.mean(values[-50:]) > np.mean(values[:100]) + 0.1


def test_a_negative_metric_is_no_obstacle():
    """Unknown actions count as the mean, not as zero, which would be better than everything known."""
    study = Study(QLearning(SPACES["flat"], QLearningConfig(budget=200)), seed=1)
    values = []
    for _ in range(200):
        trial = study.ask()
        values.append(-sum(value != "conv3" for value in trial.configuration.values()) - 10.0)
        study.tell(trial.id, values[-1])
    assert np.mean(values[-50:]) > np.mean(values[:100]) + 0.6


def test_nsc_blocks_are_legal_at_every_step():
    space = nsc_space(6)
    study = Study(QLearning(space, QLearningConfig(budget=40)), seed=0)
    for _ in range(60):
        trial = study.ask()
        space.validate(trial.configuration)
        study.tell(trial.id, -float(len(trial.configuration)))
    assert not any(study.counts.values())


def test_the_last_state_sees_its_layer_and_the_one_before():
    space = nsc_space(5)
    decisions = Decisions(space, 8, "last")
    configuration = space.decode(space.sample_codes(np.random.default_rng(3), 50))
    longest = max(configuration, key=len)
    steps = decisions.steps(space.encode([longest])[0])
    place, _ = steps[-1]
    state = decisions.state(steps[:-1], place)
    labels = {space.parameters[p].label.split("_")[1] for p, _ in state[1:]}
    assert len(labels) <= 2
    assert space.parameters[place].label.split("_")[1] in {*labels, space.parameters[place].label.split("_")[1]}
    full = Decisions(space, 8).state(steps[:-1], place)
    assert len(full) == len(steps) - 1


def test_what_is_illegal_is_no_action_that_was_never_taken():
    """After an add of 1 and 0, which alone could be, its bad result is not forgotten for an action that is none."""
    made = agent(nsc_space(2, ("conv3", "add")), replay=0, alpha=1.0)
    add = {"op_1": "conv3", "p1_1": 0, "op_2": "add", "p1_2": 1, "p2_2": 0}
    finish(made, ({"op_1": "conv3", "p1_1": 0, "op_2": "conv3", "p1_2": 0}, 1.0), (add, 0.0))
    begun = ((0, (0,)), (1, (0,)))
    assert made._q[begun][(1,)] == 0.0  # add; the mean is 0.5
    assert made._q[begun][(0,)] == 1.0


class _Chooser(UniformPrior):
    asked = 0

    def guides(self, rng):
        return True

    def choose(self, codes, rng):
        self.asked += 1
        return 0


def test_any_prior_that_can_choose_is_asked():
    prior = _Chooser(SPACES["flat"])
    study = Study(QLearning(SPACES["flat"], QLearningConfig(budget=20), prior=prior), seed=1)
    for _ in range(20):
        study.tell(study.ask().id, 0.5)
    assert prior.asked > 10


@pytest.mark.parametrize(("n_decisions", "asked"), [(12, 12), (13, 1)])
def test_in_large_spaces_an_episode_that_only_explores_chooses_once(n_decisions, asked):
    space = SearchSpace(tuple(Categorical(f"x_{i}", tuple(range(5))) for i in range(n_decisions)))
    prior = _Chooser(space)
    made = QLearning(space, QLearningConfig(), prior=prior)
    made._episode(0.5, np.random.default_rng(0))  # nothing is known, so every decision explores
    assert prior.asked == asked


def test_in_large_spaces_it_chooses_anew_where_a_greedy_decision_departs():
    space = SearchSpace(tuple(Categorical(f"x_{i}", (0, 1)) for i in range(20)))

    class First(_Chooser):
        """Chooses the candidate of most ones."""

        def choose(self, codes, rng):
            self.asked += 1
            return int(np.argmax(codes.sum(axis=1)))

    prior = First(space)
    made = QLearning(space, QLearningConfig(replay=0), prior=prior)
    finish(made, (dict.fromkeys(space.labels, 0), 1.0))  # greedy decisions are zeros, as long as all before are
    rng, asked = np.random.default_rng(3), []
    for _ in range(40):
        before = prior.asked
        values = list(made._episode(0.5, rng).values())
        asked.append(prior.asked - before)
        assert asked[-1] <= 1 + (values.index(1) if 1 in values else 20)
    assert {1, 2} <= set(asked)


def test_where_no_other_completion_is_found_the_agent_goes_on(monkeypatch):
    """It keeps to the last point that agreed with what is decided: always a completion."""
    space = SPACES["flat"]
    study = Study(QLearning(space, QLearningConfig(budget=30)), seed=1)
    found = study.searcher.decisions.completions

    def rarely(decided, place, *args, **options):
        points = found(decided, place, *args, **options)
        return points[:0] if place in (2, 4) else points

    monkeypatch.setattr(study.searcher.decisions, "completions", rarely)
    for _ in range(40):
        trial = study.ask()
        study.tell(trial.id, 0.5)
    assert not study.counts["searcher errors"]


@pytest.mark.parametrize(
    ("config", "field"),
    [({"budget": 0}, "budget"), ({"alpha": 0}, "alpha"), ({"alpha": 2}, "alpha"), ({"gamma": -0.1}, "gamma"),
     ({"replay": -1}, "replay"), ({"bins": 1}, "bins"), ({"state": "lst"}, "state"), ({"shaping": "x"}, "shaping")],
)  # fmt: skip
def test_bad_hyper_parameters_are_refused(config, field):
    with pytest.raises(InvalidArgument) as caught:
        QLearningConfig(**config)
    assert caught.value.field == field
