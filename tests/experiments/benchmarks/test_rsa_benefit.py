"""The statistics of the teacher's benefit, on tables whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.benchmarks import rsa_benefit, rsa_table
from experiments.benchmarks.rsa_benefit import correlation, full, judges, load, ranks, started
from experiments.benchmarks.rsa_settings import LOOKS, TEACHERS

FINAL = np.random.default_rng(0).random(60)


def tables(**signals):
    """The same signals at every look of two seeds."""
    return {look: [dict(signals), dict(signals)] for look in LOOKS["digits"]}


def test_a_perfect_a_reversed_and_a_silent_judge():
    table = tables(p=FINAL, ce=-FINAL, tse=np.zeros(60))["full", 1]
    rows = np.arange(60)
    assert correlation(ranks("p"), table, FINAL, rows) == pytest.approx(1.0)
    assert correlation(ranks("ce"), table, FINAL, rows) == pytest.approx(-1.0)
    assert correlation(ranks("tse"), table, FINAL, rows) == 0.0
    assert correlation(ranks("p", "ce"), table, FINAL, rows) == 0.0  # the ranks cancel


def test_halving_by_a_perfect_judge_needs_what_chance_allows(monkeypatch):
    monkeypatch.setattr(rsa_benefit, "DRAWS", 400)
    perfect = started(ranks("p"), tables(p=FINAL), FINAL)
    # three of 60 are the best: half of the draws have one of them when about 12 are started
    assert perfect == pytest.approx(12.2, abs=2.0)
    assert started(ranks("p"), tables(p=-FINAL), FINAL) > 50


@pytest.mark.parametrize("setting", list(LOOKS))
def test_a_table_is_read_and_told(setting, tmp_path, monkeypatch):
    monkeypatch.setattr(rsa_benefit, "RESAMPLES", 8)
    monkeypatch.setattr(rsa_benefit, "DRAWS", 20)
    rng = np.random.default_rng(1)
    path = tmp_path / "rsa_table.csv"
    for cell in range(40):
        final = rng.random() if cell else 0.0
        for seed in (0, 1):
            for schedule, k in LOOKS[setting]:
                line = {"cell": f"c{cell}", "seed": seed, "params": cell, "final": final, "schedule": schedule, "k": k}
                line |= {name: rng.random() for name in ("p", "ce", "tse")}
                line |= {f"tg_{name}": rng.random() for name in TEACHERS[setting]}
                line |= {"tg_real": final} | ({"tg_strong": final} if "strong" in TEACHERS[setting] else {})
                if cell == 0:  # nothing reaches its output
                    line |= {f"tg_{name}": float("nan") for name in TEACHERS[setting]}
                rsa_table.common.append_row(path, line)
    final, signals = load([path], LOOKS[setting])
    assert len(final) == 40 and full(list(signals)) == list(LOOKS[setting][:3])
    text = rsa_benefit.report(final, signals, setting)
    assert text.count("- reached") + text.count("- MISSED") == (1 if setting == "few_labels" else 7)
    assert "| TG alone | 1.000" in text
    assert all(f"| {name} |" in text for name in judges(TEACHERS[setting]))
    told = "strong teacher over the labelled images' one-hot" if setting == "few_labels" else "guided over P"
    assert f"reached: {told}" in text
    assert text == rsa_benefit.report(final, signals, setting)


def test_cells_are_all_different_and_always_the_same():
    assert len({tuple(cell.values()) for cell in rsa_table.cells()}) == 140
    assert rsa_table.cells() == rsa_table.cells()


@pytest.mark.parametrize("arguments", [["--part", "2", "2"], ["--tabels"]])
def test_bad_arguments_end_with_2(arguments):
    with pytest.raises(SystemExit) as ended:
        rsa_table.main(arguments)
    assert ended.value.code == 2
    with pytest.raises(SystemExit) as ended:
        rsa_benefit.main(["--tables", "nothing.csv"])
    assert ended.value.code == 2
