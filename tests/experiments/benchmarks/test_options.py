"""Every benchmark says what it takes, and refuses anything else with exit code 2 before it does something."""

from __future__ import annotations

import shlex
from types import ModuleType

import pytest

from experiments.benchmarks import functions, import_cost, large_space, nasbench201, proposal_cost, trial_startup

SCRIPTS: dict[str, ModuleType] = {
    module.__name__.rpartition(".")[2]: module
    for module in (functions, import_cost, large_space, nasbench201, proposal_cost, trial_startup)
}


def ended(line: str) -> object:
    """Run a script in this process; return the code it exits with."""
    script, *argv = shlex.split(line)
    with pytest.raises(SystemExit) as exit_:
        SCRIPTS[script].main(argv)
    return exit_.value.code


@pytest.mark.parametrize("script", SCRIPTS)
def test_help(script, capsys):
    assert ended(f"{script} --help") == 0
    assert "--results" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("functions", "required"),
        ("functions walk", "invalid choice: 'walk'"),
        ("functions run --methods 'LaNAS|no trees'", "'no trees' is none of ['LaNAS', 'no tree'"),
        ("functions run --functions ackley-10", "did you mean 'Ackley-10'?"),
        ("functions run --seeds 0", "'0' is not a whole number from 1"),
        ("functions run --seeds ten", "'ten' is not a whole number"),
        ("functions table --results nowhere.csv", "nowhere.csv holds no results"),
        ("functions table --results rows.md", "'rows.md' is not the name of a .csv file"),
        ("import_cost --results .", "'.' is not the name of a .csv file"),
        ("import_cost --repeats 3", "unrecognized arguments: --repeats 3"),
        ("import_cost now", "unrecognized arguments: now"),
        ("large_space", "required"),
        ("large_space run --methods 'local serch'", "did you mean 'local search'?"),
        ("large_space run --variants one", "'one' is not a whole number from 0"),
        ("large_space run --seeds -1", "'-1' is not a whole number from 0"),
        ("large_space table --results nowhere.csv", "nowhere.csv holds no results"),
        ("nasbench201", "required"),
        ("nasbench201 run --methods PEER", "did you mean 'PEERS'?"),
        ("nasbench201 run --methods", "expected at least one argument"),
        ("nasbench201 run --datasets cifar-10", "did you mean 'cifar10'?"),
        ("nasbench201 run --seeds -5", "'-5' is not a whole number from 1"),
        ("nasbench201 table --results nowhere.csv", "nowhere.csv holds no results"),
        ("proposal_cost run --sizes 0", "'0' is not a whole number from 1"),
        ("proposal_cost run --spaces '160 rows'", "did you mean '160 columns'?"),
        ("proposal_cost run LaNAS", "run takes no 'LaNAS'"),
        ("proposal_cost measure LaNAS 10", "measure takes a method, a space and a size"),
        ("proposal_cost measure LaNAS '160 columns' few", "'few' is not a whole number"),
        ("proposal_cost table --results nowhere.csv", "nowhere.csv holds no results"),
        ("trial_startup --repeats 0", "0 is not a whole number from 1"),
        ("trial_startup --repeats few", "invalid int value: 'few'"),
    ],
)
def test_bad_options(line, told, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert ended(line) == 2
    written = capsys.readouterr()
    assert told in written.err and "Traceback" not in written.err
    assert not written.out and not list(tmp_path.iterdir())  # nothing was begun


def test_a_table_is_not_made_of_another_benchmarks_results(checkout, capsys):
    results = checkout / "experiments" / "benchmarks" / "results"
    assert ended(f"functions table --results {shlex.quote(str(results / 'large_space.csv'))}") == 2
    assert "there is no column function, improvements" in capsys.readouterr().err


def test_without_the_tables_nasbench201_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("NNI_STRATEGIES_DATA", str(tmp_path))
    assert "nasbench201_all.csv.gz" in str(ended(f"nasbench201 run --results {tmp_path / 'rows.csv'}"))
    assert not list(tmp_path.iterdir())
