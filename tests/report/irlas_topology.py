"""A user's function that reads topologies, and cannot read some."""

from __future__ import annotations

from nni_strategies.errors import TopologyUnreadable
from nni_strategies.topology.declared import declared


def only_odd(configuration):
    if sum(value == "nor_conv_3x3" for value in configuration.values()) % 2 == 0:
        raise TopologyUnreadable("an even number of <convolutions>")
    return declared(configuration).blocks
