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
from typing import Any

import numpy as np
from scipy.stats import wilcoxon

from experiments.benchmarks import common, peers, svg
from nni_strategies.lanas.searcher import LaNASSearcher
from nni_strategies.search.baselines import LocalSearch, RandomSearch, RegularizedEvolution
from search_spaces.nasnet_synthetic import SyntheticNASNet, space

QUERIES = 2000
LOOKS = (50, 100, 500, 1000, 2000)
VARIANTS, SEEDS = (1, 2), range(10)

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


def run(methods: list[str], variants: list[int], seeds: list[int]) -> None:
    """Make the runs that the CSV does not hold yet, one line each."""
    done = {(r["method"], r["variant"], r["seed"]) for r in common.read_rows(RESULTS)}
    for seed in seeds:
        for variant in variants:
            for method in methods:
                if (method, str(variant), str(seed)) in done:
                    continue
                result = peers.search(METHODS[method](space(), seed), SyntheticNASNet(variant), QUERIES)
                row: dict[str, Any] = {"method": method, "variant": variant, "seed": seed}
                row |= {f"best@{n}": round(result.best[min(n, len(result.best)) - 1], 6) for n in LOOKS}
                row |= {"queries": len(result.best), "seconds": round(sum(result.seconds), 1)}
                common.append_row(RESULTS, row)
                print(row, flush=True)


def table() -> str:
    """Return the results as Markdown; says of each target whether it was reached."""
    rows = common.read_rows(RESULTS)
    lines = [common.machine(), ""]
    best: dict[tuple[str, int], dict[tuple[str, str], float]] = {}
    for row in rows:
        for n in LOOKS:
            best.setdefault((row["method"], n), {})[(row["variant"], row["seed"])] = float(row[f"best@{n}"])
    for variant in sorted({row["variant"] for row in rows}):
        lines += [f"Variant {variant}: best value, median (quartiles) over seeds", ""]
        lines += ["| method | " + " | ".join(f"{n}" for n in LOOKS) + " | seeds | ms a proposal |"]
        lines += ["|---" * (len(LOOKS) + 3) + "|"]
        for method in METHODS:
            own = [row for row in rows if (row["method"], row["variant"]) == (method, variant)]
            if not own:
                continue
            cells = []
            for n in LOOKS:
                low, middle, high = np.percentile([float(row[f"best@{n}"]) for row in own], [25, 50, 75])
                cells.append(f"{middle:.3f} ({low:.3f}–{high:.3f})")
            pace = np.median([1e3 * float(row["seconds"]) / float(row["queries"]) for row in own])
            lines.append(f"| {method} | {' | '.join(cells)} | {len(own)} | {pace:.1f} |")
        lines.append("")
    lines += ["| first | against | at | pairs | median difference | p (Wilcoxon) |", "|---|---|---|---|---|---|"]
    for first, second in [*(("LaNAS", method) for method in list(METHODS)[1:]), ("tree + mutation", "mutation")]:
        for n in (100, 500, 2000):
            ours, theirs = best.get((first, n), {}), best.get((second, n), {})
            pairs = sorted(ours.keys() & theirs.keys())
            if len(pairs) < 5:
                continue
            gaps = np.array([ours[p] - theirs[p] for p in pairs])
            chance = wilcoxon(gaps).pvalue if np.any(gaps) else 1.0
            lines.append(f"| {first} | {second} | {n} | {len(pairs)} | {np.median(gaps):+.4f} | {chance:.2g} |")
    lines.append("")
    for n in (500, 2000):
        for variant in sorted({row["variant"] for row in rows}):
            medians = {
                m: np.median([v for (var, _), v in best.get((m, n), {}).items() if var == variant] or [-np.inf])
                for m in METHODS
            }
            beaten = all(medians["LaNAS"] > medians[m] for m in PEERS)
            best_peer = max(PEERS, key=lambda m: medians[m])
            verdict = "reached" if beaten else "NOT reached"
            lines.append(
                f"- target at {n} queries, variant {variant}: {verdict} "
                f"(LaNAS {medians['LaNAS']:.3f}, best peer {best_peer} {medians[best_peer]:.3f})"
            )
    return "\n".join(lines) + "\n"


def plot() -> str:
    """Return an SVG: how far the median best is below the best that any run of the variant found."""
    rows = common.read_rows(RESULTS)
    panels: dict[str, dict[str, svg.Curve]] = {}
    for variant in sorted({row["variant"] for row in rows}):
        own = [row for row in rows if row["variant"] == variant]
        top = max(float(row[f"best@{LOOKS[-1]}"]) for row in own)
        curves: dict[str, svg.Curve] = {}
        for method in METHODS:
            runs = [row for row in own if row["method"] == method]
            if runs:
                medians = [float(np.median([float(row[f"best@{n}"]) for row in runs])) for n in LOOKS]
                curves[method] = [(float(n), top - m) for n, m in zip(LOOKS, medians, strict=True)]
        panels[f"variant {variant}"] = curves
    return svg.log_curves(panels, "queries", "below the best value found by any run", (0.01, 1.0))


def main() -> None:
    """Run, or make the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("run", "table"))
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--variants", nargs="+", type=int, default=list(VARIANTS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    given = parser.parse_args()
    if given.command == "run":
        run(given.methods, given.variants, given.seeds)
    else:
        common.write_results(RESULTS, table(), plot())


if __name__ == "__main__":
    main()
