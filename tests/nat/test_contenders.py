"""What is offered next for inputs, and in which rounds: against enumerations and a critic of one's own."""

from __future__ import annotations

import numpy as np
import pytest

from nni_strategies.nat.contenders import SAMPLES, Contenders, neighbours
from nni_strategies.nat.critic.critic import Critic
from nni_strategies.nat.edges import Architectures
from nni_strategies.nat.evaluated import Evaluated, identities
from nni_strategies.nat.learner import Learner
from nni_strategies.nat.output_rounds import LEAST_RESULTS, OutputRounds
from nni_strategies.nat.paper_queries import PaperQueries
from nni_strategies.nat.shortlist import shortlists
from nni_strategies.nat.transitions import Transitions
from tests.nat.searcher_spaces import config
from tests.nat.test_learner import DARTS, MOVES, SMALL, run, worth

BOTH = pytest.mark.parametrize("moves", [MOVES, DARTS], ids=["nasbench201", "darts"])


def learned(moves: Transitions, inputs: Architectures, *, known: bool = True) -> Learner:
    learner = Learner(moves, SMALL, seed=1)
    run(learner)
    learner.finish()
    if known:
        learner.evaluated.add(inputs, worth(inputs))
    return learner


@BOTH
def test_neighbours_are_all_valid_outputs_that_differ_from_one_in_one_edge(moves: Transitions):
    rng = np.random.default_rng(3)
    inputs = moves.inputs(rng, 3)
    outputs = moves.random_children(inputs, 1, rng)
    found, owner = neighbours(moves, inputs, outputs.operations)
    allowed = moves.allowed(inputs)
    for i in range(3):
        changed = []
        for edge, operation in np.argwhere(allowed[i]):
            one = outputs[[i]].operations.copy()
            one[0, edge] = operation
            if one[0, edge] != outputs.operations[i, edge] and moves.valid(inputs[[i]], inputs[[i]].replaced(one))[0]:
                changed.append(tuple(one[0].tolist()))
        assert sorted(map(tuple, found.operations[owner == i].tolist())) == sorted(changed)
        assert changed


@BOTH
def test_first_comes_the_highest_mean_and_deviation_of_what_is_new(moves: Transitions):
    inputs = moves.inputs(np.random.default_rng(0), 6)
    learner = learned(moves, inputs)
    known = learner.evaluated
    critic = Critic(moves.view, moves.classes)
    critic.fit(known.architectures, known.values)
    place, value = known.best_reachable(inputs)
    seen = set(identities(moves.view, known.architectures))
    drawn = shortlists(learner, inputs)
    for i, ranked in enumerate(Contenders(learner, inputs).ranked(known)):
        best = known.architectures[[place[i]]]
        near, _ = neighbours(moves, inputs[[i]], best.operations)
        offers = {*identities(moves.view, drawn[i][:SAMPLES]), *identities(moves.view, near)} - seen
        assert set(ranked.names) == offers and len(ranked.names) == len(offers)
        assert moves.valid(inputs[np.full(len(offers), i)], ranked.outputs).all()
        mean, sd = critic.predict(ranked.outputs)
        hope = mean + sd
        assert (np.diff(hope) <= 1e-9).all()
        assert ranked.n_worth == (hope > critic.target(value[[i]])).sum()
        assert ranked.predicted == pytest.approx(critic.value(mean))


def test_the_ranking_is_of_the_results_and_not_of_what_was_asked_before():
    inputs = MOVES.inputs(np.random.default_rng(0), 5)
    learner = learned(MOVES, inputs)
    fresh, used = Contenders(learner, inputs), Contenders(learner, inputs)
    used.ranked(learner.evaluated.first(12))
    for ours, theirs in zip(fresh.ranked(learner.evaluated), used.ranked(learner.evaluated), strict=True):
        assert ours.names == theirs.names
        assert ours.predicted.tolist() == theirs.predicted.tolist()


def test_the_learner_stays_as_it_was():
    inputs = MOVES.inputs(np.random.default_rng(0), 5)
    learner = learned(MOVES, inputs)
    before = learner.critic.mean(inputs)
    Contenders(learner, inputs).ranked(learner.evaluated)
    assert learner.critic.mean(inputs).tolist() == before.tolist()


def test_without_any_result_all_are_worth_an_evaluation_and_nothing_is_expected():
    learner, inputs = Learner(MOVES, SMALL, seed=1), MOVES.inputs(np.random.default_rng(0), 2)
    learner.finish()
    for ranked in Contenders(learner, inputs).ranked(Evaluated(MOVES)):
        assert ranked.n_worth == len(ranked.names) > 0
        assert np.isnan(ranked.predicted).all()


def test_a_round_offers_each_input_its_first_and_begins_when_results_are_in():
    inputs = MOVES.inputs(np.random.default_rng(0), 5)
    learner = learned(MOVES, inputs)
    rounds, again = OutputRounds(learner, inputs), OutputRounds(learner, inputs)
    taken = dict.fromkeys(identities(MOVES.view, learner.evaluated.architectures))
    first = Contenders(learner, inputs).ranked(learner.evaluated)
    offered = []
    for _ in range(5):
        found = rounds.next(taken.keys())
        assert found is not None
        number, output, expected = found
        rounds.proposed()
        again.proposed()  # of a search that goes on from the journal: told, and not asked
        name = identities(MOVES.view, output)[0]
        place = first[number].names.index(name)
        assert all(before in taken for before in first[number].names[:place])
        assert expected == first[number].predicted[place]
        taken[name] = None
        offered.append((number, output))
    worthy = {number for number, ranked in enumerate(first) if ranked.n_worth}
    assert {number for number, _ in offered} >= worthy and len(worthy) > 1
    for number, (_, output) in enumerate(offered):
        assert again.next(taken.keys())[2] == rounds.next(taken.keys())[2]  # type: ignore[index]
        learner.evaluated.add(output, worth(output))
        n_new = number + 1
        assert (rounds._n_known() == len(learner.evaluated)) == (n_new >= max(5, LEAST_RESULTS))
    later = Contenders(learner, inputs).ranked(learner.evaluated)
    number, output, expected = rounds.next(taken.keys())  # type: ignore[misc]
    assert identities(MOVES.view, output)[0] == later[number].names[0]
    assert expected == later[number].predicted[0]
    assert identities(MOVES.view, again.next(taken.keys())[1]) == identities(MOVES.view, output)  # type: ignore[index]


def test_when_all_are_taken_there_is_none():
    inputs = MOVES.inputs(np.random.default_rng(0), 2)
    learner = learned(MOVES, inputs)
    names = {name for ranked in Contenders(learner, inputs).ranked(learner.evaluated) for name in ranked.names}
    rounds = OutputRounds(learner, inputs)
    assert rounds.next(set()) is not None
    assert rounds.next(names) is None


def test_without_a_critic_outputs_come_in_the_order_that_they_were_drawn():
    inputs = MOVES.inputs(np.random.default_rng(0), 2)
    learner = PaperQueries(MOVES, config(learner="paper"), 1, inputs)
    rounds, taken = OutputRounds(learner, inputs), set()
    drawn = [identities(MOVES.view, each) for each in shortlists(learner, inputs)]
    for _ in range(6):
        new = [next(i for i, name in enumerate(names) if name not in taken) for names in drawn]
        place, first = min(zip(new, range(2), strict=True))
        number, output, expected = rounds.next(taken)  # type: ignore[misc]
        assert (number, identities(MOVES.view, output), expected) == (first, [drawn[first][place]], None)
        taken |= set(identities(MOVES.view, output))
