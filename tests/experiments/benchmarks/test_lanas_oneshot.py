"""LaNAS on supernet scores: verdicts of hand-made runs, and a tiny run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from experiments.benchmarks import common, lanas_oneshot


def runs(method: str, values: list[float]) -> list[dict[str, Any]]:
    return [
        {"method": method, "seed": str(seed), "unseen": "0.5", "seconds": "1"}
        | {f"best@{n}": str(value) for n in lanas_oneshot.LOOKS}
        for seed, value in enumerate(values)
    ]


def test_the_interval_is_that_of_paired_seeds():
    lines = lanas_oneshot.verdict([*runs("LaNAS", [0.6, 0.7, 0.8]), *runs("random search", [0.5, 0.59, 0.71])])
    # gaps .10, .11, .09: mean .1, sd .01, t(2) = 4.303, half = 4.303 * .01 / sqrt(3) = .0248
    assert lines == ["- reached: LaNAS above random search: +0.100 [+0.075, +0.125]"]


@pytest.mark.parametrize(("theirs", "missed"), [([0.5, 0.8, 0.5], True), ([0.4, 0.4, 0.4], False)])
def test_a_gap_that_scatters_is_no_gap(theirs: list[float], missed: bool):
    (line,) = lanas_oneshot.verdict([*runs("LaNAS", [0.6, 0.6, 0.6]), *runs("random search", theirs)])
    assert ("NOT reached" in line) == missed


def test_other_peers_are_no_target():
    (line,) = lanas_oneshot.verdict([*runs("LaNAS", [0.6, 0.6]), *runs("local search", [0.7, 0.7])])
    assert line.startswith("- beside: LaNAS above local search: -0.100")


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_tiny_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    tiny = "--space lanas --width 4 --cells 3 --batch-size 25 --lr 0.1 --epochs 1 --max-steps 4 --seed 0 --device cpu"
    made = lanas_oneshot.judges
    monkeypatch.setattr(lanas_oneshot, "judges", lambda path: made(path, tiny))
    results, supernet = tmp_path / "r.csv", tmp_path / "s.safetensors"
    lanas_oneshot.run(["LaNAS", "random search"], [0, 1], results, supernet, scores=4)
    rows = common.read_rows(results)
    assert [(row["method"], row["seed"]) for row in rows] == [
        ("LaNAS", "0"), ("random search", "0"), ("LaNAS", "1"), ("random search", "1"),
    ]  # fmt: skip
    assert all(0 <= float(row["best@50"]) == float(row["best@200"]) <= 1 for row in rows)
    lanas_oneshot.run(["LaNAS", "random search"], [0, 1], results, supernet, scores=4)
    assert common.read_rows(results) == rows  # nothing was left to do
    lanas_oneshot.main(["table", "--results", str(results)])
    assert "| random search |" in results.with_suffix(".md").read_text()
