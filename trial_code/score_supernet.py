"""Score one architecture by a saved supernet: an NNI trial that trains nothing, or the function of a NAS experiment.

    python -m trial_code.score_supernet --supernet FILE --data noisy_digits                      # in an NNI trial
    python -m trial_code.score_supernet --supernet FILE --data noisy_digits --arch best.json     # by itself

Space, size and held-out images are those that `trial_code.train_supernet` wrote into the file.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import nni
import torch

from nni_strategies.errors import InvalidArgument
from nni_strategies.space.parameters import Subset
from nni_strategies.supernet import checkpoint as files
from nni_strategies.supernet.network import Supernet
from nni_strategies.supernet.scorer import BATCH_NORM, Scorer
from trial_code.command_line import bad_input_ends
from trial_code.images import Loading
from trial_code.parameters import next_parameters
from trial_code.supernet_spaces import fingerprint, open_images, space_of
from trial_code.train_supernet import usable_device, usable_threads

_NEEDED = ("space", "width", "cells", "batch_size", "holdout", "cutout", "seed", "data")


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--supernet", type=Path, required=True, help="file of trial_code.train_supernet")
    p.add_argument("--data", required=True, help="as in its training")
    p.add_argument("--arch", type=Path, help="JSON of a configuration or a best.json; default: ask NNI")
    p.add_argument("--batch-norm", default="batch", help=f"one of {', '.join(BATCH_NORM)}; default %(default)s")
    p.add_argument("--calibration", type=int, default=4, help="training batches for recalibrated; default %(default)s")
    p.add_argument("--batches", type=int, help="how many of the held-out batches judge; default: all")
    p.add_argument("--precision", default="float32")
    p.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, …")
    p.add_argument("--threads", type=int, default=1, help="CPU threads of torch")
    given = p.parse_args(arguments)
    for name in ("calibration", "batches"):
        value = getattr(given, name)
        if value is not None and value < 1:
            raise InvalidArgument(f"--{name}", value, "a positive integer")
    given.device = usable_device(given.device)
    given.threads = usable_threads(given.threads)
    return given


def open_scorer(given: argparse.Namespace) -> Scorer:
    """Build the supernet of a file and what scores by it.

    Raises
    ------
    InvalidArgument, DataMissing
        The file was not written by the training program, the data is another, or an option is out of its range.
    """
    torch.set_num_threads(given.threads)
    about = files.read_header(given.supernet)["description"].get("about", {})
    if missing := [name for name in _NEEDED if name not in about]:
        told = f"a file of trial_code.train_supernet; it says nothing of {missing[0]}"
        raise InvalidArgument("--supernet", str(given.supernet), told)
    loading = Loading(about["batch_size"], about["holdout"], about["cutout"], about["seed"], given.device)
    images = open_images(given.data, loading)
    make, arguments = space_of(about["space"], about["width"], about["cells"], images)
    if fingerprint(images) != about["data"]:
        raise InvalidArgument("--data", given.data, f"the images that {given.supernet} was trained on")
    supernet = Supernet(make(**arguments)).to(given.device)
    files.load(given.supernet, supernet)
    supernet.network.eval()
    judged = itertools.islice(images.valid_batches(), given.batches)
    learned = (one for one, _ in itertools.islice(images.train_batches(0), given.calibration))
    return Scorer(supernet, judged, given.batch_norm, learned, given.precision)


def configuration_of(parameters: Mapping[str, Any], supernet: Supernet) -> dict[str, Any]:
    """Return a trial's parameters as a configuration: an input, a list of one to NNI's cells, may be a number."""
    one = [p.label for p in supernet.space.parameters if isinstance(p, Subset) and p.n_chosen == 1]
    return {k: [v] if k in one and not isinstance(v, list) else v for k, v in parameters.items()}


@lru_cache(maxsize=1)
def _scorer_of(arguments: tuple[str, ...]) -> Scorer:
    return open_scorer(options(list(arguments)))


def evaluate_candidate(candidate: Any, arguments: list[str]) -> None:
    """Score a candidate of an NNI NAS experiment: the function of a `FunctionalEvaluator`.

    Parameters
    ----------
    candidate
        Of :class:`nni_strategies.supernet.candidates.Candidates`.
    arguments
        The command line of this script; the supernet is loaded once a process.
    """
    scorer = _scorer_of(tuple(arguments))
    nni.report_final_result(scorer(scorer.supernet.view.configuration(candidate.sample)))


def read_parameters(path: Path | None) -> dict[str, Any]:
    """Return the architecture of a file, else of NNI's trial.

    Raises
    ------
    InvalidArgument
        No JSON object, or an empty one.
    """
    if path is None:
        given: Any = next_parameters()
    else:
        try:
            given = json.loads(path.read_text())
        except (OSError, ValueError, RecursionError) as error:
            raise InvalidArgument("--arch", str(path), f"a readable JSON file ({error})") from None
        given = given.get("configuration", given) if isinstance(given, dict) else given
    if not isinstance(given, dict) or not given:
        raise InvalidArgument("architecture", given, "a dictionary label -> value")
    return given


def main(arguments: list[str] | None = None) -> dict[str, float]:
    """Score the architecture of the command line or of NNI, and report."""
    given = options(arguments)
    parameters = read_parameters(given.arch)
    scorer = open_scorer(given)
    started = time.monotonic()
    accuracy = scorer(configuration_of(parameters, scorer.supernet))
    result = {"default": accuracy, "accuracy": accuracy, "score_seconds": round(time.monotonic() - started, 3)}
    nni.report_final_result(result)
    print(f"result {json.dumps(result)}")
    return result


if __name__ == "__main__":
    with bad_input_ends():
        main()
