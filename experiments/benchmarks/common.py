"""What the benchmarks share: results as CSV lines that are appended as they come, and what they ran on."""

from __future__ import annotations

import csv
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the lines of a CSV as dictionaries, none where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def append_row(path: Path, row: dict[str, Any]) -> None:
    """Add a line in one write, so that processes may append to one file; the first brings the header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(row), lineterminator="\n")
        if file.tell() == 0:
            writer.writeheader()
        writer.writerow(row)


def write_results(csv: Path, table: str, plot: str) -> None:
    """Write a table as ``.md`` and a plot as ``.svg`` beside the CSV they were made from, and print the table."""
    csv.with_suffix(".md").write_text(table)
    csv.with_suffix(".svg").write_text(plot)
    print(table)


def machine() -> str:
    """Return what the numbers were measured on, in one line."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "nni", "optuna"))
    return f"{_processor()}, {os.cpu_count()} cores; Python {platform.python_version()}, {packages}."


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
