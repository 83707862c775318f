"""What :mod:`experiments.benchmarks.nasbench201` compares, and for how long."""

from __future__ import annotations

from experiments.benchmarks import peers
from nni_strategies.lanas.searcher import LaNASSearcher
from nni_strategies.search.baselines import LocalSearch, RandomSearch, RegularizedEvolution

QUERIES = 500
SEEDS = 50

OURS: dict[str, peers.PeerFactory] = {
    "LaNAS": peers.ours(LaNASSearcher),
    "LaNAS, 8 pending": peers.ours(LaNASSearcher),
    "LaNAS, 32 pending": peers.ours(LaNASSearcher),
    "LaNAS, paper preset": peers.ours(LaNASSearcher, preset="paper"),
}
ABLATION: dict[str, peers.PeerFactory] = {
    "no tree": peers.ours(LaNASSearcher, height=1),
    "no histogram": peers.ours(LaNASSearcher, histogram=False),
    "no escape": peers.ours(LaNASSearcher, stagnation=0),
    "no GP (mutation)": peers.ours(LaNASSearcher, local_sampler="mutation"),
    "no GP, no escape": peers.ours(LaNASSearcher, local_sampler="mutation", stagnation=0),
    "no GP, no escape, no tree": peers.ours(LaNASSearcher, local_sampler="mutation", stagnation=0, height=1),
    "uniform sampler, no escape": peers.ours(LaNASSearcher, local_sampler="uniform", stagnation=0),
}
PEERS: dict[str, peers.PeerFactory] = {
    "random search": peers.ours(RandomSearch),
    "regularized evolution (50, 10)": peers.ours(RegularizedEvolution, population=50, sample=10),
    "local search": peers.ours(LocalSearch),
    "NNI TPE": peers.nni_tpe,
    "NNI Evolution": peers.nni_evolution,
    "Optuna TPE (multivariate)": peers.optuna_tpe,
}
METHODS = {**OURS, **ABLATION, **PEERS}
PENDING = {"LaNAS, 8 pending": 8, "LaNAS, 32 pending": 32}
