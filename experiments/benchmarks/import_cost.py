"""What importing a tuner costs, and whether torch or nni.nas comes with it.

    OMP_NUM_THREADS=1 python -m experiments.benchmarks.import_cost     # writes results/import_cost.csv and .md

Protocol, written before the first run: each module is imported in 7 fresh interpreters, after one that warms the
file cache; reported are the medians of clock and processor seconds of the import statement, the resident memory after
it, and which of torch, nni.nas and sklearn were loaded. Target: ``nni_strategies.lanas.tuner`` within 1.5 s of
processor time (the clock's on an idle machine), without torch and nni.nas.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.benchmarks import common

RESULTS = common.RESULTS / "import_cost.csv"
REPEATS = 7
TARGET = 1.5
OURS = "nni_strategies.lanas.tuner"
MODULES = (OURS, "nni_strategies.lanas", "nni.tuner", "nni.algorithms.hpo.tpe_tuner", "optuna")
HEAVY = ("torch", "nni.nas", "sklearn")

_PROBE = """
import importlib, json, resource, sys, time
clock, cpu = time.perf_counter(), time.process_time()
importlib.import_module(sys.argv[1])
print("PROBE", json.dumps({
    "seconds": time.perf_counter() - clock,
    "cpu_seconds": time.process_time() - cpu,
    "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "loaded": [name for name in sys.argv[2:] if name in sys.modules],
}))
"""


def probe(module: str) -> dict[str, Any]:
    """Import a module in a fresh interpreter and return what it said."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", _PROBE, module, *HEAVY]
    out = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    line = next(line for line in out.splitlines() if line.startswith("PROBE "))
    return dict(json.loads(line.removeprefix("PROBE ")))


def measure(module: str) -> dict[str, Any]:
    """Return the CSV's line of one module."""
    probe(module)
    probes = [probe(module) for _ in range(REPEATS)]
    return {
        "module": module,
        "seconds": f"{np.median([p['seconds'] for p in probes]):.3f}",
        "cpu_seconds": f"{np.median([p['cpu_seconds'] for p in probes]):.3f}",
        "megabytes": f"{np.median([p['megabytes'] for p in probes]):.0f}",
        "loads": " ".join(probes[0]["loaded"]) or "none",
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Return the results as Markdown, the verdict first."""
    own = next(row for row in rows if row["module"] == OURS)
    light = not {"torch", "nni.nas"} & set(own["loads"].split())
    good = float(own["cpu_seconds"]) <= TARGET and light
    lines = ["# What an import costs", "", common.machine(), "", "The protocol is in `import_cost.py`.", ""]
    lines += [f"{'reached' if good else '**NOT reached**'}: {OURS}: {own['cpu_seconds']} s, target {TARGET} s.", ""]
    lines += ["| module | CPU s | clock s | MB | loads (of torch, nni.nas, sklearn) |", "|---|---|---|---|---|"]
    columns = ("module", "cpu_seconds", "seconds", "megabytes", "loads")
    lines += ["| " + " | ".join(row[column] for column in columns) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> None:
    """Measure every module and write the results anew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    common.add_results_option(parser, RESULTS)
    results = parser.parse_args(argv).results
    rows = [measure(module) for module in MODULES]
    results.unlink(missing_ok=True)  # only now: a measurement that failed takes nothing away
    for row in rows:
        common.append_row(results, row)
    results.with_suffix(".md").write_text(table(rows))
    print(table(rows))


if __name__ == "__main__":
    main()
