"""What the benchmarks share: CSV lines, options, the note under a plot; and no two of them import each other."""

from __future__ import annotations

import argparse
import ast
import graphlib
import re
from pathlib import Path

import pytest

from experiments.benchmarks import common

PACKAGE = "experiments.benchmarks"


def imported(path: Path) -> set[str]:
    """Return the benchmark files that a file imports, at its top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == PACKAGE:
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{PACKAGE}."):
            found.add(str(node.module).removeprefix(f"{PACKAGE}."))
    return found


def test_no_file_imports_itself_through_another(checkout):
    graph = {path.stem: imported(path) for path in (checkout / "experiments" / "benchmarks").glob("*.py")}
    assert {"functions_table", "functions_cases"} <= graph["functions"]  # the walk sees imports
    order = list(graphlib.TopologicalSorter(graph).static_order())  # CycleError names the circle
    assert set(order) == set(graph)


def test_rows_come_back_as_they_were_added_under_one_header(tmp_path):
    path = tmp_path / "new" / "rows.csv"
    assert common.read_rows(path) == []
    for row in ({"method": "LaNAS, 8 pending", "seed": 0}, {"method": "no\u00a0tree", "seed": 1}):
        common.append_row(path, row)
    assert path.read_text() == 'method,seed\n"LaNAS, 8 pending",0\nno\u00a0tree,1\n'
    assert common.read_rows(path) == [
        {"method": "LaNAS, 8 pending", "seed": "0"},
        {"method": "no\u00a0tree", "seed": "1"},
    ]


def test_a_table_is_made_of_its_own_results_only(tmp_path, capsys):
    path, parser = tmp_path / "rows.csv", argparse.ArgumentParser()
    for written, columns, problem in (
        ("", ("a",), "holds no results"),
        ("a,b\n", ("a",), "holds no results"),
        ("a,b\n1,2\n", ("a", "c", "d"), "no column c, d"),
    ):
        path.write_text(written)
        with pytest.raises(SystemExit) as ended:
            common.stored_rows(parser, path, columns)
        assert ended.value.code == 2
        assert problem in capsys.readouterr().err
    assert common.stored_rows(parser, path, ("a", "b")) == [{"a": "1", "b": "2"}]


def test_whole_numbers_from_a_least():
    assert [common.at_least(1)(text) for text in ("1", "50")] == [1, 50]
    for text in ("0", "-3", "1.5", "ten", ""):
        with pytest.raises(argparse.ArgumentTypeError, match="whole number from 1"):
            common.at_least(1)(text)


def test_names_and_the_nearest_one():
    assert common.some_of(("LaNAS", "no tree"))("no tree|LaNAS") == ["no tree", "LaNAS"]
    told = "'lanas' is none of ['LaNAS', 'no tree']; did you mean 'LaNAS'?"
    with pytest.raises(argparse.ArgumentTypeError, match=re.escape(told)):
        common.one_of(("LaNAS", "no tree"))("lanas")
    with pytest.raises(argparse.ArgumentTypeError, match="'' is none of"):
        common.some_of(("LaNAS", "no tree"))("LaNAS|")


@pytest.mark.parametrize(("counts", "told"), [([10, 6, 10], "over 6 to 10 seeds"), ([10, 10], "over 10 seeds")])
def test_the_note_says_how_many_seeds(counts, told):
    assert told in common.band_note(counts)


def test_the_machine_is_one_line_with_the_versions():
    told = common.machine()
    assert "\n" not in told
    assert all(f"{name} " in told for name in ("cores; Python", "numpy", "scipy", "nni", "optuna"))
