"""experiments/nat_oneshot_digits: what it refuses, and a tiny run from supernet to both cells trained alone."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from nni_strategies.errors import InvalidArgument
from nni_strategies.supernet.scorer import ScoreNotFinite

SCRIPT = Path(__file__).resolve().parents[2] / "experiments" / "nat_oneshot_digits" / "search.py"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def search() -> Any:
    spec = importlib.util.spec_from_file_location("nat_oneshot_digits_search", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # NNI's trace looks it up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("words", "told"),
    [("--arch DARTZ", "DARTS"), ("--epochs 0", "--epochs"), ("--lr -1", "--lr"), ("--device tpu", "device"),
     ("--batch-size 701", "at most 700"), ("--seed -1", "seed"), ("--seed 99999999999999999999", "seed"),
     ("--threads 100000", "--threads"), ("--output /dev/null/cell.json", "--output"),
     ("--max-steps 5", "absent for digits"), ("--data npz:x --max-steps 0", "--max-steps")],
)  # fmt: skip
def test_bad_options_are_refused(search: Any, words: str, told: str):
    with pytest.raises(InvalidArgument, match=told):
        search.read_options(words.split())


def test_a_genotype_is_taken_if_its_output_is_that_of_the_space(search: Any, tmp_path: Path):
    chain = [("skip_connect", 0), ("skip_connect", 1)] + 3 * [("sep_conv_3x3", 2), ("skip_connect", 1)]
    line = "{0} = Genotype(normal={1}, normal_concat={2}, reduce={1}, reduce_concat={2})\n"
    file = tmp_path / "cells.py"
    file.write_text(line.format("ALL", chain, [2, 3, 4, 5]) + line.format("LOOSE", chain, [3, 4, 5]))
    small = ["--small", "--device", "cpu", "--epochs", "1", "--retrain-epochs", "0", "--arch"]
    assert search.main([*small, f"{file}:ALL"])["before"]["normal/op_5_0"] == "sep_conv_3x3"
    with pytest.raises(InvalidArgument, match=r"architecture, concat = .*'all'"):
        search.main([*small, f"{file}:LOOSE"])


def test_half_an_option_is_none(search: Any):
    """Its defaults are looked up by its whole name."""
    with pytest.raises(SystemExit) as ended:
        search.read_options(["--smal"])
    assert ended.value.code == 2


def test_a_supernet_that_diverges_is_said(search: Any):
    with pytest.raises(ScoreNotFinite, match="not finite"):
        search.main(["--small", "--device", "cpu", "--epochs", "1", "--lr", "1e30"])


def test_a_small_run_ends_with_a_cell_that_costs_no_more(search: Any, tmp_path: Path):
    output, page = tmp_path / "cell.json", tmp_path / "page.html"
    words = ["--small", "--device", "cpu", "--epochs", "1", "--output", str(output), "--report", str(page)]
    result = search.main(words)
    assert f"{result['alone_after'][0]}" in page.read_text()
    found = json.loads(output.read_text())
    assert all(result["cost_after"][name] <= result["cost_before"][name] for name in ("madds", "params"))
    assert found == result["after"] and found.keys() == result["before"].keys()
    assert {label for label in found if found[label] != result["before"][label]} <= {
        label for label in found if "/op_" in label
    }
    assert len(result["alone_before"]) == len(result["alone_after"]) == 1
