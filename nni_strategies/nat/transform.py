"""One architecture in, one out: never costlier, and never worse as far as the scorer can tell.

A learner of this one input (:mod:`.learner`) spends the queries, then the input and its `k` most promising outputs are
scored (:mod:`.derive`); the best of all that was scored is the answer, at a tie the cheapest, then the one with the
fewest changes. Where there are no more outputs than queries and `k` together, all are scored instead. Without queries a
policy that learned before proposes the `k` outputs.

Learning pays off where many architectures are transformed; for one, a local search needs fewer evaluations. A scorer
that judges with a supernet's shared weights makes them cheap.

Source: Guo et al.: NAT, NeurIPS 2019, 1910.14488, section 3.4 (the best of ten samples of the policy).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nni_strategies.errors import InvalidArgument, SpaceExhausted, shorten
from nni_strategies.nat import policy_file
from nni_strategies.nat.counter import Cost
from nni_strategies.nat.derive import Derivation
from nni_strategies.nat.edges import Architectures
from nni_strategies.nat.evaluated import Evaluated, joined
from nni_strategies.nat.learner import Learner
from nni_strategies.nat.learner_config import LearnerConfig
from nni_strategies.nat.moves_of_space import INPUT_SHAPE, SpaceMoves, moves_of_space
from nni_strategies.nat.rules import Rule
from nni_strategies.nat.sampling import sampled_outputs, torch_generator
from nni_strategies.nat.transformation import best_output
from nni_strategies.nat.transitions import CostRule, Transitions

QUERIES, K = 100, 10
_DRAWS = 64  # of the policy for each output that is wanted


@dataclass(frozen=True)
class Change:
    """An operation that was replaced.

    Parameters
    ----------
    label
        Of the choice.
    cell, source, node
        Where its edge is: the kind of cell, the node it leaves and the one it enters.
    before, after
        The operations.
    """

    label: str
    cell: str
    source: int
    node: int
    before: Any
    after: Any


@dataclass(frozen=True)
class TransformResult:
    """What became of an architecture.

    Parameters
    ----------
    before, after
        The architectures, as NNI's samples where the space is one of NNI's.
    cost_before, cost_after
        MAdds and parameters.
    score_before, score_after
        What the scorer said; None where it was not asked.
    changed
        The edges whose operations were replaced.
    evaluations
        How many architectures were scored, each once.
    learned
        The policy, where one learned; :func:`~.policy_file.save` keeps it.
    """

    before: dict[str, Any]
    after: dict[str, Any]
    cost_before: Cost
    cost_after: Cost
    score_before: float | None
    score_after: float | None
    changed: tuple[Change, ...]
    evaluations: int
    learned: policy_file.Learned | None = None

    def to_json(self) -> str:
        """Return all but the policy as JSON; ``after`` is what ``model_context`` takes."""
        parts = {
            "before": self.before,
            "after": self.after,
            "cost_before": self.cost_before._asdict(),
            "cost_after": self.cost_after._asdict(),
            "score_before": self.score_before,
            "score_after": self.score_after,
            "changed": [asdict(change) for change in self.changed],
            "evaluations": self.evaluations,
        }
        return json.dumps(parts, indent=1)


def transform(
    sample: Mapping[str, Any],
    space: Any,
    scorer: Any,
    *,
    rule: Rule = "cost",
    cost_rule: CostRule = "strict",
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
        The architecture: NNI's exported dictionary, or a configuration.
    space
        A model space of ``nni.nas``, or a search space; see :func:`~.moves_of_space.moves_of_space`.
    scorer
        Configuration -> number, higher is better: a function, a supernet's
        :class:`~nni_strategies.supernet.scorer.Scorer`, or a table that is looked up by configuration.
    rule, cost_rule
        Which operation may become which: ``nat``, ``nat++`` or ``cost``; ``strict`` or ``paper``.
    policy
        File of a policy that learned on this space (:mod:`.policy_file`); learning starts from it.
    queries
        Scores the learner learns from; 0 with a policy.
    k
        Outputs that are scored in the end. 0: the critic alone chooses, unscored.
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
    _check(queries, k, policy)
    moves = moves_of_space(space, rule, cost_rule, op_classes=op_classes, input_shape=input_shape, costs=costs)
    transitions = moves.transitions
    before = moves.read(sample)
    parent = transitions.view.encode([moves.configuration(before)])
    transitions.refuse_dead(parent)
    known = None if policy is None else policy_file.load(Path(policy), transitions.view)
    judge = _Judge(transitions, scorer)
    if transitions.n_moves(parent)[0] <= queries + k:
        judge(_all_outputs(transitions, parent))
        return _result(moves, judge, before, parent, judge.best(parent, keep_if_worse))
    if known is not None and queries == 0:
        judge(joined([parent, _proposed(known, transitions, parent, k, seed)]))
        return _result(moves, judge, before, parent, judge.best(parent, keep_if_worse))
    learner = Learner(transitions, _settings(config, queries, known), seed, parent)
    if known is not None:
        learner.policy.load_state_dict(known.policy.state_dict())
    _learn(learner, judge)
    derivation = Derivation(learner, parent, k)
    judge(derivation.wanted)
    after = judge.best(parent, keep_if_worse) if k else derivation.result().outputs
    learned = policy_file.Learned(learner.policy, transitions.view, learner.config.policy, learner.config.hidden)
    return _result(moves, judge, before, parent, after, learned)


class _Judge:
    """Asks the scorer, once for each architecture."""

    def __init__(self, transitions: Transitions, scorer: Any) -> None:
        self._transitions = transitions
        self._score = scorer if callable(scorer) else scorer.__getitem__
        self.evaluated = Evaluated(transitions)

    def __call__(self, architectures: Architectures) -> list[float]:
        """Return the scores of architectures; those that are known are not scored again."""
        for row in range(len(architectures)):
            one = architectures[[row]]
            if self.evaluated.places(one)[0] < 0:
                (configuration,) = self._transitions.view.decode(one)
                self.evaluated.add(one, [_finite(self._score(configuration), configuration)])
        return [float(value) for value in self.evaluated.values[self.evaluated.places(architectures)]]

    def known(self, architecture: Architectures) -> float | None:
        """Return the score of an architecture, a batch of one; None where it was not asked for."""
        place = int(self.evaluated.places(architecture)[0])
        return None if place < 0 else float(self.evaluated.values[place])

    def best(self, parent: Architectures, keep: bool) -> Architectures:
        """Return the best output that is known; the input is one if it may be kept."""
        return best_output(self._transitions, self.evaluated, parent, keep=keep)


def _check(queries: int, k: int, policy: Path | str | None) -> None:
    for name, value in (("queries", queries), ("k", k)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise InvalidArgument(name, value, "a whole number from 0")
    if queries == 0 and policy is None:
        raise InvalidArgument("queries", queries, "1 or more: there is no policy that has learned already")
    if queries == 0 and k == 0:
        raise InvalidArgument("k", k, "1 or more, where there are no queries")


def _finite(score: Any, configuration: Mapping[str, Any]) -> float:
    if isinstance(score, bool) or not isinstance(score, (int, float, np.number)) or not math.isfinite(score):
        told = shorten(dict(configuration))
        raise InvalidArgument("scorer", score, f"a finite number for every architecture; this is for {told}")
    return float(score)


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
    first = dict.fromkeys(drawn.keys())
    first.pop(parent.keys()[0], None)
    places = [drawn.keys().index(key) for key in list(first)[:k]]
    return drawn[places]


def _learn(learner: Learner, judge: _Judge) -> None:
    while not learner.done:
        try:
            query = learner.ask()
        except SpaceExhausted:
            break
        learner.tell(query.child, judge(query.child)[0])


def _result(
    moves: SpaceMoves,
    judge: _Judge,
    before: dict[str, Any],
    parent: Architectures,
    child: Architectures,
    learned: policy_file.Learned | None = None,
) -> TransformResult:
    view, costs = moves.transitions.view, moves.transitions.costs
    after = moves.sample(view.decode(child)[0])
    changed = tuple(
        Change(edge.label, edge.cell, int(parent.sources[0, e]), edge.node, before[edge.label], after[edge.label])
        for e, edge in enumerate(view.edges)
        if parent.operations[0, e] != child.operations[0, e]
    )
    cost_before, cost_after = (Cost(*costs.total(one)[0].tolist()) for one in (parent, child))
    return TransformResult(
        before,
        {**before, **{change.label: change.after for change in changed}},
        cost_before,
        cost_after,
        judge.known(parent),
        judge.known(child),
        changed,
        len(judge.evaluated),
        learned,
    )
