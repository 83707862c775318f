"""What a score costs: our scorer against NNI's evaluation of the same architectures with the same shared weights.

``scorer`` and ``recalibrated`` are :class:`~nni_strategies.supernet.scorer.Scorer`. ``freeze`` is the way that NNI's
documentation of ``RandomOneShot`` shows: a raw model space, frozen with its weights, under an evaluator that only
validates. ``resample`` is the leanest that NNI's parts allow: the supernet itself with the path of a sample, and
``Trainer.validate``; the only one for cells, which NNI cannot freeze. NNI's two use the statistics that training
stored. All on one thread, with the same batches. Spaces: the digits cells, and DARTS's with ``none`` (8 cells of 16
channels, 32x32 pixels).

``python -m experiments.benchmarks.supernet_speed scorer digits`` prints one measurement as JSON; memory needs a process
of its own. It is the peak of resident memory while scoring, less what was resident before, weights and images included.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import logging
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
import numpy as np
import torch
from nni.nas.evaluator.pytorch import Classification, DataLoader
from nni.nas.hub.pytorch import DARTS
from nni.nas.hub.pytorch.nasnet import NDS
from nni.nas.oneshot.pytorch.strategy import RandomOneShot
from nni.nas.oneshot.pytorch.supermodule.base import BaseSuperNetModule
from nni.nas.space import RawFormatModelSpace

from experiments.benchmarks.rsa_memory import GIVING_BACK, resident
from nni_strategies.supernet.network import Supernet
from nni_strategies.supernet.scorer import Scorer
from search_spaces.digits_cell_nas import DigitsCellSpace

BATCH = 256
WAYS = ("scorer", "recalibrated", "freeze", "resample")
SPACES: dict[str, tuple[Callable[[], Any], tuple[int, ...], int]] = {  # model space, images, architectures
    "digits": (DigitsCellSpace, (1097, 1, 8, 8), 30),
    "darts": (
        lambda: NDS(["none", *DARTS.DARTS_OPS], num_nodes_per_cell=4, width=16, num_cells=8, dataset="cifar"),
        (64, 3, 32, 32),
        5,
    ),
}
CASES = tuple((space, way) for space in SPACES for way in WAYS if (space, way) != ("darts", "freeze"))

Samples = Sequence[dict[str, Any]]


def ours(way: str, make: Callable[[], Any], images: torch.Tensor, labels: torch.Tensor) -> Callable[[Samples], Any]:
    """Return what scores configurations."""
    batches = list(zip(images.split(BATCH), labels.split(BATCH), strict=True))
    name: Any = "batch" if way == "scorer" else way
    return Scorer(Supernet.built(make), batches, name, [one for one, _ in batches]).scores


def nnis(way: str, make: Callable[[], Any], images: torch.Tensor, labels: torch.Tensor) -> Callable[[Samples], Any]:
    """Return what scores samples with NNI's own parts."""
    supernet = RandomOneShot().mutate_model(make())
    evaluator = Classification(
        val_dataloaders=DataLoader(list(zip(images, labels, strict=True)), batch_size=BATCH),
        num_classes=10,
        **{"accelerator": "cpu", "logger": False, "enable_progress_bar": False, "enable_model_summary": False},
    )
    modules = [module for module in supernet.modules() if isinstance(module, BaseSuperNetModule)]

    def one(sample: dict[str, Any]) -> None:
        if way == "freeze":
            RawFormatModelSpace(supernet, evaluator).freeze(sample).execute()
            return
        for module in modules:
            module.resample(memo=sample)
        evaluator.evaluate(supernet)

    return lambda samples: [one(sample) for sample in samples]


def measure(space: str, way: str) -> dict[str, Any]:
    """Score the architectures of a space and return what it took."""
    make, shape, n = SPACES[space]
    view = Supernet(make()).view
    rng = np.random.default_rng(0)
    configurations = [view.space.sample(rng) for _ in range(n)]
    samples = configurations if way in WAYS[:2] else [view.sample(one) for one in configurations]
    images, labels = torch.randn(shape), torch.arange(shape[0]) % 10
    score = (ours if way in WAYS[:2] else nnis)(way, make, images, labels)
    score(samples[:1])  # whatever is loaded once
    ctypes.CDLL(None).malloc_trim(0)  # what was given back is not resident, or it would be used again unseen
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    start = time.process_time()
    score(samples)
    seconds = time.process_time() - start
    extra = max(resident("VmHWM") - before, 0.0)
    return {"space": space, "way": way, "scores_per_s": n / seconds, "extra_mb": round(extra, 1),
            "peak_mb": round(resident("VmHWM"), 1)}  # fmt: skip


def in_own_process(space: str, way: str) -> dict[str, Any]:
    """Measure in a process of its own, which gives memory back at once."""
    command = [sys.executable, "-m", "experiments.benchmarks.supernet_speed", way, space]
    environment = {**os.environ, **GIVING_BACK, "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    measured: dict[str, Any] = json.loads(ran.stdout.strip().splitlines()[-1])
    return measured


def main(argv: Sequence[str] | None = None) -> None:
    """Print one measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("space", choices=sorted(SPACES))
    given = parser.parse_args(argv)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    warnings.simplefilter("ignore")
    for name in ("pytorch_lightning", "lightning.pytorch", "nni"):
        logging.getLogger(name).setLevel(logging.ERROR)
    print(json.dumps(measure(given.space, given.way)))


if __name__ == "__main__":
    main()
