"""What the latent-action tree is worth in a large space with thousands of observations.

    python -m experiments.benchmarks.large_space run      # resumable; --seeds, --variants, --methods to run a part
    python -m experiments.benchmarks.large_space table    # results/large_space.md and .svg from the CSV

Protocol, written before the first run
--------------------------------------
Space: the 40 choices of the hub's NASNet space (5.1e33 points). Objective: the synthetic, deterministic one of
`search_spaces.nasnet_synthetic`; it says nothing about real accuracies. 2,000 queries, one at a time. Settings may
be looked at on variant 0 with seeds from 1,000; reported are variants 1 and 2 with seeds 0 to 9.

Arms: LaNAS as it is by default (tree and Gaussian process of at most 500 results); the same without the tree; the
tree with mutation of the region's best instead of the Gaussian process; mutation without the tree; the paper's
preset; regularized evolution, local search, random search; NNI's TPE and Evolution tuners; Optuna's multivariate TPE.

Measured: the best value after 50, 100, 500, 1,000 and 2,000 queries, median and quartiles over seeds; seconds of
proposing. Two arms differ when a two-sided Wilcoxon signed-rank test over the 20 (variant, seed) pairs says so at 5 %.

Decision rule for the default with many results: the tree stays with the Gaussian process unless dropping it is
better at 2,000 queries; the Gaussian process stays beyond 500 results unless mutation in the tree's region is better at
2,000. Target: LaNAS's median is above every peer's at 500 and at 2,000 queries, on both variants.

What was looked at before (variant 0, seeds 1,000 to 1,003, at most 700 queries): about 30 settings. Two became
defaults: 10 initial draws instead of one a choice, and a histogram kernel whose decay does not grow with the number of
choices. After them LaNAS, local search and regularized evolution were within 0.015 of each other at 700 queries.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import wilcoxon

from experiments.benchmarks import common, peers, svg
from nni_strategies.lanas.searcher import LaNASSearcher
from nni_strategies.search.baselines import LocalSearch, RandomSearch, RegularizedEvolution
from search_spaces.nasnet_synthetic import SyntheticNASNet, space

Rows = list[dict[str, str]]

QUERIES = 2000
LOOKS = (50, 100, 500, 1000, 2000)
VARIANTS, SEEDS = (1, 2), range(10)
_FEWEST_PAIRS = 5  # below, no outcome of the test is small

METHODS: dict[str, peers.PeerFactory] = {
    "LaNAS": peers.ours(LaNASSearcher),
    "LaNAS without tree": peers.ours(LaNASSearcher, height=1),
    "tree + mutation": peers.ours(LaNASSearcher, local_sampler="mutation"),
    "mutation": peers.ours(LaNASSearcher, local_sampler="mutation", height=1),
    "LaNAS, paper preset": peers.ours(LaNASSearcher, preset="paper"),
    "regularized evolution": peers.ours(RegularizedEvolution),
    "local search": peers.ours(LocalSearch),
    "random search": peers.ours(RandomSearch),
    "NNI TPE": peers.nni_tpe,
    "NNI Evolution": peers.nni_evolution,
    "Optuna TPE (multivariate)": peers.optuna_tpe,
}
PEERS = list(METHODS)[5:]
RESULTS = common.RESULTS / "large_space.csv"


def run(methods: list[str], variants: list[int], seeds: list[int], results: Path) -> None:
    """Make the runs that the CSV does not hold yet, one line each."""
    done = {(r["method"], r["variant"], r["seed"]) for r in common.read_rows(results)}
    for seed in seeds:
        for variant in variants:
            for method in methods:
                if (method, str(variant), str(seed)) in done:
                    continue
                done.add((method, str(variant), str(seed)))  # a name may be given twice
                result = peers.search(METHODS[method](space(), seed), SyntheticNASNet(variant), QUERIES)
                row: dict[str, Any] = {"method": method, "variant": variant, "seed": seed}
                row |= {f"best@{n}": round(result.best[min(n, len(result.best)) - 1], 6) for n in LOOKS}
                row |= {"queries": len(result.best), "seconds": round(sum(result.seconds), 1)}
                common.append_row(results, row)
                print(row, flush=True)


def table(rows: Rows) -> str:
    """Return the results as Markdown; says of each target whether it was reached."""
    lines = [common.machine(), ""]
    for variant in sorted({row["variant"] for row in rows}):
        lines += [f"Variant {variant}: best value, median (quartiles) over seeds", ""]
        lines += ["| method | " + " | ".join(f"{n}" for n in LOOKS) + " | seeds | ms a proposal |"]
        lines += ["|---" * (len(LOOKS) + 3) + "|"]
        lines += [line for method in METHODS if (line := table_line(rows, method, variant))]
        lines.append("")
    return "\n".join([*lines, *differences(rows), "", *verdicts(rows)]) + "\n"


def table_line(rows: Rows, method: str, variant: str) -> str:
    """Return one method's line, empty where it was not run."""
    own = [row for row in rows if (row["method"], row["variant"]) == (method, variant)]
    if not own:
        return ""
    cells = []
    for n in LOOKS:
        low, middle, high = np.percentile([float(row[f"best@{n}"]) for row in own], [25, 50, 75])
        cells.append(f"{middle:.3f} ({low:.3f}–{high:.3f})")
    pace = np.median([1e3 * float(row["seconds"]) / float(row["queries"]) for row in own])
    return f"| {method} | {' | '.join(cells)} | {len(own)} | {pace:.1f} |"


