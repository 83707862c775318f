"""What the NAT experiments on images share: a supernet, an architecture transformed by its scores, both retrained.

Steps, each a command of its own whose results are files of one folder:

- ``supernet`` trains architectures with shared weights on a part of the training images, by uniform paths: of the whole
  space, or with ``--paths outputs`` of what the one architecture can become, so that each operation is trained for
  longer (``--kept 0.75``: three of four edges stay as they are); a kill costs an epoch
- ``transform`` lets NAT transform the one architecture; scores are the supernet's accuracy on held-out training images
- ``retrain`` trains ``--network original`` or ``transformed`` alone, by one recipe, from weights and in an order that
  ``--seed`` draws; steps with different networks and seeds may run side by side
- ``table`` writes what was measured, as JSON and Markdown
- ``all`` does one after the other

Protocol, fixed before any run:

- The training images that the supernet does not learn are cut in two by the split's order. Scores, and the choice of
  the output, are of the first half. The second half is asked once, about input and output, and decides nothing.
- Both networks are retrained on all training images with the same options and seeds, whatever these seeds give.
- Test images are looked at once for each training, after its last epoch. Nothing is chosen by them; all trainings are
  in the table.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.moves_of_space import moves_of_space
from nni_strategies.nat.rules import RULES
from nni_strategies.nat.supernet_paths import LEARNED_PATHS, living, outputs_of
from nni_strategies.nat.transform import QUERIES, K, TransformResult, transform
from nni_strategies.report.best import write_atomically
from nni_strategies.supernet import checkpoint as files
from nni_strategies.supernet.network import Supernet
from nni_strategies.supernet.scorer import Batch, Scorer
from nni_strategies.supernet.training import Recipe, train
from trial_code import nat_table, search_program, train_nasnet
from trial_code.images import Images, Shortened

STEPS = ("supernet", "transform", "retrain", "table", "all")
NETWORKS = ("original", "transformed")
SUPERNET, TRANSFORMED = "supernet.safetensors", "transform.json"

_SHAPING = ("width", "cells", "batch_size", "holdout", "cutout", "max_steps", "seed")  # of a supernet
_SCORED = 500  # images a batch at most; its statistics are those that batch norm uses
_SMALL_QUERIES, _SMALL_K, _SMALL_HOLDOUT = 12, 3, 1000
_LEAST_HELD = 4  # images: batch norm needs two a half


@dataclass(frozen=True)
class Program:
    """One experiment.

    Parameters
    ----------
    title
        Of the table.
    before
        The architecture that is transformed, NNI's sample.
    space
        Builds the model space from the options of a training and its images.
    network
        Builds a network to be trained alone: from a sample, options and images.
    supernet, retrain
        Options of the training script for both.
    small
        Options besides, for both, that make it a matter of minutes on a CPU.
    sized
        Whether networks have the width and the number of cells that options give.
    """

    title: str
    before: Mapping[str, Any]
    space: Callable[[Namespace, Images], Any]
    network: Callable[[dict[str, Any], Namespace, Images], nn.Module]
    supernet: str
    retrain: str
    small: str
    sized: bool = True


def read_options(description: str | None, words: Sequence[str]) -> tuple[Namespace, list[str]]:
    """Return the options of a step, and what stands behind ``--`` for the training script.

    Raises
    ------
    InvalidArgument
        A number that is too small, or a file of data that is not there.
    """
    p = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("step", choices=STEPS)
    p.add_argument("--folder", type=Path, required=True, help="where the results of all steps are")
    p.add_argument("--data", help="KIND:PATH; default: the JPEG copy in the data folder")
    p.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, …")
    p.add_argument("--amp", action="store_true", help="mixed precision")
    p.add_argument("--seed", type=int, default=0, help="of supernet, transformation or retraining")
    p.add_argument("--epochs", type=int, help="of supernet or retraining; default: the experiment's")
    p.add_argument("--rule", choices=RULES, default="cost", help="of the transformation; default %(default)s")
    p.add_argument("--paths", choices=LEARNED_PATHS, default="space", help="a supernet's; default %(default)s")
    p.add_argument("--kept", type=float, default=0.0, help="of outputs: how often an edge stays as it is; default 0")
    p.add_argument("--queries", type=int, help=f"scores that NAT learns from; default {QUERIES}")
    p.add_argument("--k", type=int, help=f"outputs that are scored in the end; default {K}")
    p.add_argument("--network", choices=NETWORKS, help="of retrain")
    p.add_argument("--seeds", type=int, default=1, help="of all: how often each network is retrained")
    p.add_argument("--small", action="store_true", help="tiny networks, a few steps, no GPU")
    mine, rest = search_program.split(list(words))
    given = p.parse_args(mine)
    given.queries = given.queries if given.queries is not None else (_SMALL_QUERIES if given.small else QUERIES)
    given.k = given.k if given.k is not None else (_SMALL_K if given.small else K)
    for name, least in {"seed": 0, "queries": 1, "k": 1, "seeds": 1}.items():
        if getattr(given, name) < least:
            raise InvalidArgument(f"--{name}", getattr(given, name), f"a whole number from {least}")
    if not 0 <= given.kept < 1 or (given.kept and given.paths != "outputs"):
        raise InvalidArgument("--kept", given.kept, "a probability, 0 to below 1, with --paths outputs")
    if given.step == "retrain" and given.network is None:
        raise InvalidArgument("--network", None, f"one of {list(NETWORKS)}")
    if given.step in ("transform", "table", "all") and rest:
        raise InvalidArgument("--", rest, "options for the training script, with supernet or retrain alone")
    given.data = given.data or search_program.jpeg_copy()
    return given, rest


def run(program: Program, given: Namespace, rest: Sequence[str] = ()) -> None:
    """Do a step, or all.

    Raises
    ------
    InvalidArgument, DataMissing
        A step whose files are not there yet, or options that do not fit them.
    """
    if given.step in ("supernet", "all"):
        train_supernet(program, given, rest)
    if given.step in ("transform", "all"):
        transform_by_supernet(program, given)
    if given.step == "retrain":
        retrain(program, given, given.network, given.seed, rest)
    if given.step == "all":
        for seed in range(given.seeds):
            for network in NETWORKS:
                retrain(program, given, network, seed, rest)
    if given.step in ("table", "all"):
        nat_table.write(program.title, given.folder, program.sized)


def options_of(program: Program, given: Namespace, usual: str, seed: int, rest: Sequence[str]) -> Namespace:
    """Return the options of a training: the experiment's, those of the command line, and the rest."""
    words = ["--data", given.data, "--device", given.device, "--seed", str(seed), *usual.split()]
    words += program.small.split() if given.small else []
    words += ["--amp"] if given.amp else []
    words += ["--epochs", str(given.epochs)] if given.epochs is not None else []
    trained = train_nasnet.options([*words, *rest])
    if not program.sized:
        train_nasnet.refuse_given(trained, ("width", "cells"), "absent: the network has a size of its own")
    return trained


