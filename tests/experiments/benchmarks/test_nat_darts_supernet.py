"""The benchmark on DARTS's space: images, scores, verdicts of made-up rows, and a tiny run that goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401

# isort: split
import pytest
import torch
from nni.nas.hub.pytorch.nasnet import NDS

from experiments.benchmarks import common, nat_arms, nat_darts_supernet
from experiments.benchmarks.nat_critic import Case
from experiments.benchmarks.nat_darts_supernet import Scored
from nni_strategies.supernet.network import Supernet
from nni_strategies.supernet.scorer import Scorer
from trial_code.digits import load_digits

pytestmark = pytest.mark.timeout(60)

SMALL = {"op_candidates": ["none", "skip_connect", "sep_conv_3x3", "max_pool_3x3"], "num_nodes_per_cell": 2, "width": 4}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(nat_darts_supernet, "SPACE", space := {**nat_darts_supernet.SPACE, **SMALL})
    return space


def test_every_case_once():
    cases = list(nat_darts_supernet.cases())
    assert len(set(cases)) == len(cases) == 2 * 5 * (2 * 2 + 3)
    assert {case.arm for case in cases} == {"recipe", "paper_line_graph", "random", "shared", "local"}


def test_the_confirmation_shares_neither_seeds_nor_inputs_with_the_first_run(monkeypatch: pytest.MonkeyPatch):
    cases = list(nat_darts_supernet.confirmations())
    assert len(set(cases)) == len(cases) == 2 * 15 * 5
    assert not {case.seed for case in cases} & {case.seed for case in nat_darts_supernet.cases()}
    seen: list[Any] = []
    monkeypatch.setattr(nat_darts_supernet, "problem_of", lambda *given: seen.append(given) or 1 / 0)
    for case in (cases[0], next(nat_darts_supernet.cases())):
        with pytest.raises(ZeroDivisionError):
            nat_darts_supernet.run([case], Path("none.csv"), Path("supernet"))
    assert [given[2] for given in seen] == [4052, 2026]


def test_what_is_learned_searched_by_and_reported_are_different_images():
    learned, (searched, reported) = nat_darts_supernet.images()
    parts = [learned.images, searched[0], reported[0]]
    assert [len(part) for part in parts] == [700, 300, 797]
    assert [len(labels) for labels in (learned.labels, searched[1], reported[1])] == [700, 300, 797]
    images, labels = load_digits()
    together = torch.cat(parts)
    assert together.shape == (1797, 3, 8, 8)
    assert all((together[:, channel].numpy() == images[:, 0]).all() for channel in range(3))
    assert torch.cat([learned.labels, searched[1], reported[1]]).tolist() == labels.tolist()


@pytest.mark.slow
def test_values_are_scores_in_per_cent_and_made_once(small: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    problem = Scored(Supernet.built(lambda: NDS(**small), 0), "cost")
    inputs = problem.inputs(4)
    assert problem.transitions.alive(inputs).all()
    configurations = problem.transitions.view.decode(inputs)
    _, (searched, reported) = nat_darts_supernet.images()
    expected = [100 * Scorer(problem.supernet, [part]).scores(configurations) for part in (searched, reported)]
    scored: list[int] = []
    scores = Scorer.scores
    monkeypatch.setattr(Scorer, "scores", lambda self, those: scored.append(len(those)) or scores(self, those))
    twice = inputs[[3, 0, 1, 1, 2]]
    assert problem.valid(twice).tolist() == expected[0][[3, 0, 1, 1, 2]].tolist()
    assert problem.valid(inputs).tolist() == expected[0].tolist()
    assert problem.test(inputs).tolist() == expected[1].tolist()
    assert problem.valid(inputs).tolist() == expected[0].tolist()
    assert scored == [4, 4]
    assert (expected[0] != expected[1]).any()


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_tiny_run_of_every_arm_goes_on_where_it_was(
    small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    tiny = {"n_start": 5, "policy_steps": 1, "final_steps": 1, "derive_samples": 20}
    config = nat_arms.LearnerConfig
    monkeypatch.setattr(nat_arms, "LearnerConfig", lambda **given: config(**given, **tiny))
    monkeypatch.setattr(nat_darts_supernet, "EPOCHS", 1)
    monkeypatch.setattr(nat_darts_supernet, "TOTALS", (8, 30))
    trained = nat_darts_supernet.trained
    monkeypatch.setattr(nat_darts_supernet, "trained", lambda path: trained(path, 1))
    inputs = Scored.inputs
    monkeypatch.setattr(Scored, "inputs", lambda self, seed: inputs(self, 5, seed))
    monkeypatch.setattr(nat_darts_supernet, "ABOUT", replace(nat_darts_supernet.ABOUT, queries=(10,)))
    nat_darts_supernet.problem_of.cache_clear()
    queries = {"recipe": 10, "paper_line_graph": 10, "random": 0, "shared": 0, "local": 0}
    cases = [Case("cost", arm, n, seed) for seed in (1, 2) for arm, n in queries.items()]
    path, supernet = tmp_path / "made.csv", tmp_path / "supernet.safetensors"
    nat_darts_supernet.run(cases[:3], path, supernet)
    first = path.read_text()
    nat_darts_supernet.run(cases, path, supernet)
    assert path.read_text().startswith(first)
    rows = common.read_rows(path)
    assert [(row["arm"], row["seed"]) for row in rows] == [(case.arm, str(case.seed)) for case in cases]
    nat_darts_supernet.main(["table", "--results", str(path)])
    told = path.with_suffix(".md").read_text()
    assert "cost, 10 queries, K = 1, above the paper's learner" in told
    assert "- reached: with K of 1 or more no output is below its input" in told
    assert "random outputs" in path.with_suffix(".svg").read_text()
    nat_darts_supernet.problem_of.cache_clear()
