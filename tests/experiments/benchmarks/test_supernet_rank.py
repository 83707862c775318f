"""The benchmark of supernet scores: what is compared, how a table follows from rows, and a tiny run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from experiments.benchmarks import common, supernet_rank
from experiments.benchmarks.supernet_speed import CASES
from search_spaces.digits_cell import LABELS


def test_the_cells_are_alive_and_always_the_same():
    cells = supernet_rank.cells(30)
    assert cells == supernet_rank.cells(30)
    assert len({tuple(cell.values()) for cell in cells}) == 30
    none = dict.fromkeys(LABELS, "none")
    assert not supernet_rank.alive(none)
    assert not supernet_rank.alive({**none, "cell.edge_1_3": "skip_connect"})
    assert supernet_rank.alive({**none, "cell.edge_0_3": "skip_connect"})
    assert supernet_rank.alive({**none, "cell.edge_0_1": "none", "cell.edge_0_2": "skip_connect",
                                "cell.edge_2_3": "nor_conv_1x1"})  # fmt: skip


def rank_rows(scores: dict[str, list[float]]) -> list[dict[str, str]]:
    alone = [{"what": "alone", "cell": str(i), "seed": str(s), "value": str(i / 10 + s / 100)} for i in range(4)
             for s in (0, 1)]  # fmt: skip
    return alone + [
        {"what": what, "cell": str(i), "seed": "0", "value": str(value)}
        for what, values in scores.items() for i, value in enumerate(values)
    ]  # fmt: skip


def test_a_table_follows_from_rows():
    targets: list[str] = []
    rows = rank_rows({"batch": [0, 1, 2, 3], "recalibrated": [0, 1, 3, 2], "stored": [3, 2, 1, 0], "TG": [1, 0, 2, 3]})
    lines = supernet_rank.rank_lines(rows, targets)
    assert "| batch | 1.00 | 1.00 | 1.00 | 1.00 | 1.500 |" in lines
    assert any(line.startswith("| recalibrated | 0.67 |") for line in lines)
    assert any(line.startswith("| stored | -1.00 |") for line in lines)
    assert "Two trainings of the same cell: tau 1.00, rho 1.00, mean of 1 pairs of seeds." in lines
    assert all(target.startswith("- reached") for target in targets)
    speed: list[Any] = [
        {"space": space, "way": way, "scores_per_s": rate, "extra_mb": 1, "peak_mb": 9}
        for space, way in CASES
        for rate in ((2, 4, 6) if way == "scorer" else (1, 2, 3))
    ]
    targets.clear()
    lines = supernet_rank.speed_lines(speed, targets)
    assert "| digits | scorer | 4.00 | 1.0 MB | 9 MB |" in lines
    assert [target.startswith("- reached") for target in targets] == [False, True, True, True, True]
    assert "digits: 2.0 times the scores a second of freeze, at least 3.0" in targets[0]


def test_the_published_table_follows_from_the_stored_rows():
    targets: list[str] = []
    lines = supernet_rank.rank_lines(common.read_rows(supernet_rank.RANK), targets)
    lines += supernet_rank.speed_lines(common.read_rows(supernet_rank.SPEED), targets)
    published = supernet_rank.RANK.with_suffix(".md").read_text().splitlines()
    assert [line for line in [*lines, *targets] if line not in published] == []


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_tiny_run_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(supernet_rank, "RANK", tmp_path / "rank.csv")
    monkeypatch.setattr(supernet_rank, "SEEDS", (0,))
    monkeypatch.setattr(supernet_rank, "EPOCHS_ALONE", 1)
    for _ in range(2):
        supernet_rank.main(["rank", "--cells", "3", "--epochs", "1"])
        rows = common.read_rows(tmp_path / "rank.csv")
        assert [row["what"] for row in rows] == [w for w in ("alone", *supernet_rank.SCORES) for _ in range(3)]
        assert all(0 <= float(row["value"]) <= 1 for row in rows)
