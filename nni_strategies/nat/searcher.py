"""NAT as a searcher: given or drawn architectures are transformed into better ones that cost no more.

A search has three phases:

1. **Queries**: outputs of the inputs, from which the learner learns (:mod:`.learner`, :mod:`.paper_queries`).
2. **Inputs**: the architectures themselves; while results of queries are out, they come first.
3. **Outputs**: in rounds of each input the most promising by a critic that has learned from all results so far
   (:mod:`.output_rounds`), as many as there are trials for. When none are left, what else an input can become; inputs
   that were drawn are followed by further ones.

Nothing is proposed twice, and the search is complete when nothing is left. The output of an input is the best that was
evaluated for whatever reason (:meth:`NATSearcher.transformed`), so that it is never worse than its input.

Deviation from the paper, which transforms with shared weights: here a trial evaluates, as long as it takes.

Source: Guo et al.: NAT: Neural Architecture Transformer for Accurate and Compact Architectures, NeurIPS 2019,
1910.14488.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from nni_strategies.errors import InvalidArgument, SpaceExhausted
from nni_strategies.nat import policy_file
from nni_strategies.nat.config import NATConfig
from nni_strategies.nat.edges import Architectures
from nni_strategies.nat.evaluated import Identity, bounded, contexts, identities
from nni_strategies.nat.genotypes import sample_of
from nni_strategies.nat.given_inputs import checked_inputs
from nni_strategies.nat.input_files import read_inputs
from nni_strategies.nat.learner import Learner
from nni_strategies.nat.leftovers import Leftovers, distinct
from nni_strategies.nat.moves_of_space import SpaceMoves, moves_of_space
from nni_strategies.nat.output_rounds import OutputRounds
from nni_strategies.nat.paper_queries import PaperQueries
from nni_strategies.nat.queries import Query
from nni_strategies.nat.transformation import Transformation, cost_of, transformation
from nni_strategies.search.searcher import Prior, Searcher, SearcherConfig, Trial, UniformPrior, describe_prior
from nni_strategies.space.search_space import Configuration, SearchSpace

_INPUTS = 4  # what a generator is for


@dataclass(frozen=True)
class _Offer:
    """What is proposed, and why; `number` is that of the input, -1 for none."""

    phase: str
    number: int
    parent: Architectures
    child: Architectures
    predicted: float | None = None


class NATSearcher(Searcher):
    """Transforms architectures.

    Parameters
    ----------
    space
        What is searched.
    config
        Hyper-parameters; the defaults when None.
    prior
        Where inputs are drawn that are not given.
    moves
        What may become what; None where the space's labels, and ``config.costs``, say it.

    Raises
    ------
    InvalidArgument
        A space without edges, costs that are needed and not given, an input that is not of the space or dead, a file of
        another space's policy.
    """

    algorithm: ClassVar[str] = "NAT"
    Config: ClassVar[type[SearcherConfig]] = NATConfig
    config: NATConfig

    def __init__(
        self,
        space: SearchSpace,
        config: SearcherConfig | None = None,
        *,
        prior: Prior | None = None,
        moves: SpaceMoves | None = None,
    ) -> None:
        super().__init__(space, config, prior=prior)
        own = self.config
        moves = moves or moves_of_space(space, *own.rules, op_classes=own.op_classes, costs=own.costs)
        self.transitions = moves.transitions
        self._view = self.transitions.view
        self._given: Architectures | None = None
        if self.config.inputs is not None:
            self._given = checked_inputs(self.config.inputs, moves)
        file = own.policy_file
        self._taught = None if file is None else policy_file.load(Path(file), self._view, "policy_file")
        self._offer: _Offer | None = None
        self._begin(0)

    def describe(self) -> dict[str, Any]:
        """Return what this search is, as JSON types: with given inputs as they were read, and what may become what."""
        moves = np.packbits(self.transitions.moves(self.transitions.costs.edge_costs))
        inputs = self.config.inputs
        read = None if inputs is None else [sample_of(one) for one in read_inputs(inputs)]
        said = {"inputs": read, "moves": zlib.crc32(moves.tobytes())}
        if self._taught is not None:
            said["policy"] = self._taught.checksum
        return super().describe() | said

    def begin(self, seed: int) -> None:
        """Draw the inputs that are not given."""
        self._begin(seed)

    def _begin(self, seed: int) -> None:
        self.inputs = self._draw_inputs(np.random.default_rng([seed, _INPUTS])) if self._given is None else self._given
        learner = PaperQueries if self.config.learner == "paper" else Learner
        self.learner: Learner | PaperQueries = learner(self.transitions, self.config, seed, self.inputs)
        if self._taught is not None:
            self.learner.policy.load_state_dict(self._taught.policy.state_dict())
        self._leftovers = Leftovers(self.transitions, self.inputs, drawn=self._given is None)
        self._names = identities(self._view, self.inputs)
        self._taken: dict[Identity, None] = {}  # proposed, or known otherwise
        self._n_asked = 0  # queries
        self._others: set[int] = set()  # trials that are no queries
        self._outputs = OutputRounds(self.learner, self.inputs)

    # -- proposals --------------------------------------------------------------------------------

    def propose(self, rng: np.random.Generator) -> Configuration:
        """Choose a query, an input or an output."""
        self._offer = self._next(rng)
        return self._configuration(self._offer.child)

    def _next(self, rng: np.random.Generator) -> _Offer:
        sources = [self._query, self._input] if self._asks else [self._input, self._query]
        if self.learner.done:
            sources = [self._input, self._output]
        found = next((offer for source in sources if (offer := source()) is not None), None)
        return self._leftover(rng) if found is None else found

    @property
    def _asks(self) -> bool:
        """Whether more queries are due; when they are all under way, results may still be out."""
        return not self.learner.done and self._n_asked < self.config.queries

    def _query(self) -> _Offer | None:
        if not self._leftovers.any_output(self._taken.keys()):
            return None
        try:
            query = self.learner.propose()
        except SpaceExhausted:
            return None
        parent, child = (self._number(one) for one in (query.parent, query.child))
        if child >= 0:
            return _Offer("input", child, query.child, query.child, self._predicted(query))
        return _Offer("query", parent, query.parent, query.child, self._predicted(query))

    def _number(self, architecture: Architectures) -> int:
        """Return which input a batch of one is, -1 for none."""
        name = identities(self._view, architecture)[0]
        return self._names.index(name) if name in self._names else -1

    def _input(self) -> _Offer | None:
        for number, name in enumerate(self._names):
            if name not in self._taken:
                given = self.inputs[[number]]
                return _Offer("input", number, given, given)
        return None

    def _output(self) -> _Offer | None:
        found = self._outputs.next(self._taken.keys())
        if found is None:
            return None
        number, output, expected = found
        return _Offer("output", number, self.inputs[[number]], output, expected)

    def _leftover(self, rng: np.random.Generator) -> _Offer:
        number, child = self._leftovers.draw(self._taken.keys(), rng)
        if number is None:
            return _Offer("query", -1, child, child)
        return _Offer("output", number, self.inputs[[number]], child)

    def draw_unseen(self, rng: np.random.Generator) -> Configuration:
        """Draw what an input can become, or, where inputs are drawn, anything alive.

        Raises
        ------
        SpaceExhausted
            Everything was proposed.
        """
        return self._configuration(self._leftovers.draw(self._taken.keys(), rng)[1])

    def _configuration(self, child: Architectures) -> Configuration:
        return self.space.normal_form(self._view.decode(child)[0])

    # -- events -----------------------------------------------------------------------------------

    def proposed(self, trial: Trial) -> None:
        """Note what is under way, and whether the learner waits for it."""
        left = self._input() is not None
        no_query = not self._asks and (self.learner.done or left)
        if self.learner.done and not left:
            self._outputs.proposed()
        child = self._view.encode([trial.configuration])
        self._taken[identities(self._view, child)[0]] = None
        self.learner.proposed(child)
        if no_query:
            self._others.add(trial.id)
        else:
            self._n_asked += 1

    def finished(self, trial: Trial) -> None:
        """Learn what a trial reached."""
        assert trial.value is not None
        child, value = self._known(trial), bounded(trial.value)
        if trial.id in self._others:
            self.learner.evaluated.add(child, [value])
        else:
            self.learner.tell(child, value)

    def failed(self, trial: Trial) -> None:
        """Note that a trial gave no value."""
        child = self._known(trial)
        if trial.id not in self._others:
            self.learner.failed(child)

    def _known(self, trial: Trial) -> Architectures:
        child = self._view.encode([trial.configuration])
        self._taken[identities(self._view, child)[0]] = None  # an imported one was never proposed
        return child

    # -- what was found ---------------------------------------------------------------------------

    def transformed(self, number: int) -> Transformation:
        """Return what became of an input so far.

        Parameters
        ----------
        number
            Of the input, from 0, in the order of :attr:`inputs`.
        """
        return transformation(self.transitions, self.learner.evaluated, self.inputs[[number]])

    def learned(self) -> policy_file.Learned:
        """Return the policy as it is by now; :func:`.policy_file.save` keeps it for other inputs of the space."""
        if isinstance(self.learner, Learner):
            self.learner.settle()
        return policy_file.Learned(self.learner.policy, self._view, self.config.policy, self.config.hidden)

    def remarks(self, configuration: Configuration) -> dict[str, Any]:
        """Return what a configuration was proposed for, and what it costs; of one from elsewhere what it costs."""
        offer = self._offer
        if offer is None or self.space.key(self._configuration(offer.child)) != self.space.key(configuration):
            own = self._view.encode([configuration])
            offer = _Offer("query", -1, own, own)
        said: dict[str, Any] = {
            "phase": offer.phase,
            "input": offer.number,
            "parent": self._configuration(offer.parent),
            "cost": list(cost_of(self.transitions, offer.child)),
            "parent_cost": list(cost_of(self.transitions, offer.parent)),
            "predicted": offer.predicted,
            "output_of": self._inputs_of(offer.child),
        }
        learner = self.learner
        if isinstance(learner, Learner) and not learner.done and offer.phase == "query" and learner.outlook:
            said["outlook"] = learner.outlook[-1]
        return {**(super().remarks(configuration) or {}), "nat": said}

    def _inputs_of(self, child: Architectures) -> list[int]:
        """Return the numbers of the inputs that can become a child."""
        same = np.array(contexts(self._view, self.inputs)) == contexts(self._view, child)[0]
        valid = self.transitions.valid(self.inputs, child[np.zeros(len(self.inputs), dtype=np.int64)])
        return [int(number) for number in np.flatnonzero(valid & same)]

    def _predicted(self, query: Query) -> float | None:
        """Return what the critic expects of a query; None of one that was chosen blindly."""
        critic = self.learner.critic
        return None if query.worth is None or critic is None else float(critic.value(critic.mean(query.child))[0])

    # -- inputs -----------------------------------------------------------------------------------

    def _draw_inputs(self, rng: np.random.Generator) -> Architectures:
        """Draw the inputs; fewer where the space has fewer."""
        nulls = self.config.null_probability
        if type(self.prior) is UniformPrior:
            draw = partial(self.transitions.inputs, null_probability=nulls)
            return distinct(self._view, draw, rng, self.config.n_inputs)
        if nulls is not None:
            raise InvalidArgument("null_probability", nulls, f"absent beside the prior {describe_prior(self.prior)}")
        drawn = distinct(self._view, self._draw_from_prior, rng, self.config.n_inputs)
        if not len(drawn):
            raise InvalidArgument("prior", describe_prior(self.prior), "one that draws cells that are not dead")
        return drawn

    def _draw_from_prior(self, rng: np.random.Generator, n: int) -> Architectures:
        drawn = self._view.encode(self.space.decode(self.prior.sample_codes(rng, n)))
        return drawn[self.transitions.alive(drawn)]
