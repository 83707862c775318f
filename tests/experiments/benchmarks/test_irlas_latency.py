"""What the benchmark of latencies measures; the times themselves are the machine's."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.benchmarks import irlas_latency
from nni_strategies.topology.cells import cells_of


def test_cells_are_distinct_and_reach_their_output():
    drawn = irlas_latency.cells(20)
    assert len({tuple(cell.values()) for cell in drawn}) == 20
    assert drawn[:5] == irlas_latency.cells(5)
    assert all(cells_of(cell)["cell"].canonical().predecessors[-1] for cell in drawn)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_small_run_writes_its_page(tmp_path: Path):
    out = tmp_path / "latency.md"
    irlas_latency.main(["--cells", "3", "--repeats", "3", "--out", str(out)])
    text = out.read_text()
    assert text.count("\n| ") == 1 + 3
    assert "repeat error" in text and "Kendall" in text
