"""The blocks of an architecture from its configuration: no network is built, so thousands a second can be read.

The adapter of the space's class is asked (:mod:`.adapters`); without one, labels of the families that
:mod:`.cells` and :mod:`.nsc` know say what the blocks are, each counted once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import nni_strategies.topology.hub_adapters  # noqa: F401  # registers them
from nni_strategies.errors import InvalidArgument, TopologyUnreadable
from nni_strategies.topology.adapters import adapter_of
from nni_strategies.topology.cells import cells_of
from nni_strategies.topology.nsc import OPERATIONS, configuration_block
from nni_strategies.topology.nsc import Block as NSCBlock
from nni_strategies.topology.nsc_graph import parsed_graph
from nni_strategies.topology.nsc_space import nsc_space
from nni_strategies.topology.topology import Block, Topology, grouped
from nni_strategies.topology.vocabulary import standardized


def declared(configuration: Mapping[str, Any], space: Any = None) -> Topology:
    """Return the blocks that a configuration declares.

    Parameters
    ----------
    configuration
        Label -> value; samples of NNI, which have values for labels that are not in use, are read as well.
    space
        The model space, its class or the name of that. None where labels say it all.

    Raises
    ------
    TopologyUnreadable
        No adapter for the space and no labels that are known, or values that do not fit.
    """
    adapter = adapter_of(space)
    try:
        blocks = grouped(adapter(configuration, space) if adapter else _by_labels(configuration, space))
    except Exception as error:  # adapters may be a user's, and configurations anyone's
        raise TopologyUnreadable(f"configuration {_shown(configuration)}: {type(error).__name__}: {error}") from error
    if not blocks:
        whose = f"no topology is registered for {_class_name(space)}" if space is not None else "no space was given"
        raise TopologyUnreadable(f"labels {_shown(configuration)} are of no known family, and {whose}")
    return Topology(None, blocks)


def _by_labels(configuration: Mapping[str, Any], space: Any) -> Iterable[Block]:
    if "op_1" in configuration and "p1_1" in configuration:
        convolutions = getattr(space, "conv", "plain")
        return [Block("block", parsed_graph(_nsc_block(configuration), convolutions), 1)]
    return [Block(name, standardized(cell), 1) for name, cell in cells_of(configuration).items()]


def _nsc_block(configuration: Mapping[str, Any]) -> NSCBlock:
    try:
        return configuration_block(configuration)
    except InvalidArgument as error:  # labels may be drawn one by one: then what they stand for
        most = sum(label.startswith("op_") for label in configuration)
        try:
            return configuration_block(nsc_space(most, tuple(OPERATIONS)).normal_form(configuration))
        except Exception:
            raise error from None


def _shown(configuration: Mapping[str, Any]) -> str:
    labels = [str(label) for label in configuration]
    return ", ".join(labels[:4]) + (f", … ({len(labels)})" if len(labels) > 4 else "")


def _class_name(space: Any) -> str:
    return space if isinstance(space, str) else getattr(space, "__name__", type(space).__name__)