def train_supernet(program: Program, given: Namespace, rest: Sequence[str]) -> None:
    """Train the supernet, or go on with it."""
    held = ["--holdout", str(_SMALL_HOLDOUT)] if given.small else []
    trained = options_of(program, given, program.supernet, given.seed, [*held, *rest])
    told = "absent: a supernet is trained, by SGD and a cosine"
    train_nasnet.refuse_given(trained, train_nasnet.OF_ONE_NETWORK, told)
    if trained.holdout < _LEAST_HELD:  # of none, test images would be scored by
        allowed = f"{_LEAST_HELD} at least: one half scores, the other checks"
        raise InvalidArgument("--holdout", trained.holdout, allowed)
    torch.set_num_threads(trained.threads)
    images = train_nasnet.open_images(trained)
    supernet = Supernet.built(lambda: program.space(trained, images), trained.seed).to(trained.device)
    moves = moves_of_space(program.space(trained, images), given.rule, input_shape=images.input_shape)
    recipe = Recipe(
        epochs=trained.epochs, learning_rate=trained.lr, momentum=trained.momentum, weight_decay=trained.weight_decay,
        precision="bfloat16" if trained.amp else "float32", seed=trained.seed,
    )  # fmt: skip
    started = time.monotonic()

    def say(epoch: int, loss: float) -> None:
        line = {"epoch": epoch, "train_loss": round(loss, 4), "seconds": round(time.monotonic() - started, 1)}
        print(json.dumps(line), flush=True)

    about = {name: getattr(trained, name) for name in _SHAPING} | {"amp": trained.amp}
    paths = living(moves.transitions)
    if given.paths == "outputs":
        parent = moves.transitions.view.encode([moves.configuration(moves.read(program.before))])
        paths = outputs_of(moves.transitions, parent, given.kept)
        about |= {"paths": given.paths, "rule": given.rule} | ({"kept": given.kept} if given.kept else {})
    train(
        supernet, Shortened(images, trained.max_steps), recipe, paths=paths, checkpoint=given.folder / SUPERNET,
        after_epoch=say, about=about,
    )  # fmt: skip


