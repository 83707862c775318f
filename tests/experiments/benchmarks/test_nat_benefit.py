"""The benefit benchmark of NAT: problems and arms by hand, a tiny real run, what its table says of made-up rows."""

from __future__ import annotations

import json

import numpy as np
import pytest

from experiments.benchmarks import nat_arms, nat_benefit, nat_benefit_table
from experiments.benchmarks.nat_benefit import Case
from experiments.benchmarks.nat_problems import PROBLEMS, Problem
from nni_strategies.nat.evaluated import Evaluated
from nni_strategies.nat.liveness import alive
from search_spaces.nasbench201 import load_table

pytestmark = [pytest.mark.timeout(60), pytest.mark.usefixtures("nasbench201")]


@pytest.fixture
def nasbench201():
    load_table("cifar100")


@pytest.mark.parametrize("rule", ["nat", "cost"])
@pytest.mark.parametrize("name", ["cifar100", "product"])
def test_dead_inputs_get_living_outputs_that_cost_no_more(name: str, rule: str):
    problem = Problem(name, rule)  # type: ignore[arg-type]
    moves, inputs = problem.transitions, problem.inputs(1500, 3)
    dead = ~moves.alive(inputs)
    assert 0.005 < dead.mean() < 0.08
    children = moves.random_children(inputs, 1, np.random.default_rng(0))
    assert alive(problem.view, moves.classes, children).all()
    assert moves.valid(inputs, children).all()
    assert (moves.costs.chosen(children) <= moves.costs.chosen(inputs)).all()


def test_values_are_looked_up_by_cell():
    one, two, inputs = Problem("cifar100", "nat"), Problem("product", "nat"), Problem("product", "nat").inputs(20, 3)
    table, other = load_table("cifar100"), load_table("cifar10", "test")
    first = one.inputs(5, 3)
    assert one.valid(first).tolist() == [table[configuration] for configuration in one.view.decode(first)]
    cells = [
        {f"cell.edge_{label[-3:]}": value for label, value in configuration.items() if label.startswith(name)}
        for configuration in two.view.decode(inputs[:1])
        for name in ("a", "b")
    ]
    expected = np.sqrt(other[cells[0]] * load_table("cifar100", "test")[cells[1]])
    assert two.test(inputs[:1])[0] == pytest.approx(expected)
    noisy, sure = Problem("noisy", "nat"), Problem("cifar10", "nat")
    assert (noisy.test(first) == sure.test(first)).all()
    assert (noisy.valid(first) != sure.valid(first)).all()


def test_the_best_output_is_the_best_of_all_reachable():
    problem = Problem("cifar100", "cost")
    inputs = problem.inputs(5, 3)
    best = problem.valid(problem.best(inputs))
    for i in range(5):
        reachable = problem.transitions.reachable(inputs[[i]])
        all_of = problem.valid(inputs[[i] * len(reachable)].replaced(reachable))
        assert best[i] == all_of.max()


@pytest.mark.parametrize("arm", ["random_samples", "shared_cache", "local_search"])
def test_arms_without_learning_are_valid_never_worse_and_better_with_more(arm: str, monkeypatch):
    monkeypatch.setattr(nat_arms, "TOTALS", (40, 80, 400))
    problem = Problem("cifar100", "cost")
    inputs = problem.inputs(40, 3)
    inputs = inputs[problem.transitions.alive(inputs)]
    outcomes = list(getattr(nat_arms, arm)(problem, inputs, 0))
    gained = [float((problem.valid(o.outputs) - problem.valid(inputs)).mean()) for o in outcomes]
    assert gained == sorted(gained)
    assert gained[-1] > gained[0]
    counts = [o.evaluations for o in outcomes]
    assert counts == sorted(counts)
    for outcome in outcomes:
        assert problem.transitions.valid(inputs, outcome.outputs).all()
        assert (problem.valid(outcome.outputs) >= problem.valid(inputs)).all()
        assert (problem.valid(outcome.outputs) <= problem.valid(problem.best(inputs))).all()


