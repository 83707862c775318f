"""NAT in one training: a supernet and a policy learn together, and an architecture is transformed."""

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
import nni.nas.strategy  # noqa: F401  # before nni.nas.oneshot: by itself that leaves NNI's own DARTS() unusable

from nni_strategies.nat.one_shot.lightning import NATLightningModule
from nni_strategies.nat.one_shot.strategy import NATOneShot

__all__ = ["NATLightningModule", "NATOneShot"]
