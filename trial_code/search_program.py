"""What the `search.py` of experiments share: the options of any search, and the way from its start to its report.

A search is a program of its own, a NAS experiment of NNI; its trials run a training script, which what follows ``--``
on the command line goes to.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any

import torch

from nni_strategies.bridge.experiment import NasExperiment
from nni_strategies.bridge.strategy import StudyStrategy
from nni_strategies.data_folder import data_folder
from nni_strategies.errors import InvalidArgument
from trial_code import train_nasnet

Parser = argparse.ArgumentParser


def parser_of(description: str | None, *, trials: int, concurrency: int, gpus: int) -> Parser:
    """Return a parser that knows the options of any search; the numbers are defaults."""
    p = Parser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--trials", type=int, default=trials, help="how many candidates in all; default %(default)s")
    p.add_argument("--concurrency", type=int, default=concurrency, help="trials at a time; default %(default)s")
    p.add_argument("--gpus", type=int, default=gpus, help="GPUs a trial; 0: trials run on the CPU; default %(default)s")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--port", type=int, help="of the web UI; default: 8080, or the next free one")
    p.add_argument("--resume", metavar="ID", help="go on with this experiment; give the other options again")
    return p


def split(words: list[str]) -> tuple[list[str], list[str]]:
    """Return what stands before ``--``, and what behind."""
    end = words.index("--") if "--" in words else len(words)
    return words[:end], words[end + 1 :]


def parsed(
    parser: Parser,
    words: list[str],
    least: Mapping[str, int] | None = None,
    small: Mapping[str, Any] | None = None,
) -> tuple[argparse.Namespace, list[str]]:
    """Return the options of the search, and the arguments of the training script.

    Parameters
    ----------
    words
        A command line.
    least
        More options that are whole numbers, and their least values.
    small
        Defaults with ``--small``.

    Raises
    ------
    InvalidArgument
        A number that is too small.
    """
    mine, rest = split(words)
    if "--small" in mine:
        parser.set_defaults(**(small or {}))
    given = parser.parse_args(mine)
    for name, lowest in {"trials": 1, "concurrency": 1, "gpus": 0, **(least or {})}.items():
        if getattr(given, name) < lowest:
            raise InvalidArgument(f"--{name}", getattr(given, name), f"an integer of at least {lowest}")
    return given, rest


def check_gpus(given: argparse.Namespace) -> None:
    """Refuse more GPUs than torch finds: NNI would say so in a log file only.

    Raises
    ------
    InvalidArgument
        There are not so many.
    """
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if given.gpus > there:
        raise InvalidArgument("--gpus", given.gpus, f"at most {there}, which torch finds here; --small needs none")


def jpeg_copy() -> str:
    """Return the name of the data folder's CIFAR-10, a JPEG copy."""
    return f"npz:{data_folder() / 'cifar10' / 'cifar10_full_jpeg.npz'}"


def seen_from_here(trial: argparse.Namespace) -> argparse.Namespace:
    """Return the options of a trial, for looking at its data here, on the CPU.

    Raises
    ------
    InvalidArgument
        An architecture or a checkpoint that all candidates would share.
    """
    train_nasnet.refuse_given(trial, ("arch", "checkpoint"), "absent: each candidate has its own")
    trial.device = "cpu"
    return trial


def experiment(name: str, given: argparse.Namespace, space: Any, evaluator: Any, strategy: Any) -> NasExperiment:
    """Return the experiment that the options describe, not started yet.

    Raises
    ------
    InvalidArgument
        The experiment to resume never began.
    """
    made = NasExperiment(space, evaluator, strategy, id=given.resume)
    config = made.config
    config.experiment_name = name
    config.max_trial_number = given.trials
    config.trial_concurrency = given.concurrency
    config.trial_gpu_number = given.gpus
    config.training_service.use_active_gpu = True  # NNI wants to be told
    if given.resume is not None:
        made.check_began("--resume")
    return made


def run(made: NasExperiment, given: argparse.Namespace) -> int:
    """Run or resume a search, and print its best candidates; return the exit code."""
    resumable = isinstance(made.strategy, StudyStrategy)  # NNI's own keep nothing
    go_on = f"go on with --resume {made.id}" if resumable else f"see nni_strategies report {made.id}"
    print(f"Experiment {made.id}" + (f"; after a kill {go_on}" if resumable else ""), flush=True)
    ended = made.resume(given.port) if given.resume else made.run(given.port)
    if not ended:
        print(f"The search did not come to its end; {go_on}", file=sys.stderr)
        return 1
    for model in made.export_top_models(top_k=min(3, given.trials)):
        print(f"{model.metric:.4f} {model.sample}")
    made.stop()
    print(f"Report, best.json and best.py: nni_strategies report {made.id}")
    return 0