def transform_by_supernet(program: Program, given: Namespace) -> TransformResult:
    """Transform the architecture by the supernet's scores, and write what came of it."""
    header = files.read_header(given.folder / SUPERNET)
    about, recipe = header["description"]["about"], header["description"]["recipe"]
    if header["epochs"] < recipe["epochs"]:
        allowed = f"{recipe['epochs']} epochs, of which {header['epochs']} are done: go on with the step supernet"
        raise InvalidArgument("supernet", str(given.folder / SUPERNET), allowed)
    if about.get("rule", given.rule) != given.rule:
        raise InvalidArgument("--rule", given.rule, f"{about['rule']}: the supernet learned no other outputs")
    words = ["--data", given.data, "--device", given.device, "--holdout", str(about["holdout"])]
    trained = train_nasnet.options([*words, "--width", str(about["width"]), "--cells", str(about["cells"])])
    trained.seed = about["seed"]
    torch.set_num_threads(trained.threads)
    images = train_nasnet.open_images(trained)
    supernet = Supernet(program.space(trained, images)).to(trained.device)
    files.load(given.folder / SUPERNET, supernet)
    choosing, checking = (Scorer(supernet, part, precision=recipe["precision"]) for part in halves(images))
    started = time.monotonic()
    result = transform(
        program.before, program.space(trained, images), choosing, rule=given.rule, queries=given.queries, k=given.k,
        seed=given.seed, input_shape=images.input_shape,
    )  # fmt: skip
    configurations = [supernet.view.configuration(sample) for sample in (result.before, result.after)]
    seconds = round(time.monotonic() - started, 1)
    how = {"rule": given.rule, "queries": given.queries, "k": given.k, "seed": given.seed, "seconds": seconds}
    images_each = {"scoring_images": choosing.n_images, "checking_images": checking.n_images}
    checked = dict(zip(("check_before", "check_after"), checking.scores(configurations).tolist(), strict=True))
    supernets = {"supernet": {**about, **recipe}}
    told = {**json.loads(result.to_json()), **checked, **images_each, "transform": how, **supernets}
    write_atomically(given.folder / TRANSFORMED, json.dumps(told, indent=1) + "\n")
    print(json.dumps({"scores": [result.score_before, result.score_after], **checked, "seconds": seconds}), flush=True)
    return result


def halves(images: Images) -> list[list[Batch]]:
    """Return the held-out images as two halves, in batches that are nearly alike: one of a single image is none."""
    whole = [torch.cat(parts) for parts in zip(*images.valid_batches(), strict=True)]
    middle = len(whole[1]) // 2
    parts = [[tensor[:middle] for tensor in whole], [tensor[middle:] for tensor in whole]]
    numbers = [math.ceil(len(labels) / _SCORED) for _, labels in parts]
    pairs = zip(parts, numbers, strict=True)
    return [list(zip(*(torch.tensor_split(tensor, n) for tensor in part), strict=True)) for part, n in pairs]


def retrain(program: Program, given: Namespace, network: str, seed: int, rest: Sequence[str]) -> None:
    """Train a network alone and write what it reached."""
    trained = options_of(program, given, program.retrain, seed, ["--judge-last", *rest])
    first = network == "original"  # which may be trained before there is another
    sample = dict(program.before) if first else nat_table.read(given.folder / TRANSFORMED)["after"]
    place = given.folder / f"{network}-{seed}"
    trained.checkpoint = trained.checkpoint or place.with_suffix(".pt")
    torch.set_num_threads(trained.threads)
    torch.manual_seed(seed)
    images = train_nasnet.open_images(trained)
    if trained.holdout:
        raise InvalidArgument("--holdout", trained.holdout, "0: retraining is on all training images")
    result = train_nasnet.train(program.network(sample, trained, images), images, trained, sample)
    device = torch.cuda.get_device_name(trained.device) if trained.device.startswith("cuda") else "cpu"
    kept = {name: result[name] for name in ("accuracy", "params", "madds", "train_seconds")}
    recipe = {**train_nasnet.recipe_of(trained, images), "amp": trained.amp, "max_steps": trained.max_steps}
    row = {"network": network, "seed": seed, **kept, "device": device, "data": Path(given.data).name, "recipe": recipe}
    write_atomically(place.with_suffix(".json"), json.dumps(row, indent=1) + "\n")
