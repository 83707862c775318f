"""What the benchmarks share: results as CSV lines appended as they come, options, and what they ran on."""

from __future__ import annotations

import argparse
import csv
import os
import platform
from collections.abc import Callable, Collection
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from nni_strategies.errors import nearest_name

PACKAGES = ("numpy", "scipy", "nni", "optuna")
RESULTS = Path(__file__).resolve().parent / "results"


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the lines of a CSV as dictionaries, none where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def stored_rows(parser: argparse.ArgumentParser, path: Path, columns: Collection[str]) -> list[dict[str, str]]:
    """Return the lines that a table is made from; the program ends with 2 where they are not there."""
    rows = read_rows(path)
    if not rows:
        parser.error(f"{path} holds no results")
    if missing := [column for column in columns if column not in rows[0]]:
        parser.error(f"{path} are results of something else: there is no column {', '.join(missing)}")
    return rows


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


def at_least(least: int) -> Callable[[str], int]:
    """Return the type of an option that takes whole numbers from `least`."""

    def number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least}")
        return value

    return number


def one_of(names: Collection[str]) -> Callable[[str], str]:
    """Return the type of an option that takes one of `names`; the nearest is suggested."""

    def name(text: str) -> str:
        if text not in names:
            nearest = nearest_name(text, names)
            hint = f"; did you mean {nearest!r}?" if nearest else ""
            raise argparse.ArgumentTypeError(f"{text!r} is none of {list(names)}{hint}")
        return text

    return name


def some_of(names: Collection[str]) -> Callable[[str], list[str]]:
    """Return the type of an option that takes some of `names`, separated by ``|``."""
    return lambda text: [one_of(names)(part) for part in text.split("|")]


def add_results_option(parser: argparse.ArgumentParser, path: Path) -> None:
    """Let trials of a script leave the published results in `path` alone."""

    def csv_file(text: str) -> Path:
        if not text.endswith(".csv") or Path(text).is_dir():  # the table gets the same name, ending in .md
            raise argparse.ArgumentTypeError(f"{text!r} is not the name of a .csv file")
        return Path(text)

    told = "where the results are kept, the table beside it; %(default)s unless given"
    parser.add_argument("--results", type=csv_file, default=path, metavar="CSV", help=told)


def band_note(counts: Collection[int]) -> str:
    """Return what the lines and bands of a plot are; `counts` says how many seeds each method had."""
    low, high = min(counts, default=0), max(counts, default=0)
    seeds = f"{high} seeds" if low == high else f"{low} to {high} seeds"
    return f"Line: median; band: the middle half of the runs (quartiles), over {seeds} a method."


def machine() -> str:
    """Return what the numbers were measured on, in one line."""
    packages = ", ".join(f"{name} {number}" for name in PACKAGES if (number := _version(name)))
    return f"{_processor()}, {os.cpu_count()} cores; Python {platform.python_version()}, {packages}."


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:  # a GPU machine need not have the peers
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