def test_random_takes_the_best_of_what_it_counted():
    problem = Problem("cifar100", "nat")
    inputs = problem.inputs(10, 3)
    rng = np.random.default_rng(0)
    children = problem.transitions.random_children(inputs, 10, rng)
    last = problem.transitions.random_children(inputs, 1, rng)
    values = np.column_stack([problem.valid(inputs), problem.valid(children).reshape(10, 10), problem.valid(last)])
    none, one, ten, eleven = nat_arms.random_samples(problem, inputs, 0, (0, 1, 10, 11))
    assert none.evaluations == len(set(inputs.keys()))
    assert (none.outputs.operations == inputs.operations).all()
    assert problem.valid(one.outputs) == pytest.approx(values[:, :2].max(axis=1))
    assert problem.valid(ten.outputs) == pytest.approx(values[:, :11].max(axis=1))
    assert ten.evaluations == len({*inputs.keys(), *children.keys()})
    assert problem.valid(eleven.outputs) == pytest.approx(values.max(axis=1))
    assert eleven.evaluations == len({*inputs.keys(), *children.keys(), *last.keys()})


def test_a_climb_ends_where_no_single_edge_improves():
    problem = Problem("cifar100", "nat")
    inputs = problem.inputs(3, 3)
    *_, last = nat_arms.local_search(problem, inputs, 0)
    evaluated = Evaluated(problem.transitions)
    for i in range(3):
        outputs = problem.transitions.reachable(inputs[[i]])
        near = outputs[(outputs != last.outputs.operations[i]).sum(axis=1) <= 1]
        evaluated.add(inputs[[i] * len(near)].replaced(near), np.zeros(len(near)))
        assert problem.valid(last.outputs[[i]])[0] == problem.valid(inputs[[i] * len(near)].replaced(near)).max()


