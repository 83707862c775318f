"""Searches of NAT whose journals reports are made of; no NNI is needed for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nni_strategies.nat.config import NATConfig
from nni_strategies.nat.searcher import NATSearcher
from nni_strategies.search.journal import Journal
from nni_strategies.search.study import Study
from tests.report.irlas_searches import CELL

COSTS = {"nor_conv_1x1": (2_000_000, 10_000), "nor_conv_3x3": (17_000_000, 90_000)}
WORTH = {"none": 0, "skip_connect": 3, "nor_conv_1x1": 2, "nor_conv_3x3": 5, "avg_pool_3x3": 1}
SMALL: dict[str, Any] = {
    **{"queries": 14, "n_start": 8, "policy": "table", "policy_steps": 1, "final_steps": 1},
    **{"imagined_inputs": 4, "imagined_outputs": 4, "query_samples": 8, "derive_samples": 40},
}

Metric = Callable[[Mapping[str, Any]], Any]


def worth(configuration: Mapping[str, Any]) -> float:
    """Convolutions are good and cost something, skips are nearly as good and free; edges count differently."""
    return sum((7 + i) * WORTH[value] for i, value in enumerate(configuration.values())) / 100


def searched(
    n: int = 30,
    metric: Metric = worth,
    *,
    maximize: bool = True,
    fails: frozenset[int] = frozenset(),
    after: Callable[[NATSearcher], None] = lambda _: None,
    journal: Path | None = None,
    **options: Any,
) -> Study:
    config = NATConfig(**{**SMALL, "n_inputs": 4, "costs": COSTS, **options})
    study = Study(NATSearcher(CELL, config), seed=3, maximize=maximize, journal=Journal(journal))
    for i in range(n):
        trial = study.ask()
        if i in fails:
            study.fail(trial.id, "out of memory")
        else:
            study.tell(trial.id, metric(trial.configuration))
            after(study.searcher)
    study.journal.close()
    return study

