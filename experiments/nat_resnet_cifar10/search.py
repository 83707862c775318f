"""ResNet-20, written as a graph, transformed by NAT on CIFAR-10 images, and both networks retrained alike.

    python experiments/nat_resnet_cifar10/search.py all --small --folder small     # minutes of a CPU, to see it work
    python experiments/nat_resnet_cifar10/search.py supernet --folder run --device cuda --amp
    python experiments/nat_resnet_cifar10/search.py transform --folder run --device cuda --amp
    python experiments/nat_resnet_cifar10/search.py retrain --network original --seed 0 --folder run --device cuda --amp
    python experiments/nat_resnet_cifar10/search.py table --folder run

Steps and protocol are those of `trial_code/nat_program.py`. In the space of `search_spaces/handcrafted.py` each block
has edges of its own. A convolution may become something cheaper, a shortcut may go or come where it is free. What
follows ``--`` goes to the training script (`python -m trial_code.train_nasnet --help`).
"""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any

from nni_strategies.errors import InvalidArgument
from search_spaces.handcrafted import HandcraftedNet, configuration
from trial_code import nat_program
from trial_code.command_line import bad_input_ends
from trial_code.images import Images

NAME = "resnet20"

SUPERNET = "--epochs 50 --batch-size 256 --lr 0.1 --cutout 0 --holdout 10000"
RETRAIN = "--epochs 50 --batch-size 128 --lr 0.1 --weight-decay 1e-4 --cutout 0 --holdout 0"
SMALL = "--epochs 1 --batch-size 32 --max-steps 10"


def space(given: Namespace, images: Images) -> HandcraftedNet:
    """Return the space of ResNet-20's transformations, for images of CIFAR's size."""
    if images.input_shape != (3, 32, 32):
        raise InvalidArgument("--data", list(images.input_shape), "images of 3 x 32 x 32")
    return HandcraftedNet(NAME, n_classes=images.n_classes)


def network(sample: dict[str, Any], given: Namespace, images: Images) -> Any:
    """Return a network of the space."""
    return space(given, images).freeze(sample)


PROGRAM = nat_program.Program(
    title="ResNet-20 transformed by NAT, CIFAR-10 images",
    before=configuration(NAME),
    space=space,
    network=network,
    supernet=SUPERNET,
    retrain=RETRAIN,
    small=SMALL,
    sized=False,
)

if __name__ == "__main__":
    with bad_input_ends():
        nat_program.run(PROGRAM, *nat_program.read_options(__doc__, sys.argv[1:]))
