"""NAS-Bench-201: 15,625 cells with the accuracies they were trained to, so that a search takes milliseconds.

A cell has nodes 0 to 3 and an operation on each of the six edges i -> j. The table holds mean accuracies over the
benchmark's seeds. Dong and Yang: NAS-Bench-201, 2001.00326; Dong et al.: NATS-Bench, 2009.00437.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nni_strategies.data_folder import VARIABLE, data_folder
from nni_strategies.errors import DataMissing, InvalidArgument
from nni_strategies.space.parameters import Categorical
from nni_strategies.space.search_space import Configuration, SearchSpace

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
LABELS = tuple(f"cell.edge_{i}_{j}" for i, j in EDGES)
DATASETS = {"cifar10": "cifar10", "cifar100": "cifar100", "imagenet16-120": "in16"}
SPLITS = ("valid", "test")
EPOCHS = (200, 12)

_FILE = "nasbench201/nasbench201_all.csv.gz"
_LATENCIES = "nasbench201_latency/nasbench201_latency_help.csv.gz"
_ROWS = len(OPERATIONS) ** len(EDGES)


def search_space() -> SearchSpace:
    """Return the space: six choices of five operations."""
    return SearchSpace(tuple(Categorical(label, OPERATIONS) for label in LABELS))


def nni_search_space() -> dict[str, Any]:
    """Return the same space as NNI's search-space JSON."""
    return {label: {"_type": "choice", "_value": list(OPERATIONS)} for label in LABELS}


class Table:
    """Accuracies of one dataset and split, looked up by configuration.

    Parameters
    ----------
    accuracies
        In per cent, in the order of ``search_space().enumerate()``, ``[15625]``.
    """

    def __init__(self, accuracies: npt.NDArray[np.float64]) -> None:
        self.accuracies = accuracies
        self.accuracies.setflags(write=False)

    def __getitem__(self, configuration: Mapping[str, Any]) -> float:
        """Return the accuracy of a cell, in per cent.

        Raises
        ------
        InvalidConfiguration
            It is not a cell of the space.
        """
        search_space().validate(configuration)
        return float(self.accuracies[_index([OPERATIONS.index(configuration[label]) for label in LABELS])])

    @property
    def optimum(self) -> float:
        """The highest accuracy, in per cent."""
        return float(self.accuracies.max())

    @property
    def best(self) -> Configuration:
        """The first cell that has it."""
        codes = np.unravel_index(int(self.accuracies.argmax()), (len(OPERATIONS),) * len(EDGES))
        return {label: OPERATIONS[int(code)] for label, code in zip(LABELS, codes, strict=True)}


def load_table(dataset: str = "cifar10", split: str = "valid", *, epochs: int = 200) -> Table:
    """Load the accuracies of one dataset.

    Parameters
    ----------
    dataset
        ``cifar10``, ``cifar100`` or ``imagenet16-120``.
    split
        ``valid`` or ``test``.
    epochs
        How long the cells were trained: 200 or 12.

    Raises
    ------
    InvalidArgument
        An unknown dataset, split or number of epochs.
    DataMissing
        The table is not on this machine.
    """
    if dataset not in DATASETS:
        raise InvalidArgument("dataset", dataset, f"one of {list(DATASETS)}", DATASETS)
    if split not in SPLITS:
        raise InvalidArgument("split", split, f"one of {list(SPLITS)}", SPLITS)
    if epochs not in EPOCHS:
        raise InvalidArgument("epochs", epochs, f"one of {list(EPOCHS)}")
    columns = _columns(data_folder() / _FILE)
    return Table(columns[f"{DATASETS[dataset]}_{split}_{epochs}"].copy())


def load_latencies(device: str) -> npt.NDArray[np.float64]:
    """Load the latencies measured on a device, in ms, ``[15625]`` in the order of the space's enumeration.

    Lee et al.: HELP, NeurIPS 2021; some devices are from HW-NAS-Bench (Li et al., ICLR 2021).

    Raises
    ------
    InvalidArgument
        An unknown device; the nearest is suggested.
    DataMissing
        The table is not on this machine.
    """
    by_device = _columns(data_folder() / _LATENCIES)
    if device not in by_device:
        raise InvalidArgument("device", device, f"one of {', '.join(by_device)}", by_device)
    return by_device[device].copy()


def load_costs() -> npt.NDArray[np.float64]:
    """Load millions of multiply-adds of the CIFAR-10 networks, ``[15625]``; raises DataMissing."""
    return _columns(data_folder() / _FILE)["cifar10_mflops"].copy()


@lru_cache(maxsize=2)
def _columns(path: Path) -> dict[str, npt.NDArray[np.float64]]:
    """Read the numeric columns, each ``[15625]`` in the order of the space's enumeration."""
    rows = _rows(path)
    places = _places(path.parents[1])
    place = np.array([places[int(row["index"])] for row in rows])
    columns: dict[str, npt.NDArray[np.float64]] = {}
    for name in rows[0]:
        if name not in ("index", "arch_str", "unique_str"):
            columns[name] = np.empty(_ROWS)
            columns[name][place] = [float(row[name]) for row in rows]
    return columns


@lru_cache(maxsize=1)
def _places(folder: Path) -> dict[int, int]:
    """Return the place in the space's enumeration of each of the benchmark's indices."""
    return {int(row["index"]): _index(parse(row["arch_str"])) for row in _rows(folder / _FILE)}


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with gzip.open(path, "rt", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise DataMissing(
            f"{path} cannot be read ({error.strerror or error}); "
            f"set {VARIABLE} to the folder that holds {path.parent.name}/{path.name}"
        ) from None
    if len(rows) != _ROWS:
        raise DataMissing(f"{path} has {len(rows)} rows instead of {_ROWS}: it is another file or incomplete")
    return rows


def parse(architecture: str) -> list[int]:
    """Return the operations of the edges, as indices, of ``|nor_conv_3x3~0|+|none~0|skip_connect~1|+|…|``."""
    found: dict[tuple[int, int], int] = {}
    for target, node in enumerate(architecture.split("+"), start=1):
        for edge in node.strip("|").split("|"):
            operation, source = edge.split("~")
            found[int(source), target] = OPERATIONS.index(operation)
    return [found[edge] for edge in EDGES]


def architecture_string(configuration: Mapping[str, Any]) -> str:
    """Return the benchmark's own notation of a cell."""
    nodes = []
    for target in (1, 2, 3):
        edges = [f"{configuration[f'cell.edge_{source}_{target}']}~{source}" for source in range(target)]
        nodes.append("|" + "|".join(edges) + "|")
    return "+".join(nodes)


def _index(operations: list[int]) -> int:
    index = 0
    for operation in operations:
        index = index * len(OPERATIONS) + operation
    return index
