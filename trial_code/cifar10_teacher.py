"""A teacher for CIFAR-10: a ResNet with published weights, shown images that candidates are validated on.

Built once, under a name that is a hash of all that it was made of; later searches with the same read the file.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from nni_strategies.data_folder import VARIABLE, data_folder
from nni_strategies.errors import DataMissing, InvalidArgument
from nni_strategies.rsa.build import LATE, keep_stimuli, network_teacher
from nni_strategies.rsa.stimuli import Transform, images_hash
from nni_strategies.rsa.teacher import load_teacher
from trial_code.images import CIFAR_MEAN, CIFAR_STD, Images
from trial_code.resnet_cifar import INPUT_MEAN, INPUT_STD

NETWORKS = ("resnet20", "resnet56")
METHOD = "cka"

Bytes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


def find_weights(network: str, given: Path | None = None) -> Path:
    """Return the file of a network's weights: the one given, or that in the data folder.

    Raises
    ------
    DataMissing
        There is none.
    """
    if given is not None:
        path = given.expanduser()
        if not path.is_file():
            raise DataMissing(f"{path} is no file; --weights should name one on this machine")
        return path
    folder = data_folder() / "resnet_cifar10"
    found = sorted(folder.glob(f"{network}-*.th"))
    if not found:
        raise DataMissing(f"{folder} has no {network}-*.th; name a file with --weights, or set {VARIABLE}")
    return found[0]


def held_out(images: Images, n: int, seed: int = 0) -> tuple[Bytes, Labels]:
    """Return images that are validated on, as many of each class as of any other: ``[n, h, w, 3]`` and ``[n]``.

    Parameters
    ----------
    images
        Small ones, of :class:`~trial_code.images.MemoryImages`; their normalisation is undone exactly.
    n
        How many.
    seed
        Of the choice.

    Raises
    ------
    InvalidArgument
        More than are held out.
    """
    batches = list(images.valid_batches())
    normalised, labels = (torch.cat([batch[part].cpu() for batch in batches]) for part in (0, 1))
    if n > len(labels):
        raise InvalidArgument("--stimuli", n, f"at most {len(labels)}, so many images are held out")
    mean, std = (torch.tensor(values)[:, None, None] for values in (CIFAR_MEAN, CIFAR_STD))
    pixels = ((normalised * std + mean) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    chosen = balanced(labels.numpy(), n, seed)
    return np.ascontiguousarray(pixels[chosen]), labels.numpy()[chosen]


def balanced(labels: npt.NDArray[Any], n: int, seed: int) -> npt.NDArray[np.intp]:
    """Return `n` places of a shuffled list in turns of one a class, then in order."""
    order = np.random.default_rng(seed).permutation(len(labels))
    turn = np.empty(len(labels), dtype=np.intp)
    for label in np.unique(labels):
        mine = order[labels[order] == label]
        turn[mine] = np.arange(len(mine))
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return np.sort(np.lexsort((rank, turn))[:n])


def teacher_file(network: str, weights: Path, pixels: Bytes, labels: Labels, folder: Path | None = None) -> Path:
    """Return the teacher's JSON file, building it where there is none yet.

    Parameters
    ----------
    network
        One of `NETWORKS`.
    weights
        Its state dictionary; loaded with ``weights_only=True``.
    pixels, labels
        The stimuli, ``[n, h, w, 3]`` and ``[n]``; labels are for what a teacher is compared with.
    folder
        Where teachers are kept; None for the cache of this package.

    Raises
    ------
    InvalidArgument
        An unknown network, or weights that are not its.
    """
    if network not in NETWORKS:
        raise InvalidArgument("--teacher", network, f"one of {list(NETWORKS)}, or a teacher's JSON file", NETWORKS)
    made_of = [
        network,
        LATE,
        METHOD,
        hashlib.sha256(weights.read_bytes()).hexdigest(),
        images_hash(pixels),
        str(labels.tolist()),
    ]
    name = hashlib.sha256("\n".join(made_of).encode()).hexdigest()[:16]
    place = (folder if folder is not None else cache()).absolute() / f"{network}-{name}"
    place.mkdir(parents=True, exist_ok=True)
    with open(place / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of two searches that start together one builds
        if not is_whole(place / "teacher.json"):
            stimuli = keep_stimuli(pixels, place, Transform(mean=CIFAR_MEAN, std=CIFAR_STD), labels=labels)
            own = Transform(mean=INPUT_MEAN, std=INPUT_STD)
            source = f"trial_code.resnet_cifar:{network}"
            network_teacher(source, stimuli, place, weights=weights, layers=LATE, method=METHOD, own=own)
    return place / "teacher.json"


def is_whole(teacher: Path) -> bool:
    """Whether there is a teacher whose files are as they were written."""
    try:
        stimuli = load_teacher(teacher).spec.stimuli
        stimuli.pixels()
        stimuli.labels()
    except Exception:  # a damaged zip fails in many ways, and whatever is wrong, it is built anew
        return False
    return True


def cache() -> Path:
    """Return where teachers are kept, beside decoded images."""
    given = os.environ.get("NNI_STRATEGIES_CACHE")
    return (Path(given) if given else Path.home() / ".cache" / "nni_strategies") / "teachers"
