"""A search by a teacher against one by performance, where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.benchmarks import rsa_search
from experiments.benchmarks.rsa_search import JUDGES, PICKS, SEARCHES, TRIALS, picks_of, report
from search_spaces.digits_cell import LABELS, OPERATIONS


class Blind:
    """P is noise, TG and TSE are the truth: how many 3x3 convolutions a cell has."""

    def __init__(self):
        self.rng = np.random.default_rng(0)
        self.seen = []

    def early(self, cell):
        truth = sum(cell[label] == "nor_conv_3x3" for label in LABELS) / 6
        self.seen.append(truth)
        return {"P": self.rng.random(), "TG": truth, "CE": self.rng.random(), "TSE": 1.0 - truth}


@pytest.mark.parametrize("search", list(SEARCHES))
def test_a_judge_that_knows_the_truth_picks_better(search):
    found = {}
    for name in ("P", "guided", "TSE"):
        cells = Blind()
        picks = picks_of(JUDGES[name], SEARCHES[search], 0, cells)
        assert len(picks) == PICKS and len(cells.seen) == TRIALS
        found[name] = np.mean([sum(cell[label] == "nor_conv_3x3" for label in LABELS) for cell in picks])
    assert found["TSE"] >= found["guided"] > found["P"]
    assert found["TSE"] >= 3.0
    assert all(set(cell.values()) <= set(OPERATIONS) for cell in picks)


def test_paired_differences_and_the_verdict():
    rows = []
    for seed in range(4):
        for search in SEARCHES:
            for judge, gain in (("P", 0.0), ("guided", 0.02), ("all", 0.01), ("TSE", 0.03)):
                value = 0.5 + 0.05 * seed + gain
                rows.append({"search": search, "judge": judge, "seed": str(seed), "mean": value, "best": value + 0.1})
    text = report(rows)
    assert "reached: guided over P, mean of three picks: +0.0200 [+0.0200, +0.0200]" in text
    assert "| LaNAS | TSE | 0.6050 (sd 0.0645) | 0.7050 | +0.0300 [+0.0300, +0.0300] |" in text
    assert "all -0.0100" in text
    for row in rows:
        if row["judge"] == "guided":
            row["mean"] -= 0.05 if row["seed"] in "01" else 0.0
    assert "MISSED" in report(rows)


def test_a_cell_is_trained_once(tmp_path, monkeypatch):
    cells = rsa_search.Cells(tmp_path / "cells.csv", tmp_path)
    trained = []
    monkeypatch.setattr(cells, "_train_early", lambda cell: trained.append(cell) or {"p": 0.5, "ce": -2.0, "tse": -3.0,
                                                                                    "tg_real": float("nan")})
    monkeypatch.setattr(cells, "_train_whole", lambda cell: 0.75)
    cell = dict.fromkeys(LABELS, "none")
    assert cells.early(cell) == cells.early(cell) == {"P": 0.5, "CE": 2.0, "TSE": 3.0, "TG": 0.0}
    assert cells.final(cell) == 0.75
    again = rsa_search.Cells(tmp_path / "cells.csv", tmp_path)
    assert again.early(dict(reversed(cell.items()))) == cells.early(cell)
    assert again.final(cell) == 0.75
    assert len(trained) == 1
