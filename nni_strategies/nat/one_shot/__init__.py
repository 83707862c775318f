"""NAT in one training: a supernet and a policy learn together, and an architecture is transformed."""

from nni_strategies.nat.one_shot.lightning import NATLightningModule
from nni_strategies.nat.one_shot.strategy import NATOneShot

__all__ = ["NATLightningModule", "NATOneShot"]
