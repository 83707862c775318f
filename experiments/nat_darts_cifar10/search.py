"""The published DARTS cell, transformed by NAT on CIFAR-10 images, and both networks retrained alike.

    python experiments/nat_darts_cifar10/search.py all --small --folder small     # minutes of a CPU, to see it work
    python experiments/nat_darts_cifar10/search.py supernet --folder run --device cuda --amp
    python experiments/nat_darts_cifar10/search.py transform --folder run --device cuda --amp
    python experiments/nat_darts_cifar10/search.py retrain --network original --seed 0 --folder run --device cuda --amp
    python experiments/nat_darts_cifar10/search.py table --folder run

Steps and protocol are those of `trial_code/nat_program.py`. The space is DARTS's widened by ``none``; every edge of the
cell may become what costs neither more multiply-adds nor more parameters. What follows ``--`` goes to the training
script (`python -m trial_code.train_nasnet --help`).
"""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
from nni.nas.hub.pytorch import DARTS
from nni.nas.hub.pytorch.nasnet import NDS

from search_spaces.handcrafted_cells import CELLS
from trial_code import nat_program, train_nasnet
from trial_code.command_line import bad_input_ends
from trial_code.images import Images

OPERATIONS = ("none", *DARTS.DARTS_OPS)

SUPERNET = "--epochs 50 --width 16 --cells 8 --batch-size 256 --lr 0.1 --cutout 0 --holdout 10000"
RETRAIN = "--space darts --epochs 50 --width 16 --cells 8 --batch-size 256 --lr 0.1 --cutout 16 --holdout 0"
SMALL = "--epochs 1 --width 4 --cells 3 --batch-size 32 --max-steps 20"


def space(given: Namespace, images: Images) -> NDS:
    """Return DARTS's space with ``none``, for images of CIFAR's size and ten classes."""
    # of plain numbers: from tuples of one NNI makes choices
    return NDS(list(OPERATIONS), num_nodes_per_cell=4, width=given.width, num_cells=given.cells, dataset="cifar")


def network(sample: dict[str, Any], given: Namespace, images: Images) -> Any:
    """Return the network of a cell."""
    return train_nasnet.build(sample, given, images)


PROGRAM = nat_program.Program(
    title="The DARTS cell transformed by NAT, CIFAR-10 images",
    before=CELLS["DARTS"].sample,
    space=space,
    network=network,
    supernet=SUPERNET,
    retrain=RETRAIN,
    small=SMALL,
)

if __name__ == "__main__":
    with bad_input_ends():
        nat_program.run(PROGRAM, *nat_program.read_options(__doc__, sys.argv[1:]))
