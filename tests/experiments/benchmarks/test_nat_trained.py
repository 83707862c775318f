"""The benchmark of trained cells: what is searched by and reported, trainings kept, a tiny run that goes on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.benchmarks import common, nat_arms, nat_trained
from experiments.benchmarks.nat_critic import Case
from experiments.benchmarks.nat_trained import Trained
from search_spaces.digits_cell import LABELS, DigitsNet
from trial_code import digits_training
from trial_code.noisy_digits import noisy_digits

pytestmark = pytest.mark.timeout(60)

CELL = dict.fromkeys(LABELS, "skip_connect")


def test_every_case_once():
    cases = list(nat_trained.cases())
    assert len(set(cases)) == len(cases) == 5 * 5
    assert {case.arm for case in cases} == {"recipe", "paper_line_graph", "random", "shared", "local"}


def test_the_confirmation_shares_neither_seeds_nor_inputs_with_the_first_run(tmp_path: Path):
    cases = list(nat_trained.confirmations())
    assert len(set(cases)) == len(cases) == 15 * 4
    assert not {case.seed for case in cases} & {case.seed for case in nat_trained.cases()}
    asked: list[int] = []

    class Asked(Trained):
        def inputs(self, n: int = 20, seed: int = 0):
            asked.append(seed)
            raise StopAsyncIteration

    for case in (cases[0], next(nat_trained.cases())):
        with pytest.MonkeyPatch.context() as patch, pytest.raises(StopAsyncIteration):
            patch.setattr(nat_trained, "Trained", Asked)
            nat_trained.run([case], tmp_path / "none.csv", tmp_path / "none")
    assert asked == [4052, 2026]


def test_inputs_are_alive_and_different(tmp_path: Path):
    problem = Trained(tmp_path / "trainings.csv")
    inputs = problem.inputs()
    assert problem.transitions.alive(inputs).all()
    assert len(set(inputs.keys())) == len(inputs) == 20


@pytest.mark.slow
def test_a_training_is_judged_on_both_sets(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(nat_trained, "EPOCHS", 1)
    learned, valid, test = noisy_digits()
    torch.manual_seed(3)
    network = DigitsNet(CELL)
    digits_training.train(network, learned, 1, 3, batch_size=50)
    expected = tuple(100.0 * digits_training.accuracy(network, part) for part in (valid, test))
    assert nat_trained.trained(CELL, 3) == expected


def test_values_are_of_other_trainings_and_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made: list[tuple[str, int]] = []

    def trained(configuration, seed):
        made.append((configuration[LABELS[0]], seed))
        return 10.0 + seed, 20.0 + 2 * seed

    monkeypatch.setattr(nat_trained, "trained", trained)
    path = tmp_path / "trainings.csv"
    problem = Trained(path)
    cells = problem.transitions.view.encode([CELL, {**CELL, LABELS[0]: "nor_conv_1x1"}, CELL])
    assert problem.valid(cells).tolist() == [10.0] * 3
    assert problem.test(cells).tolist() == [23.0] * 3  # of training seeds 1 and 2
    names = ("skip_connect", "nor_conv_1x1")
    assert made == [(name, seed) for seed in (0, 1, 2) for name in names]
    other = Trained(path)  # as another process
    assert other.valid(cells).tolist() == [10.0] * 3
    assert other.test(cells).tolist() == [23.0] * 3
    assert len(made) == 6
    common.append_row(path, {"operations": "|".join(["none"] * 5 + ["skip_connect"]), "seed": 0,
                             "searched": "7.5", "reported": "1.0"})  # fmt: skip
    cell = problem.transitions.view.encode([{**dict.fromkeys(LABELS, "none"), LABELS[5]: "skip_connect"}])
    assert problem.valid(cell).tolist() == [7.5]  # what another process trained meanwhile
    assert len(made) == 6


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_tiny_run_of_every_arm_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    tiny = {"n_start": 5, "policy_steps": 1, "final_steps": 1, "derive_samples": 20}
    config = nat_arms.LearnerConfig
    monkeypatch.setattr(nat_arms, "LearnerConfig", lambda **given: config(**given, **tiny))
    monkeypatch.setattr(nat_trained, "TOTALS", (8, 30))
    inputs = Trained.inputs
    monkeypatch.setattr(Trained, "inputs", lambda self, seed: inputs(self, 5, seed))

    def trained(configuration, seed):
        draw = np.random.default_rng([seed, *map(len, configuration.values())])
        return draw.uniform(30, 70), draw.uniform(30, 70)

    monkeypatch.setattr(nat_trained, "trained", trained)
    queries = {"recipe": 10, "paper_line_graph": 10, "random": 0, "shared": 0, "local": 0}
    cases = [Case("cost", arm, n, seed) for seed in (1, 2) for arm, n in queries.items()]
    path, trainings = tmp_path / "made.csv", tmp_path / "trainings.csv"
    nat_trained.run(cases[:3], path, trainings)
    first = path.read_text()
    nat_trained.run(cases, path, trainings)
    assert path.read_text().startswith(first)
    rows = common.read_rows(path)
    assert [(row["arm"], row["seed"]) for row in rows] == [(case.arm, str(case.seed)) for case in cases]
    nat_trained.main(["table", "--results", str(path)])
    told = path.with_suffix(".md").read_text()
    assert "- reached: with K of 1 or more no output is below its input" in told
    assert "random outputs" in path.with_suffix(".svg").read_text()
