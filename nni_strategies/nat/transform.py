"""One architecture in, one out: never costlier, and never worse as far as the scorer can tell.

A learner of this one input (:mod:`.learner`) spends the queries, then the input and, one after the other, at most `k`
of its most promising outputs are scored (:mod:`.derive`); the best of all that was scored is the answer, at a tie the
cheapest, then the one with the fewest changes. Where there are no more outputs than queries and `k` together, all are
scored instead. Without queries a policy that learned before proposes the `k` outputs.

Learning pays off where many architectures are transformed; for one, a local search needs fewer evaluations. A scorer
that judges with a supernet's shared weights makes them cheap.

Source: Guo et al.: NAT, NeurIPS 2019, 1910.14488, section 3.4 (the best of ten samples of the policy).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nni_strategies.errors import InvalidArgument, NNIStrategiesError, SpaceExhausted, shorten
from nni_strategies.nat import policy_file
from nni_strategies.nat.derive import Derivation
from nni_strategies.nat.edges import Architectures
from nni_strategies.nat.evaluated import Evaluated, bounded, joined
from nni_strategies.nat.genotypes import Architecture
from nni_strategies.nat.learner import Learner
from nni_strategies.nat.learner_config import LearnerConfig
from nni_strategies.nat.live_costs import CostMode
from nni_strategies.nat.moves_of_space import INPUT_SHAPE, moves_of_space
from nni_strategies.nat.rules import Rule
from nni_strategies.nat.sampling import sampled_outputs, torch_generator
from nni_strategies.nat.transformation import Change, Transformation, best_output, transformation
from nni_strategies.nat.transitions import CostRule, Transitions
from nni_strategies.space.search_space import Configuration

__all__ = ["Change", "TransformResult", "transform"]

QUERIES, K = 100, 10
_DRAWS = 64  # of the policy for each output that is wanted


@dataclass(frozen=True)
class TransformResult(Transformation):
    """What became of an architecture, and what it took.

    Parameters
    ----------
    evaluations
        How many architectures were scored, each once.
    learned
        The policy, where one learned; :func:`~.policy_file.save` keeps it.
    unspent
        Queries that were left when the learner found nothing new to propose.
    scores
        Those of the input and of what it can become, in the order in which they were asked for.
    queried
        How many of them, from the first, the learner learned from.
    outlook
        By round of queries, how often a draw of the critic had something better than all that was known, 0 to 1. Once
        it is 0, further queries are of little use.
    """

    evaluations: int
    learned: policy_file.Learned | None = None
    unspent: int = 0
    scores: tuple[float, ...] = ()
    queried: int = 0
    outlook: tuple[float, ...] = ()

    def _parts(self) -> dict[str, Any]:
        counts = {"evaluations": self.evaluations, "unspent": self.unspent, "queried": self.queried}
        return {**super()._parts(), **counts, "scores": list(self.scores), "outlook": list(self.outlook)}


def transform(
    sample: Architecture,
    space: Any,
    scorer: Any,
    *,
    rule: Rule = "cost",
    cost_rule: CostRule = "strict",
    cost_mode: CostMode = "nominal",
    policy: Path | str | None = None,
    queries: int = QUERIES,
    k: int = K,
    seed: int = 0,
    config: LearnerConfig | None = None,
    op_classes: Mapping[str, str] | None = None,
    input_shape: Sequence[int] = INPUT_SHAPE,
    costs: Mapping[str, Sequence[int]] | None = None,
    keep_if_worse: bool = True,
) -> TransformResult:
    """Transform an architecture into one that costs no more and scores no less.

    Parameters
    ----------
    sample
        The architecture: NNI's exported dictionary, a configuration, or a genotype (:mod:`.genotypes`).
    space
        A model space of ``nni.nas``, or a search space; see :func:`~.moves_of_space.moves_of_space`.
    scorer
        Configuration -> number, higher is better: a function, a supernet's
        :class:`~nni_strategies.supernet.scorer.Scorer`, or a table that is looked up by configuration.
    rule, cost_rule
        Which operation may become which: ``nat``, ``nat++`` or ``cost``; ``strict`` or ``paper``.
    cost_mode
        ``nominal``, or ``live`` where what reaches a cell's output must not cost more either.
    policy
        File of a policy that learned on this space (:mod:`.policy_file`); learning starts from it.
    queries
        Scores the learner learns from; 0 with a policy.
    k
        Outputs that are scored in the end, at most. 0: the critic alone chooses, unscored.
    seed
        Of everything drawn.
    config
        The learner's other hyper-parameters.
    op_classes, input_shape, costs
        See :func:`~.moves_of_space.moves_of_space`.
    keep_if_worse
        Whether the input is the answer where no output scores as much; else the best output is.

    Raises
    ------
    InvalidArgument
        A sample that is not of the space or has a dead cell, a file of another space's policy, numbers out of range, or
        a score that is not finite.
    """
    _check(queries, k, seed, policy)
    judged = _score_of(scorer)
    rules = rule, cost_rule, cost_mode
    moves = moves_of_space(space, *rules, op_classes=op_classes, input_shape=input_shape, costs=costs)
    transitions = moves.transitions
    before = moves.read(sample)
    parent = transitions.view.encode([moves.configuration(before)])
    transitions.refuse_dead(parent)
    transitions.costs.refuse_uneven(parent)
    known = None if policy is None else policy_file.load(Path(policy), transitions.view)
    judge = _Judge(transitions, judged)
    learner, after, unspent, queried = None, None, 0, 0
    if transitions.n_moves(parent)[0] <= queries + k:
        judge(_all_outputs(transitions, parent))
    elif known is not None and queries == 0:
        judge(joined([parent, _proposed(known, transitions, parent, k, seed)]))
    else:
        learner = Learner(transitions, _settings(config, queries, known), seed, parent)
        if known is not None:
            learner.policy.load_state_dict(known.policy.state_dict())
        unspent = _learn(learner, judge)
        queried = len(judge.evaluated)
        derivation = Derivation(learner, parent, k)
        for wanted in derivation.rounds():
            learner.evaluated.add(wanted, [bounded(score) for score in judge(wanted)])
        after = None if k else derivation.result().outputs
    if after is None:
        after = best_output(transitions, judge.evaluated, parent, keep=keep_if_worse)
    transitions.costs.refuse_uneven(after)
    found = transformation(transitions, judge.evaluated, parent, after)
    return TransformResult(
        before,
        {**before, **{change.label: change.after for change in found.changed}},
        found.cost_before,
        found.cost_after,
        found.score_before,
        found.score_after,
        found.changed,
        found.dead,
        found.live_before,
        found.live_after,
        len(judge.evaluated),
        None if learner is None else _learned(learner),
        unspent,
        tuple(judge.evaluated.values.tolist()),
        queried,
        () if learner is None else tuple(learner.outlook),
    )


class _Judge:
    """Asks the scorer, once for each architecture."""

    def __init__(self, transitions: Transitions, score: Callable[[Configuration], Any]) -> None:
        self._transitions, self._score = transitions, score
        self.evaluated = Evaluated(transitions)

    def __call__(self, architectures: Architectures) -> list[float]:
        """Return the scores of architectures; those that are known are not scored again."""
        for row in self.evaluated.unknown(architectures).tolist():
            one = architectures[[row]]
            (configuration,) = self._transitions.view.decode(one)
            self.evaluated.add(one, [self._asked(configuration)])
        return [float(value) for value in self.evaluated.values_of(architectures)]

    def _asked(self, configuration: Configuration) -> float:
        allowed = f"a finite number for every architecture; this is for {shorten(dict(configuration))}"
        try:
            score = self._score(configuration)
        except NNIStrategiesError:
            raise
        except Exception as error:  # the user's code
            raise InvalidArgument("scorer", repr(error), allowed) from error
        if isinstance(score, bool) or not isinstance(score, (int, float, np.number)) or not math.isfinite(score):
            raise InvalidArgument("scorer", score, allowed)
        return float(score)


def _score_of(scorer: Any) -> Callable[[Configuration], Any]:
    if callable(scorer):
        found: Callable[[Configuration], Any] = scorer
        return found
    if not hasattr(scorer, "__getitem__"):
        raise InvalidArgument("scorer", scorer, "a function configuration -> number, or a table of them")
    looked_up: Callable[[Configuration], Any] = scorer.__getitem__
    return looked_up


def _check(queries: int, k: int, seed: int, policy: Path | str | None) -> None:
    for name, value in (("queries", queries), ("k", k), ("seed", seed)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise InvalidArgument(name, value, "a whole number from 0")
    if queries == 0 and policy is None:
        raise InvalidArgument("queries", queries, "1 or more: there is no policy that has learned already")
    if queries == 0 and k == 0:
        raise InvalidArgument("k", k, "1 or more, where there are no queries")


def _settings(config: LearnerConfig | None, queries: int, known: policy_file.Learned | None) -> LearnerConfig:
    settings = replace(config or LearnerConfig(), queries=queries)
    return settings if known is None else replace(settings, policy=known.name, hidden=known.hidden)


def _all_outputs(transitions: Transitions, parent: Architectures) -> Architectures:
    operations = transitions.reachable(parent)
    return Architectures(operations, np.repeat(parent.sources, len(operations), axis=0), parent.rest * len(operations))


def _proposed(
    known: policy_file.Learned, transitions: Transitions, parent: Architectures, k: int, seed: int
) -> Architectures:
    """Return `k` different outputs, or fewer, in the order that a policy draws them; the input is none of them."""
    generator = torch_generator(np.random.default_rng(seed))
    drawn = sampled_outputs(known.policy, transitions, parent, _DRAWS * k, generator)
    first: dict[bytes, int] = {}
    for place, key in enumerate(drawn.keys()):
        first.setdefault(key, place)
    first.pop(parent.keys()[0], None)
    return drawn[list(first.values())[:k]]


def _learn(learner: Learner, judge: _Judge) -> int:
    """Spend the queries; return how many are left where nothing new is found."""
    spent = 0
    while not learner.done:
        try:
            query = learner.ask()
        except SpaceExhausted:
            return learner.config.queries - spent
        learner.tell(query.child, bounded(judge(query.child)[0]))
        spent += 1
    return 0


def _learned(learner: Learner) -> policy_file.Learned:
    config = learner.config
    return policy_file.Learned(learner.policy, learner.transitions.view, config.policy, config.hidden)
