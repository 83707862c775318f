"""The large space: quartiles, paired differences and verdicts of hand-made runs."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree

import pytest

from experiments.benchmarks import large_space

NAMESPACE = "{http://www.w3.org/2000/svg}"


def row(method: str, variant: int, seed: int, best: float, seconds: float = 4.0) -> dict[str, str]:
    told = {"method": method, "variant": str(variant), "seed": str(seed), "queries": "2000", "seconds": str(seconds)}
    return told | {f"best@{n}": str(best) for n in large_space.LOOKS}


def runs(method: str, values: list[float], variant: int = 1) -> list[dict[str, str]]:
    return [row(method, variant, seed, value) for seed, value in enumerate(values)]


LANAS = runs("LaNAS", [1.0, 1.1, 1.2, 1.3, 2.0])


def test_a_line_has_medians_and_quartiles():
    # 4 s for 2,000 queries are 2 ms each
    told = "| LaNAS | " + " | ".join(["1.200 (1.100–1.300)"] * 5) + " | 5 | 2.0 |"
    assert large_space.table_line(LANAS, "LaNAS", "1") == told
    assert large_space.table_line(LANAS, "LaNAS", "2") == ""


@pytest.mark.parametrize(
    ("gaps", "told"),
    [
        # all of n differences have one sign: two-sided p = 2 / 2^n
        ([0.01, 0.02, 0.03, 0.04, 0.05], "+0.0300 | 0.062"),
        ([0.01, 0.02, 0.03, 0.04, 0.05, 0.06], "+0.0350 | 0.031"),
        ([-0.01, 0.02, 0.03, 0.04, 0.05], "+0.0300 | 0.12"),  # rank 1 against 14: p = 4 / 32
        ([0.0] * 5, "+0.0000 | 1"),
    ],
)
def test_pairs_of_one_variant_and_seed_are_compared(gaps, told):
    ours = runs("LaNAS", [1.0 + gap for gap in gaps])
    lines = large_space.differences([*ours, *runs("local search", [1.0] * len(gaps))])
    assert lines[2:] == [f"| LaNAS | local search | {n} | {len(gaps)} | {told} |" for n in (100, 500, 2000)]


def test_fewer_than_five_pairs_are_no_comparison():
    other = [*runs("local search", [1.0] * 4), *runs("local search", [1.0] * 5, variant=2)]  # 4 of variant 1
    assert len(large_space.differences([*LANAS, *other])) == 2


def test_the_verdicts_name_the_best_peer_and_those_that_were_not_run():
    peers = [row for i, name in enumerate(large_space.PEERS) for row in runs(name, [1.0 + 0.01 * i])]
    told = "(LaNAS 1.200, best peer Optuna TPE (multivariate) 1.050)"
    assert large_space.verdicts([*LANAS, *peers]) == [
        f"- target at 500 queries, variant 1: reached {told}",
        f"- target at 2000 queries, variant 1: reached {told}",
    ]
    some = [*LANAS, *runs("local search", [1.0, 1.2, 1.4])]  # as good is not better
    missing = ", ".join(name for name in large_space.PEERS if name != "local search")
    assert large_space.verdicts(some)[0] == (
        "- target at 500 queries, variant 1: NOT reached (LaNAS 1.200, best peer local search 1.200)"
        f"; without {missing}"
    )
    assert large_space.verdicts(LANAS) == large_space.verdicts(peers) == []  # nothing to compare


def test_the_band_is_the_middle_half_of_the_runs_below_the_best_of_all():
    drawn = large_space.plot(LANAS)
    assert "over 5 seeds a method" in drawn

    def height(y: float) -> float:  # 240 for the two decades from 0.01 to 1
        return round(240 * (1 - (math.log10(y) + 2) / 2), 1)

    root = ElementTree.fromstring(drawn)
    (line,), (shape,) = root.iter(f"{NAMESPACE}polyline"), root.iter(f"{NAMESPACE}polygon")
    assert {float(pair.split(",")[1]) for pair in line.attrib["points"].split()} == {height(0.8)}
    edges = [tuple(map(float, pair.split(","))) for pair in shape.attrib["points"].split()]
    assert edges == [(0, height(0.7)), (300, height(0.7)), (300, height(0.9)), (0, height(0.9))]
