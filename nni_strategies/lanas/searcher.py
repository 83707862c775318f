"""LaNAS: learn latent actions from the results, follow them to a promising region, search there.

Wang, Xie, Li, Fonseca, Tian: Sample-Efficient Neural Architecture Search by Learning Actions for Monte Carlo Tree
Search, 1906.06832 (TPAMI 2022); LA-MCTS: Wang, Fonseca, Tian, 2007.00708.

Deviations from the paper in the default: ranks instead of raw metrics (in ``preset="paper"`` too), fewer initial draws
and earlier re-learning, histogram features, candidates bred from the region's best instead of uniform draws, chosen by
a Gaussian process's expected improvement, and an escape from stagnation. The README of this folder
has the ablation and the list of the official code's defects that are not reproduced.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from nni_strategies.errors import SpaceExhausted
from nni_strategies.lanas.candidates import Seen, best_members, collect
from nni_strategies.lanas.config import LaNASConfig
from nni_strategies.lanas.features import Features
from nni_strategies.lanas.initial_design import latin_hypercube
from nni_strategies.lanas.numerical_sampler import NumericalSampler
from nni_strategies.lanas.pool import Pool
from nni_strategies.lanas.pool_source import load_pool
from nni_strategies.lanas.region import Region, draw_inside
from nni_strategies.lanas.results import Results
from nni_strategies.lanas.splits import load_scikit_learn
from nni_strategies.lanas.surrogate import Surrogate
from nni_strategies.lanas.tree import LatentActionTree, Node
from nni_strategies.search.searcher import Prior, Searcher, SearcherConfig, Trial, UniformPrior
from nni_strategies.space.parameters import Codes, Numerical
from nni_strategies.space.search_space import Configuration, SearchSpace

_N_INIT = 10
_DRAW = 64
_DRAWS = 16
_COSTLY_DRAW = 4  # a prior may look at many points for each that it draws
_POOL_CANDIDATES = 1024
_ENUMERABLE = 30_000  # points, in a third of a second; in a larger space that much was not searched


class LaNASSearcher(Searcher):
    """Latent-action tree with a local sampler in the chosen region.

    Parameters
    ----------
    space
        What is searched: choices, subsets, numbers, conditions and constraints.
    config
        Hyper-parameters; the defaults when None.
    prior
        Where blind draws come from; uniform when None.

    Attributes
    ----------
    relaxed
        How many boundaries were dropped since their region held nothing new.
    """

    algorithm: ClassVar[str] = "LaNAS"
    Config: ClassVar[type[SearcherConfig]] = LaNASConfig
    config: LaNASConfig

    def __init__(self, space: SearchSpace, config: SearcherConfig | None = None, *, prior: Prior | None = None) -> None:
        super().__init__(space, config, prior=prior)
        self.features = Features(space, self.config.histogram, self.config.histogram_groups, self.config.quadratic)
        self.results = Results(self.features)
        self.pool: Pool | None = None
        if self.config.pool is not None:
            codes, configurations = load_pool(self.config.pool, space)
            self.pool = Pool(codes, self.features, configurations)
        # Inside a region: what the results say is not to be overruled by a prior once there are some.
        self._uniform = UniformPrior(space)
        self.relaxed = 0
        self.n_init = self._initial_draws()
        self._seed = 0
        self._design: Codes | None = None
        self._pending: dict[int, Codes] = {}
        self._finished: set[int] = set()
        self._worst: dict[int, int] = {}  # failed trial, learned as the worst -> its place among the results
        self._seen = Seen()
        self._n_learned = 0  # results there were when tree and surrogate were last learned
        self._tree: LatentActionTree | None = None
        self._everything: Codes | None = None  # what is left of a small space, once it was enumerated
        self._numerical = self._numerical_sampler()
        discrete = self.config.local_sampler == "gp" and self._numerical is None
        self._surrogate = Surrogate(self.features, self.config) if discrete else None
        if self.config.split != "ridge":
            load_scikit_learn()

    def describe(self) -> dict[str, Any]:
        """Return what this search is, as JSON types; of a pool file what is in it too, since it may change."""
        return super().describe() if self.pool is None else {**super().describe(), "pool": self.pool.describe()}

    def _numerical_sampler(self) -> NumericalSampler | None:
        numbers = any(isinstance(parameter, Numerical) for parameter in self.space.parameters)
        if not numbers or self.pool is not None or self.config.local_sampler != "gp":
            return None
        config = self.config
        return NumericalSampler(
            self.space, self._uniform, self.features, config.n_candidates, config.gp_points, config.gp_fit_points
        )

    def _initial_draws(self) -> int:
        # A first model of numbers needs about a draw a dimension; choices are learned faster by searching.
        numbers = any(isinstance(parameter, Numerical) for parameter in self.space.parameters)
        wanted = self.config.n_init or max(_N_INIT, len(self.space.parameters) if numbers else 0)
        size = len(self.pool.codes) if self.pool is not None else self.space.size
        return wanted if size is None else max(min(wanted, size // 10), 1)

    def begin(self, seed: int) -> None:
        self._seed, self._design = seed, None

    # -- events -----------------------------------------------------------------------------------

    @property
    def phase(self) -> str:
        """``initial`` until the blind draws are proposed and at least two results are known."""
        known = self.results.n + len(self._pending)
        return "initial" if known < self.n_init or self.results.n < min(self.n_init, 2) else "search"

    def proposed(self, trial: Trial) -> None:
        self._pending[trial.id] = self._note(trial)
        if self._surrogate is not None:
            self._surrogate.used()

    def memo(self) -> dict[str, Any] | None:
        return None if self._surrogate is None else self._surrogate.memo()

    def recall(self, memo: dict[str, Any]) -> None:
        if self._surrogate is not None:
            self._surrogate.recall(memo)

    def finished(self, trial: Trial) -> None:
        if trial.value is None or trial.id in self._finished:
            return
        if trial.id in self._worst:
            self._finished.add(trial.id)
            if self._surrogate is not None:
                self._surrogate.settle(self.results)
            self.results.correct(self._worst.pop(trial.id), trial.value)
            self._tree = None  # it learned another value
            return
        codes = self._pending.pop(trial.id, None)
        self._finished.add(trial.id)
        self._learn(codes if codes is not None else self._note(trial), trial.value)

    def failed(self, trial: Trial) -> None:
        codes = self._pending.pop(trial.id, None)
        codes = codes if codes is not None else self._note(trial)
        known = trial.id in self._finished or trial.id in self._worst
        if self.config.on_failure == "worst" and not known and self.results.n:
            self._worst[trial.id] = self.results.n
            self._learn(codes, float(self.results.values.min()))

    def _note(self, trial: Trial) -> Codes:
        codes = self.space.encode([trial.configuration])
        self._seen.add(codes)
        if self.pool is not None:
            self.pool.take(codes)
        return codes

    def _learn(self, codes: Codes, value: float) -> None:
        self.results.add(codes, value)
        n = self.results.n
        if self._numerical is not None:
            self._numerical.trust_region.add(value, searching=n > self.n_init)
        every = max(self.config.relearn_every, int(n * self.config.relearn_fraction))
        if n < self.n_init or (self._n_learned and n - self._n_learned < every):
            return
        self._n_learned = n
        if self._surrogate is not None:
            self._surrogate.due(n)

    # -- proposing --------------------------------------------------------------------------------

    def propose(self, rng: np.random.Generator) -> Configuration:
        codes = self._draw_initially(rng) if self.phase == "initial" else self._search(rng)
        return self.space.decode(codes)[0] if self.pool is None else self.pool.configuration(codes)

    @property
    def tree(self) -> LatentActionTree:
        """The tree as of the last re-learn, with the results since then and the trials under way counted in."""
        results = self.results
        if self._tree is None or self._tree.n_learned != self._n_learned:
            self._tree = LatentActionTree(results.x[: self._n_learned], results.values[: self._n_learned], self.config)
            if self.pool is not None:
                self.pool.route(self._tree)
        for i in range(self._tree.n_results, results.n):
            self._tree.add(results.x[i], float(results.values[i]))
        self._tree.set_pending(self._pending_features())
        return self._tree

    def _pending_features(self) -> Any:
        codes = np.vstack(list(self._pending.values())) if self._pending else np.empty((0, self.space.n_codes))
        return self.features.transform(codes)

    def _search(self, rng: np.random.Generator) -> Codes:
        nodes = self._path(self.tree, rng)
        while True:
            node = nodes[-1]
            found = self._inside(node, rng)
            if self._numerical is not None and len(found):
                return found
            if len(found):
                chosen = self._pick(found, node, rng)
                return found[chosen : chosen + 1]
            if len(nodes) == 1:
                return self._draw_blindly(rng)
            nodes.pop()
            self.relaxed += 1

    def _path(self, tree: LatentActionTree, rng: np.random.Generator) -> list[Node]:
        """Return the nodes from the root to where the search goes on, cut short at random when it stagnates."""
        target, nodes = tree.select(rng), [tree.root]
        for _, good in target.path:
            nodes.append(nodes[-1].children[0 if good else 1])
        if self.config.stagnation and self.results.since_best > self.config.stagnation:
            if rng.random() < 0.5:
                return nodes[:1]
            if rng.random() < 0.5:
                return nodes[: 1 + int(rng.integers(len(nodes)))]
        return nodes

    def _inside(self, node: Node, rng: np.random.Generator) -> Codes:
        """Return new points of a node's region for :meth:`_pick` to choose from; none where nothing was found."""
        region = Region(self.features, node.path)
        if self.pool is not None:
            left = self.pool.inside(node)
            count = 1 if self.config.local_sampler == "uniform" else _POOL_CANDIDATES
            left = rng.choice(left, size=min(count, len(left)), replace=False) if len(left) else left
            return self.pool.codes[left]
        values = self.results.values
        if self.config.local_sampler == "uniform":
            starts = self.results.codes[node.members]
            if self.config.training_route == "actual":  # its nodes also hold results from outside their region
                starts = starts[region.contains(starts)]
            return draw_inside(region, self._uniform, starts, self._seen.fresh, rng)[:1]
        inside = node.members if len(node.members) > 1 else range(self.results.n)
        parents = self.results.codes[best_members(inside, values, self.config.n_parents)]
        if self._numerical is not None:
            pending, fresh = self._pending_features(), self._seen.fresh
            return self._numerical.propose(region, parents, self.results, self._n_learned, pending, fresh, rng)
        return collect(self.space, self._uniform, region, parents, self._seen.fresh, self.config, rng)

    def _pick(self, found: Codes, node: Node, rng: np.random.Generator) -> int:
        if self._surrogate is None:
            return int(rng.integers(len(found)))
        gain = self._surrogate.expected_improvement(
            self.features.transform(found), self.results, self._pending_features()
        )
        # Symmetric candidates have equal gains up to rounding: the first of them wins, on every machine.
        return int(np.argmax(np.round(gain / max(float(gain.max()), 1e-300), 9)))

    # -- blind draws ------------------------------------------------------------------------------

    def draw_unseen(self, rng: np.random.Generator) -> Configuration | None:
        return None if self.pool is None else self.pool.configuration(self._draw_from_pool(self.pool, rng))

    def _draw_initially(self, rng: np.random.Generator) -> Codes:
        """Return the next point of the initial design, ``[1, n_codes]``."""
        whole = self.config.initial_design == "latin_hypercube" and self.pool is None
        if whole and type(self.prior) is UniformPrior:
            if self._design is None:  # its own stream: a proposal's generator is seeded by two numbers
                self._design = latin_hypercube(self.space, np.random.default_rng([self._seed, 0, 1]), self.n_init)
            left = self._seen.fresh(self._design)
            if len(left):
                return left[:1]
        return self._draw_blindly(rng)

    def _draw_blindly(self, rng: np.random.Generator) -> Codes:
        """Return one new point from the prior, ``[1, n_codes]``.

        Raises
        ------
        SpaceExhausted
            Every point of a finite space, or every member of the pool, was proposed.
        """
        if self.pool is not None:
            return self._draw_from_pool(self.pool, rng)
        n = _DRAW if type(self.prior) is UniformPrior else _COSTLY_DRAW
        for _ in range(_DRAWS * _DRAW // n):
            codes = self._seen.fresh(self.prior.sample_codes(rng, n))
            if len(codes):
                return codes[:1]
        rest = self._enumerated_rest()
        if not len(rest):
            raise SpaceExhausted("no point of the space was found that was not proposed")
        return rest[rng.integers(len(rest), size=1)]

    def _draw_from_pool(self, pool: Pool, rng: np.random.Generator) -> Codes:
        if not pool.n_left:
            raise SpaceExhausted(f"all {len(pool.codes)} configurations of the pool were proposed")
        chooses: Any = self.prior if hasattr(self.prior, "choose") else None
        if chooses is not None:
            left = rng.permutation(np.flatnonzero(pool.left))[:_POOL_CANDIDATES]
            chosen = int(left[chooses.choose(pool.codes[left], rng) if chooses.guides(rng) else 0])
            return pool.codes[chosen : chosen + 1]
        if type(self.prior) is not UniformPrior:
            drawn = pool.chosen(self.prior.sample_codes(rng, _DRAW * _DRAWS))
            if len(drawn):
                return drawn[:1]
        member = int(rng.choice(np.flatnonzero(pool.left)))
        return pool.codes[member : member + 1]

    def _enumerated_rest(self) -> Codes:
        if self.space.size is None or self.space.size > _ENUMERABLE:
            return np.empty((0, self.space.n_codes))
        if self._everything is None:
            self._everything = self.space.encode(list(self.space.enumerate()))
        self._everything = self._seen.fresh(self._everything)
        return self._everything

    # -- looking ----------------------------------------------------------------------------------

    def describe_tree(self) -> dict[str, Any]:
        """Return the tree as nested dictionaries of JSON types (see :meth:`LatentActionTree.describe`)."""
        return self.tree.describe(self.features.names)