@pytest.mark.slow
def test_a_tiny_run_of_every_arm(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(nat_arms, "TOTALS", (60, 100))
    small = {"n_start": 10, "policy_steps": 1, "final_steps": 1, "derive_samples": 20}
    config = nat_arms.LearnerConfig
    monkeypatch.setattr(nat_arms, "LearnerConfig", lambda **given: config(**given, **small))
    monkeypatch.setattr(nat_benefit, "problem_of", lambda name, rule, _: (p := Problem(name, rule), p.inputs(50, 3)))
    queries = {"recipe": 30, "no_policy": 30, "paper_line_graph": 30, "oracle": 0, "random": 0, "shared": 0, "local": 0}
    cases = [Case("noisy", rule, arm, n, 1) for rule in ("nat", "cost") for arm, n in queries.items()]
    path = tmp_path / "made.csv"
    nat_benefit.run(0, 1, path, cases)
    lines = (tmp_path / "made_0.csv").read_text().splitlines()
    assert len(lines) == 1 + len(cases)
    nat_benefit.run(0, 1, path, cases)  # nothing is left
    assert (tmp_path / "made_0.csv").read_text().splitlines() == lines
    nat_benefit.main(["table", "--results", str(path)])
    assert "CIFAR-10 by 12 epochs" in capsys.readouterr().out
    assert path.with_suffix(".svg").read_text().startswith("<svg")


def test_every_case_once():
    cases = list(nat_benefit.cases())
    assert len(set(cases)) == len(cases) == 10 + 5 * 5 * 2 * (3 + 1 + 3 + 9)
    assert {case.problem for case in cases} == set(PROBLEMS) == set(nat_benefit_table.TITLES)
    assert {case.arm for case in cases} == {"oracle", *nat_benefit_table.ARMS}


def test_the_confirmation_shares_neither_seeds_nor_inputs_with_the_first_run(monkeypatch):
    cases, seen = list(nat_benefit.confirmations()), []
    assert len(set(cases)) == len(cases) == 10 + 5 * 5 * 2 * 3
    assert not {case.seed for case in cases} & {case.seed for case in nat_benefit.cases()}
    assert {case.queries for case in cases} == {0, 100, 300}
    monkeypatch.setattr(nat_benefit, "problem_of", lambda *given: seen.append(given) or 1 / 0)
    for case in (cases[0], next(nat_benefit.cases())):
        with pytest.raises(ZeroDivisionError):
            nat_benefit.run_case(case)
    assert [given[2] for given in seen] == [4052, 2026]


def row(
    problem: str, rule: str, arm: str, queries: int, results: str, seed: int = 1, outlook: str = ""
) -> dict[str, str]:
    return {"problem": problem, "rule": rule, "arm": arm, "queries": str(queries), "seed": str(seed),
            "results": results, "outlook": outlook, "seconds": "1.0"}  # fmt: skip


def verdict(rows: list[dict[str, str]], words: str) -> bool:
    (line,) = [one for one in nat_benefit_table.verdicts(nat_benefit_table.Runs(rows)) if words in one]
    return line.startswith("- reached")


ORACLES = [row("cifar10", rule, "oracle", 0, "0:10:5:0:0:0") for rule in ("nat", "cost")]


@pytest.mark.parametrize(
    ("gains", "reached"),
    [("9.6:4.8", True), ("9.5:4.8", False), ("9.6:4.7", False)],  # 4.25 of 4.44 are 95.7 %
)
def test_a_target_is_a_share_of_the_oracle_s_gain_over_all_and_over_living_inputs(gains: str, reached: bool):
    others = [row("cifar10", "nat", "recipe", 100, "1:10:5:1200:0:0")]
    rows = [*ORACLES, *others, row("cifar10", "cost", "recipe", 100, f"1:{gains}:1200:0:0")]
    assert verdict(rows, "recipe, 100 queries, K = 1") == reached


def test_seeds_are_averaged_and_the_shared_cache_is_read_at_equal_evaluations():
    shared = row("cifar10", "cost", "shared", 0, "1000:6:3:1000:0:0 1400:8:4:1400:0:0")
    runs = [row("cifar10", "cost", "recipe", 100, f"1:{gain}:3:1200:0:0", seed) for seed, gain in ((1, 7.5), (2, 6.7))]
    rows = [*ORACLES, shared, *runs]
    held = nat_benefit_table.Runs(rows)
    assert held.mean("cifar10", "cost", "recipe", 100, 1).gain == pytest.approx(7.1)
    assert held.shared_at("cifar10", "cost", 1200) == pytest.approx(7.0)
    assert "CIFAR-10 cost +0.10" in nat_benefit_table.table(rows)
    assert verdict(rows, "above the shared cache")


@pytest.mark.parametrize(
    ("arm", "results", "kept"),
    [
        ("recipe", "0:1:1:100:-2:0 1:1:1:1200:0:0", True),  # K = 0 promises nothing
        ("recipe", "1:1:1:1200:-0.01:0", False),
        ("random", "1:1:1:1200:0:3", False),
    ],
)
def test_promises(arm: str, results: str, kept: bool):
    assert verdict([*ORACLES, row("cifar10", "cost", arm, 100, results)], "below its input") == kept


def test_how_much_is_left_to_learn_is_told_by_round():
    rows = [row("cifar10", "cost", "recipe", 1000, "1:1:1:1200:0:0", seed, outlook)
            for seed, outlook in ((1, "0.90 0.10 0.00"), (2, "0.70 0.50 0.10"))]  # fmt: skip
    assert "- CIFAR-10, cost: 0.80 0.30 0.05; nothing in 1 of 2 runs" in nat_benefit_table.table([*ORACLES, *rows])


def test_results_are_plain_numbers():
    problem, inputs = nat_benefit.problem_of("cifar10", "nat")
    text = nat_benefit.measured(problem, inputs, nat_arms.Outcome(7, problem.best(inputs), 3))
    setting, gain, living, evaluations, kept, dearer = (json.loads(part) for part in text.split(":"))
    assert (setting, evaluations) == (7, 3)
    assert 0 < living < gain
    assert kept >= 0 >= dearer
