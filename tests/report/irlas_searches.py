"""Searches guided by experts whose journals reports are made of; no NNI is needed for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nni_strategies.irlas.experts import load_experts
from nni_strategies.irlas.scoring import blocks_function
from nni_strategies.irlas.searcher import IRLASConfig, IRLASSearcher
from nni_strategies.irlas.shaper import Shaper
from nni_strategies.irlas.shaping_config import ShapingConfig
from nni_strategies.report.records import ExperimentRecord, journal_trials
from nni_strategies.search.journal import Event, Journal
from nni_strategies.search.searcher import Searcher
from nni_strategies.search.study import Study
from nni_strategies.space.parameters import Categorical
from nni_strategies.space.search_space import SearchSpace

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
CELL = SearchSpace(tuple(Categorical(f"cell.edge_{i}_{j}", OPERATIONS) for i, j in EDGES))

Metric = Callable[[Mapping[str, Any]], Any]


def convolutions(configuration: Mapping[str, Any]) -> dict[str, float]:
    """More convolutions are better and slower."""
    n = sum("conv" in str(value) for value in configuration.values())
    threes = sum("3x3" in str(value) for value in configuration.values())
    return {"default": (n + 0.1 * threes) / 7, "latency_ms": 1.0 + n + threes}


def searched(
    n: int = 30,
    metric: Metric = convolutions,
    *,
    searcher: Searcher | None = None,
    maximize: bool = True,
    journal: Path | None = None,
    **options: Any,
) -> Study:
    own = searcher or IRLASSearcher(CELL, IRLASConfig(budget=max(n, 1), **options))
    study = Study(own, seed=3, maximize=maximize, journal=Journal(journal))
    for _ in range(n):
        trial = study.ask()
        study.tell(trial.id, metric(trial.configuration))
    study.journal.close()
    return study


def shaper_of(n: int = 20, metric: Metric = convolutions, *, journal: Path | None = None, **options: Any) -> Shaper:
    """Random draws whose metrics are shaped, as a MirrorStimuli does."""
    config = ShapingConfig(**options)
    shaper = Shaper(CELL, config, blocks_function(None), load_experts(config.experts))
    shaper.open(Journal(journal))
    drawn = searched(n, searcher=IRLASSearcher(CELL, IRLASConfig(mode="none")))
    for trial in drawn.trials:
        shaper.conclude(shaper.propose(trial.configuration), metric(trial.configuration))
    shaper.journal.close()
    return shaper


def record_of(events: list[Event], **fields: Any) -> ExperimentRecord:
    header = events[0]
    known = {
        "id": "abcd1234",
        "name": "cells",
        "maximize": header["maximize"],
        "algorithm": header["algorithm"],
        "config": header["config"],
        "seed": header.get("seed"),
        "trials": tuple(journal_trials(events)),
        "events": events,
    }
    return ExperimentRecord(**{**known, **fields})