def best_values(rows: Rows, method: str, n: int) -> dict[tuple[str, str], float]:
    """Return a method's best value after n queries by variant and seed."""
    return {(row["variant"], row["seed"]): float(row[f"best@{n}"]) for row in rows if row["method"] == method}


def differences(rows: Rows) -> list[str]:
    """Return a table of what pairs of runs with the same variant and seed say about two methods."""
    lines = ["| first | against | at | pairs | median difference | p (Wilcoxon) |", "|---|---|---|---|---|---|"]
    for first, second in [*(("LaNAS", method) for method in list(METHODS)[1:]), ("tree + mutation", "mutation")]:
        for n in (100, 500, 2000):
            ours, theirs = best_values(rows, first, n), best_values(rows, second, n)
            pairs = sorted(ours.keys() & theirs.keys())
            if len(pairs) < _FEWEST_PAIRS:
                continue
            gaps = np.array([ours[p] - theirs[p] for p in pairs])
            chance = wilcoxon(gaps).pvalue if np.any(gaps) else 1.0
            lines.append(f"| {first} | {second} | {n} | {len(pairs)} | {np.median(gaps):+.4f} | {chance:.2g} |")
    return lines


def verdicts(rows: Rows) -> list[str]:
    """Return a line for each target that was fixed beforehand; peers that were not run yet are named."""
    lines = []
    for n in (500, 2000):
        for variant in sorted({row["variant"] for row in rows}):
            found = {m: [v for (var, _), v in best_values(rows, m, n).items() if var == variant] for m in METHODS}
            medians = {m: float(np.median(values)) for m, values in found.items() if values}
            run_peers = [m for m in PEERS if m in medians]
            if "LaNAS" not in medians or not run_peers:
                continue
            best_peer = max(run_peers, key=lambda m: medians[m])
            verdict = "reached" if medians["LaNAS"] > medians[best_peer] else "NOT reached"
            missing = [m for m in PEERS if m not in medians]
            lines.append(
                f"- target at {n} queries, variant {variant}: {verdict} "
                f"(LaNAS {medians['LaNAS']:.3f}, best peer {best_peer} {medians[best_peer]:.3f})"
                + (f"; without {', '.join(missing)}" if missing else "")
            )
    return lines


def plot(rows: Rows) -> str:
    """Return an SVG: how far the best is below the best that any run of the variant found, median and quartiles."""
    panels: dict[str, dict[str, svg.Curve]] = {}
    bands: dict[str, dict[str, svg.Band]] = {}
    seeds = []
    for variant in sorted({row["variant"] for row in rows}):
        own = [row for row in rows if row["variant"] == variant]
        top = max(float(row[f"best@{LOOKS[-1]}"]) for row in own)
        curves: dict[str, svg.Curve] = {}
        spread: dict[str, svg.Band] = {}
        for method in METHODS:
            runs = [row for row in own if row["method"] == method]
            if runs:
                seeds.append(len(runs))
                values = np.array([[float(row[f"best@{n}"]) for n in LOOKS] for row in runs])
                low, middle, high = top - np.percentile(values, [75, 50, 25], axis=0)
                curves[method] = [(float(n), float(middle[i])) for i, n in enumerate(LOOKS)]
                spread[method] = [(float(n), float(low[i]), float(high[i])) for i, n in enumerate(LOOKS)]
        panels[f"variant {variant}"], bands[f"variant {variant}"] = curves, spread
    title = "below the best value found by any run"
    note = common.band_note(seeds)
    return svg.log_curves(panels, "queries", title, (0.01, 1.0), bands=bands, note=note, ticks=LOOKS)


def main(argv: Sequence[str] | None = None) -> None:
    """Run, or make the table and the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("run", "table"))
    parser.add_argument("--methods", nargs="+", type=common.one_of(METHODS), default=list(METHODS))
    parser.add_argument("--variants", nargs="+", type=common.at_least(0), default=list(VARIANTS))
    parser.add_argument("--seeds", nargs="+", type=common.at_least(0), default=list(SEEDS))
    common.add_results_option(parser, RESULTS)
    given = parser.parse_args(argv)
    if given.command == "run":
        run(given.methods, given.variants, given.seeds, given.results)
    else:
        columns = ("method", "variant", "seed", "seconds", "queries", *(f"best@{n}" for n in LOOKS))
        rows = common.stored_rows(parser, given.results, columns)
        common.write_results(given.results, table(rows), plot(rows))


if __name__ == "__main__":
    main()
