"""How a peer is driven: what counts as a query, when a run ends, and that seeds repeat NNI's and Optuna's runs."""

from __future__ import annotations

from typing import Any

import pytest

from experiments.benchmarks import peers
from nni_strategies.errors import InvalidArgument, SpaceExhausted
from nni_strategies.space.distributions import Distribution
from nni_strategies.space.parameters import Categorical, Numerical, Subset
from nni_strategies.space.search_space import SearchSpace

SPACE = SearchSpace(
    (
        Categorical("op", ("conv", "pool", "skip")),
        Numerical("x", distribution=Distribution("uniform", 0.0, 1.0)),
    )
)


class Script:
    """A peer that proposes what it is given, then has nothing left."""

    def __init__(self, *proposals: int) -> None:
        self.proposals, self.told = list(proposals), []

    def ask(self) -> tuple[int, dict[str, int]]:
        if not self.proposals:
            raise SpaceExhausted("no more")
        proposal = self.proposals.pop(0)
        return proposal, {"x": proposal}

    def tell(self, number: int, value: float) -> None:
        self.told.append((number, value))


def value(configuration: Any) -> float:
    return float(configuration["x"])


def test_a_repeated_proposal_is_answered_from_memory_and_is_no_query():
    asked: list[int] = []

    def once(configuration: Any) -> float:
        asked.append(configuration["x"])
        return value(configuration)

    peer = Script(3, 1, 3, 3, 7, 5)
    run = peers.search(peer, once, 100)
    assert asked == [3, 1, 7, 5]
    assert peer.told == [(3, 3.0), (1, 1.0), (3, 3.0), (3, 3.0), (7, 7.0), (5, 5.0)]
    assert (run.values, run.best, run.repeats) == ([3.0, 1.0, 7.0, 5.0], [3.0, 3.0, 7.0, 7.0], 2)
    assert len(run.seconds) == len(run.cpu_seconds) == len(run.configurations) == 4
    assert [run.queries_until(v) for v in (3.0, 3.5, 7.0, 8.0)] == [1, 3, 3, float("inf")]


def test_when_a_run_ends(monkeypatch):
    assert peers.search(Script(1, 2, 3), value, 2).values == [1, 2]
    assert peers.search(Script(1, 2, 3), value, 3, stop_at=2).values == [1, 2]
    assert peers.search(Script(), value, 3).values == []
    monkeypatch.setattr(peers, "_MOST_REPEATS", 2)
    run = peers.search(Script(1, 1, 2, 2, 2, 3), value, 10)  # two repeats in a row
    assert (run.values, run.repeats) == ([1, 2], 3)


def objective(configuration: Any) -> float:
    return ("conv", "pool", "skip").index(configuration["op"]) - abs(float(configuration["x"]) - 0.5)


@pytest.mark.timeout(60)  # imports NNI and Optuna
@pytest.mark.parametrize("peer", [peers.nni_evolution, peers.nni_tpe, peers.optuna_tpe])
def test_a_seed_repeats_a_run(peer):
    runs = [peers.search(peer(SPACE, seed), objective, 15).configurations for seed in (0, 0, 1)]
    assert runs[0] == runs[1] != runs[2]
    for configuration in runs[0]:
        SPACE.validate(configuration)
    assert {type(configuration["op"]) for configuration in runs[0]} == {str}


def test_spaces_in_the_notation_of_nni():
    numbers = {
        "grid": Distribution("uniform", 0.0, 1.0, q=0.25),
        "rate": Distribution("loguniform", 1e-4, 1.0),
    }
    space = SearchSpace((*SPACE.parameters, *(Numerical(label, distribution=d) for label, d in numbers.items())))
    assert peers.to_nni(space) == {
        "op": {"_type": "choice", "_value": [0, 1, 2]},
        "x": {"_type": "uniform", "_value": [0.0, 1.0]},
        "grid": {"_type": "quniform", "_value": [0.0, 1.0, 0.25]},
        "rate": {"_type": "loguniform", "_value": [1e-4, 1.0]},
    }
    drawn = {"op": 2, "x": 0.3, "grid": 0.75, "rate": 0.01}
    configuration = peers.from_indices(space, drawn)
    assert configuration.pop("op") == "skip"
    assert configuration == pytest.approx({"x": 0.3, "grid": 0.75, "rate": 0.01})


def test_peers_refuse_what_they_do_not_know():
    space = SearchSpace((Subset("inputs", (0, 1, 2), 2),))
    with pytest.raises(InvalidArgument, match="inputs"):
        peers.optuna_tpe(space, 0)
