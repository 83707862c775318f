"""The settings in which judges of half-trained networks are compared: data, networks, teachers, schedule.

``digits``: noisy digits. ``cifar10``: 4,000 CIFAR-10 images at 16x16. ``few_labels``: the same images, but a candidate
learns 400 of them and is validated on 100 labelled ones; 250 others without labels are the stimuli. There a teacher can
know more than the labels: ``real`` was trained on all 4,000, ``strong`` is a ResNet-56 trained on 50,000 at 32x32.

Teachers of all settings: trained (``real``), untrained (``untrained``), trained on shuffled labels (``shuffled``), all
of one architecture, wider than the candidates'; the one-hot RDM of the stimuli's classes (``onehot``: what labels alone
say). Linear CKA on the last stage and the pooled features; ``paper`` is the real one in the paper's form, Pearson on
all layers. In ``few_labels`` ``onehot`` are the 100 labelled images, all a user without a teacher would have, and
``onehot_all`` the classes of the 250 stimuli, which nobody would know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from nni_strategies.data_folder import data_folder
from nni_strategies.rsa.build import activation_teacher, keep_stimuli, network_teacher
from nni_strategies.rsa.score import TeacherScorer
from nni_strategies.rsa.stimuli import Stimuli, Transform
from nni_strategies.rsa.teacher import load_teacher
from search_spaces.cifar_cell import CifarNet
from search_spaces.digits_cell import LABELS, DigitsNet
from trial_code import digits_teacher, resnet_cifar
from trial_code.digits_training import accuracy, train
from trial_code.noisy_digits import Part, noisy_digits, stimuli, stimuli_rows
from trial_code.small_cifar import SMALL, small_cifar

RESNET = "resnet_cifar10/resnet56-4bfd9763.th"
OWN = Transform(mean=resnet_cifar.INPUT_MEAN, std=resnet_cifar.INPUT_STD)


@dataclass(frozen=True)
class Setting:
    """What candidates learn, and who judges them.

    Parameters
    ----------
    parts
        Images to train on, to validate on, to test on.
    network
        Builds a candidate or, wider, a teacher.
    epochs
        Of the whole training.
    looks
        Epochs of it after which judges look.
    annealed
        Lengths of trainings of their own, looked at when they end.
    batch_size
        Images a step.
    teachers
        Their names, in the order of the columns.
    """

    parts: tuple[Part, Part, Part]
    network: Callable[..., nn.Module]
    epochs: int
    looks: tuple[int, ...]
    annealed: tuple[int, ...]
    batch_size: int
    teachers: tuple[str, ...]


DIGITS_TEACHERS = ("real", "untrained", "shuffled", "onehot", "paper")
LOOKS: Mapping[str, tuple[tuple[str, int], ...]] = {
    "digits": (("full", 1), ("full", 2), ("full", 4), ("annealed", 1), ("annealed", 2)),
    "cifar10": (("full", 1), ("full", 2), ("full", 4), ("annealed", 1), ("annealed", 2)),
    "few_labels": (("full", 3), ("full", 6), ("full", 12), ("annealed", 3), ("annealed", 6)),
}
TEACHERS: Mapping[str, tuple[str, ...]] = {
    "digits": DIGITS_TEACHERS,
    "cifar10": (*DIGITS_TEACHERS, "strong"),
    "few_labels": (*DIGITS_TEACHERS, "strong", "onehot_all"),
}


def setting(name: str) -> Setting:
    """Return one of `LOOKS`."""
    full, annealed = (tuple(k for schedule, k in LOOKS[name] if schedule == kind) for kind in ("full", "annealed"))
    if name == "digits":
        return Setting(noisy_digits(), DigitsNet, 8, full, annealed, 16, TEACHERS[name])
    pictures = small_cifar()
    if name == "cifar10":
        train_part, valid, test = (part.small() for part in pictures)
        return Setting((train_part, valid, test), CifarNet, 8, full, annealed, 64, TEACHERS[name])
    few = (pictures[0].of_each_class(40), pictures[1].of_each_class(10), pictures[2])
    parts = (few[0].small(), few[1].small(), few[2].small())
    return Setting(parts, CifarNet, 24, full, annealed, 16, TEACHERS[name])


def scorers(name: str, chosen: Setting, folder: Path) -> dict[str, TeacherScorer]:
    """Build the teachers of a setting and return what scores candidates by each."""
    if name == "digits":
        kept = keep_stimuli(stimuli(chosen.parts[1]), folder)
        labels = chosen.parts[1].labels[stimuli_rows(chosen.parts[1])]
        learnt, tested, channels, epochs = (
            chosen.parts[0],
            chosen.parts[2],
            digits_teacher.CHANNELS,
            digits_teacher.EPOCHS,
        )
    else:
        pictures = small_cifar()
        shown = pictures[1].of_each_class(25, skip=10)
        kept, labels = keep_stimuli(shown.pixels, folder, SMALL), shown.labels
        learnt, tested, channels, epochs = pictures[0].small(), pictures[2].small(), 16, 10
    made: dict[str, TeacherScorer] = {}
    networks: dict[str, nn.Module] = {}
    for teacher in chosen.teachers:
        target = folder / teacher
        if teacher == "strong":
            options: dict[str, Any] = {"weights": data_folder() / RESNET, "own": OWN}
            path = network_teacher(resnet_cifar.resnet56(), kept, target, **options)
        elif teacher == "onehot" and name == "few_labels":
            labelled = small_cifar()[1].of_each_class(10)
            path = one_hot(keep_stimuli(labelled.pixels, target, SMALL), labelled.labels, target)
        elif teacher.startswith("onehot"):
            path = one_hot(kept, labels, target)
        else:
            kind = "real" if teacher == "paper" else teacher
            if kind not in networks:
                networks[kind] = taught(chosen, kind, learnt, channels, epochs)
                print(f"teacher {kind}: test accuracy {accuracy(networks[kind], tested):.3f}", flush=True)
            options = {"layers": "auto", "method": "pearson"} if teacher == "paper" else {}
            path = network_teacher(networks[kind], kept, target, **options)
        made[teacher] = TeacherScorer(load_teacher(path))
    return made


def taught(chosen: Setting, teacher: str, part: Part, channels: int, epochs: int) -> nn.Module:
    """Return the network of a teacher after what training it has."""
    torch.manual_seed(1)
    network = chosen.network(dict.fromkeys(LABELS, "nor_conv_3x3"), channels)
    labels = part.labels
    if teacher == "shuffled":
        labels = np.random.default_rng(0).permutation(labels)
    if teacher != "untrained":
        size = chosen.batch_size if len(part.labels) == len(chosen.parts[0].labels) else 64
        train(network, Part(part.images, labels), epochs, seed=1, batch_size=size)
    return network


def one_hot(kept: Stimuli, labels: npt.NDArray[np.int64], folder: Path) -> Path:
    """Write the teacher that knows the classes of its stimuli and nothing else."""
    return activation_teacher({"labels": np.eye(10)[labels]}, kept, folder)
