"""One-shot LaNAS on 8x8 digits: a supernet of the paper's 160-bit space, LaNAS on its scores, the best trained alone.

    python experiments/lanas_oneshot_digits/search.py --output output/lanas_oneshot_digits

The same command goes on where it was killed, within an epoch of the supernet, or at the next candidate of the search.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
import numpy as np
import torch

from nni_strategies import LaNAS
from nni_strategies.errors import InvalidArgument
from nni_strategies.report.best import write_atomically
from trial_code import digits_training, train_supernet
from trial_code.command_line import bad_input_ends
from trial_code.images import Loading
from trial_code.noisy_digits import noisy_digits
from trial_code.score_supernet import open_scorer
from trial_code.score_supernet import options as scoring
from trial_code.supernet_search import best_of, journal_of, stand_alone
from trial_code.supernet_spaces import DIGITS, open_images, space_of

SPACE, WIDTH, CELLS, BATCH, RATE = "lanas", 8, 3, 25, 0.1


def read_options(words: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--output", type=Path, required=True, help="folder for the supernet, the journal, and result.json")
    p.add_argument("--epochs", type=int, default=60, help="of the supernet; default %(default)s")
    p.add_argument("--trials", type=int, default=200, help="candidates that LaNAS scores; default %(default)s")
    p.add_argument("--top", type=int, default=3, help="how many are trained alone; default %(default)s")
    p.add_argument("--epochs-alone", type=int, default=12, help="default %(default)s")
    p.add_argument("--seed", type=int, default=0)
    given = p.parse_args(words)
    for name in ("epochs", "trials", "top", "epochs_alone"):
        if getattr(given, name) < 1:
            raise InvalidArgument(f"--{name.replace('_', '-')}", getattr(given, name), "a positive integer")
    return given


def trained_alone(space: Any, sample: dict[str, Any], epochs: int, seed: int) -> float:
    """Train a network from new weights and return its accuracy on the test images."""
    learned, _, judged = noisy_digits()
    torch.manual_seed(seed)
    network = stand_alone(space, sample)
    digits_training.train(network, learned, epochs, seed)
    return digits_training.accuracy(network, judged)


def main(words: Sequence[str]) -> dict[str, Any]:
    """Train, search, train the best alone, and as many drawn blindly; return and print what came of it."""
    given = read_options(words)
    torch.set_num_threads(1)
    checkpoint = given.output / "supernet.safetensors"
    sizes = ["--space", SPACE, "--width", str(WIDTH), "--cells", str(CELLS)]
    steps = ["--batch-size", str(BATCH), "--lr", str(RATE), "--epochs", str(given.epochs)]
    train_supernet.main(
        ["--data", DIGITS, "--checkpoint", str(checkpoint), *sizes, *steps, "--device", "cpu",
         "--seed", str(given.seed)]
    )  # fmt: skip
    space = space_of(SPACE, WIDTH, CELLS, open_images(DIGITS, Loading(batch_size=BATCH)))
    arguments = ["--supernet", str(checkpoint), "--data", DIGITS, "--device", "cpu"]
    strategy = LaNAS(seed=given.seed, journal=journal_of(checkpoint))
    found = best_of(strategy, space, arguments, given.trials, given.top)
    scorer = open_scorer(scoring(arguments))
    rng = np.random.default_rng(given.seed)
    blind = [scorer.supernet.space.sample(rng) for _ in range(given.top)]
    drawn = [(scorer(one), scorer.supernet.view.sample(one)) for one in blind]
    rows = []
    for by, candidates in (("LaNAS", found), ("drawn blindly", drawn)):
        for score, sample in candidates:
            accuracy = trained_alone(space, sample, given.epochs_alone, given.seed)
            rows.append({"by": by, "score": round(score, 4), "accuracy alone": round(accuracy, 4), "sample": sample})
            print(f"{by}: score {score:.4f}, alone {accuracy:.4f}", flush=True)
    result = {"options": {name: str(value) for name, value in vars(given).items()}, "architectures": rows}
    write_atomically(given.output / "result.json", json.dumps(result, indent=1))
    return result


if __name__ == "__main__":
    with bad_input_ends():
        main(sys.argv[1:])
