"""The ways of transforming many architectures that :mod:`experiments.benchmarks.nat_benefit` compares.

Each returns what it chose after how many evaluations, all counted once: those of learning, of the inputs, and of what
was tried for them. A validation accuracy is looked up and, when one of its arms asks for the same again, not counted.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from experiments.benchmarks.nat_problems import Array, Problem
from nni_strategies.nat.derive import Derivation
from nni_strategies.nat.edges import Architectures, Integers
from nni_strategies.nat.evaluated import Evaluated, joined
from nni_strategies.nat.learner import Learner
from nni_strategies.nat.learner_config import LearnerConfig
from nni_strategies.nat.paper_learner import PaperConfig, PaperLearner

KS = (0, 1, 10)
TOTALS = (1000, 1070, 1150, 1250, 1350, 1500, 1650, 2000, 2500, 3000, 4000, 6000, 8000, 12000)  # of shared-cache random
LOCAL_BUDGETS = (1, 2, 3, 5, 10, 20, 30)
RANDOM_KS = (0, 1, 2, 3, 5, 10, 11, 20, 30)  # 11 asks as often as K = 10 and a query for each input
PORTIONS = (10, 1, 19)  # random outputs drawn at a time: the first are those of the first published runs
PAPER_KS = (1, 2, 3, 5, 10)

_IDLE = 20


@dataclass(frozen=True)
class Outcome:
    """What an arm chose.

    Parameters
    ----------
    setting
        Which of its budgets, such as K.
    outputs
        One for each input.
    evaluations
        Different architectures evaluated in all.
    """

    setting: int
    outputs: Architectures
    evaluations: int


def recipe(
    problem: Problem, inputs: Architectures, queries: int, policy: str, seed: int
) -> tuple[Iterator[Outcome], list[float]]:
    """Return the default learner's outcomes by K, and its outlook by round."""
    learner = Learner(problem.transitions, LearnerConfig(queries=queries, policy=policy), seed)
    while not learner.done:
        query = learner.ask()
        learner.tell(query.child, float(problem.valid(query.child)[0]))
    learner.finish()
    return _derived(problem, learner, inputs), learner.outlook


def _derived(problem: Problem, learner: Learner, inputs: Architectures) -> Iterator[Outcome]:
    """Yield the outcomes by K; the first K rounds of many are the rounds of K."""
    yield Outcome(0, Derivation(learner, inputs, 0).result().outputs, len(learner.evaluated))
    derivation = Derivation(learner, inputs, KS[-1])
    rounds = derivation.rounds()
    for k in range(KS[-1] + 1):
        wanted = next(rounds, inputs[[]])  # of K = 0 those inputs that are not known
        learner.evaluated.add(wanted, problem.valid(wanted))
        if k in KS[1:]:
            yield Outcome(k, derivation.result().outputs, len(learner.evaluated))


def paper(
    problem: Problem, inputs: Architectures, queries: int, policy: str, seed: int, ks: Sequence[int] = PAPER_KS
) -> Iterator[Outcome]:
    """Yield the paper's learner's outcomes by the number of samples of each input."""
    learner = PaperLearner(problem.transitions, problem.valid, PaperConfig(policy=policy, seed=seed))
    learner.learn(queries)
    for k in ks:
        own = copy.deepcopy(learner)
        outputs = own.derive(inputs, samples=k).outputs
        yield Outcome(k, outputs, len(own.evaluations))


def random_samples(
    problem: Problem, inputs: Architectures, seed: int, ks: Sequence[int] = RANDOM_KS
) -> Iterator[Outcome]:
    """Yield the best of each input and of K random valid outputs of its own."""
    rng, n = np.random.default_rng(seed), len(inputs)
    portions = [problem.transitions.random_children(inputs, size, rng) for size in PORTIONS]
    n_edges = inputs.operations.shape[1]
    children = np.concatenate([portion.operations.reshape(n, -1, n_edges) for portion in portions], axis=1)
    for k in ks:
        owner = np.concatenate([np.arange(n), np.repeat(np.arange(n), k)])
        offers = joined([inputs, inputs[owner[n:]].replaced(children[:, :k].reshape(n * k, n_edges))])
        yield Outcome(k, _best_of(problem, inputs, offers, owner), len(set(offers.keys())))


def _best_of(problem: Problem, inputs: Architectures, offers: Architectures, owner: Integers) -> Architectures:
    order = np.lexsort((-problem.valid(offers), owner))
    _, first = np.unique(owner[order], return_index=True)
    return inputs.replaced(offers.operations[order[first]])


def shared_cache(
    problem: Problem, inputs: Architectures, seed: int, totals: Sequence[int] | None = None
) -> Iterator[Outcome]:
    """Yield, by total evaluations, the best that each input can become among the inputs and random outputs of them."""
    rng = np.random.default_rng(seed)
    evaluated = Evaluated(problem.transitions)
    evaluated.add(inputs, problem.valid(inputs))
    for total in totals or TOTALS:
        idle = 0
        while len(evaluated) < total and idle < _IDLE:
            before = len(evaluated)
            parents = inputs[rng.integers(len(inputs), size=total - before)]
            children = problem.transitions.random_children(parents, 1, rng)
            evaluated.add(children, problem.valid(children))
            idle = idle + 1 if len(evaluated) == before else 0
        if idle:
            return  # the inputs' outputs are exhausted, as far as draws can tell
        place, value = evaluated.best_reachable(inputs)
        better = value > problem.valid(inputs)
        found = evaluated.architectures.operations[np.maximum(place, 0)]
        outputs = inputs.replaced(np.where(better[:, None], found, inputs.operations))
        yield Outcome(total, outputs, len(evaluated))


def local_search(
    problem: Problem, inputs: Architectures, seed: int, budgets: Sequence[int] = LOCAL_BUDGETS
) -> Iterator[Outcome]:
    """Yield, by evaluations of each input beside itself, the end of a climb by single edges from it.

    Moves are tried in random order, the first that improves is made. What is known from another input is free.
    """
    rng = np.random.default_rng(seed)
    streams = rng.integers(2**32, size=len(inputs))
    for budget in budgets:
        seen: dict[bytes, float] = {}
        ends = [
            _climbed(problem, inputs[[i]], budget, np.random.default_rng(stream), seen)
            for i, stream in enumerate(streams)
        ]
        yield Outcome(budget, inputs.replaced(np.concatenate(ends)), len(seen))


def _climbed(
    problem: Problem, start: Architectures, budget: int, rng: np.random.Generator, seen: dict[bytes, float]
) -> Integers:
    def value(operations: npt.NDArray[np.int64]) -> float:
        key = operations.tobytes()
        if key not in seen:
            seen[key] = float(problem.valid(start.replaced(operations))[0])
        return seen[key]

    allowed = problem.transitions.allowed(start)[0]
    at, reached = start.operations, value(start.operations)
    most, moves = len(seen) + budget, rng.permutation(np.argwhere(allowed))
    tried = 0
    while tried < len(moves) and len(seen) < most:
        edge, operation = moves[tried]
        tried += 1
        step = at.copy()
        step[0, edge] = operation
        if (step != at).any() and problem.transitions.alive(start.replaced(step))[0] and value(step) > reached:
            at, reached, moves, tried = step, value(step), rng.permutation(np.argwhere(allowed)), 0
    return at


def gains(problem: Problem, inputs: Architectures, outputs: Architectures) -> Array:
    """Return what each input gains in test accuracy, in points, ``[n]``."""
    return problem.test(outputs) - problem.test(inputs)
