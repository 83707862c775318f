"""What the benchmark of RDMs counts, and that memory stays within the budget: measured in processes of their own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from experiments.benchmarks import rsa_gpu, rsa_memory, rsa_speed


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", list(rsa_memory.CASES))
def test_memory_stays_within_the_budget_and_a_tenth(case):
    found = rsa_memory.in_a_process(case)
    budget = found["budget_mb"]
    assert found["activations_mb"] > 1.5 * budget
    assert 0.4 * budget < found["extra_mb"] <= 1.1 * budget  # so little would say that nothing was measured
    assert (found["passes"] == 1) == (case == "one batch")
    assert found["layers"] == rsa_memory.BLOCKS


def test_resident_memory_is_that_of_this_process():
    before = resident = rsa_memory.resident("VmRSS")
    kept = np.ones(40 * 2**17)  # 40 MB
    resident = rsa_memory.resident("VmRSS")
    assert 35.0 < resident - before < 60.0
    assert rsa_memory.resident("VmHWM") >= resident
    assert kept[-1] == 1.0


def test_runs_take_turns_and_the_fastest_counts(monkeypatch):
    clock = iter([0.0, 5.0, 10.0, 11.0, 20.0, 22.0, 30.0, 33.0])
    monkeypatch.setattr(rsa_speed.time, "process_time", lambda: next(clock))
    order = []
    works = {"a": lambda: order.append("a"), "b": lambda: order.append("b")}
    assert rsa_speed.fastest(works, 2) == {"a": 2.0, "b": 1.0}
    assert order == ["a", "b", "a", "b"]


@pytest.mark.timeout(60)  # rsatoolbox takes seconds to import
def test_a_small_run_has_all_rows(monkeypatch):
    monkeypatch.setattr(rsa_speed, "SHAPES", ((10, 50), (20, 60)))
    monkeypatch.setattr(rsa_speed, "TARGET_SHAPES", ((20, 60),))
    monkeypatch.setattr(rsa_speed, "N_COMPARED", (12, 30))
    monkeypatch.setattr(rsa_speed, "TARGET_COMPARED", 30)
    lines, targets = [], []
    rsa_speed.rdms(lines, targets)
    rsa_speed.comparison(lines, targets)
    assert [line.split(" | ")[0] for line in lines if "ms |" in line] == ["| 10 x 50", "| 20 x 60", "| 12", "| 30"]
    assert len(targets) == 6
    assert all(told.startswith(("- reached: ", "- MISSED: ")) for told in targets)
    assert "from rsatoolbox's, at most 1e-10" in targets[-1] and "reached" in targets[-1]


def test_without_a_gpu_the_table_says_so(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert rsa_gpu.lines(rsa_speed.SHAPES) == ["", rsa_gpu.NOT_RUN]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_rdms_are_exact_and_without_tf32():
    row = rsa_gpu.lines([(92, 4096)])[-1]
    assert row.startswith("| 92 x 4096 | ")
    assert float(row.split("|")[-2]) <= 1e-6
