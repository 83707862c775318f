"""The topology of an architecture, from its configuration or its network: the public face of extraction.

Three ways, in this order, the cheapest first; they give the same canonical graphs in standard operations:

1. *declared*: from a configuration alone (:mod:`.declared`); blocks only, thousands a second.
2. *torch.fx*: by symbolic tracing (:mod:`.traced`); a tenth of a second.
3. *recorded*: from one dry run (:mod:`.recorded`), which follows any code; a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nni_strategies.errors import InvalidArgument, TopologyUnreadable
from nni_strategies.topology.adapters import register_topology
from nni_strategies.topology.blocks import topology_of
from nni_strategies.topology.declared import declared
from nni_strategies.topology.topology import Block, Topology

__all__ = ["Block", "Topology", "register_topology", "to_graph"]


def to_graph(
    model_or_sample: Any, *, space: Any = None, example_input: Any = None, block_regex: str | None = None
) -> Topology:
    """Return the topology of an architecture.

    Parameters
    ----------
    model_or_sample
        A configuration or NNI sample (label -> value), a model of an NNI experiment that has its sample, or a network
        (any ``torch.nn.Module``).
    space
        What a configuration belongs to: a model space, its class or the name of that. A configuration that is not
        readable by itself is built, if a model space is given.
    example_input
        What the network's forward takes, for the dry run: a tensor, a tuple of arguments or a dictionary. Without it
        there is none.
    block_regex
        Which modules of a network are its blocks, matched against their whole paths; None: see :mod:`.blocks`.

    Raises
    ------
    TopologyUnreadable
        An architecture that none of the three ways can read; the message says why.
    InvalidArgument
        Neither configuration nor network, or a `block_regex` that is no regular expression.
    """
    sample = getattr(model_or_sample, "sample", None)
    if isinstance(sample, Mapping) and hasattr(model_or_sample, "model_space"):
        space, model_or_sample = space or model_or_sample.model_space, sample
    if not isinstance(model_or_sample, Mapping):
        return _of_network(model_or_sample, example_input, block_regex)
    try:
        if block_regex is None:
            return declared(model_or_sample, space)
        unreadable = TopologyUnreadable("block_regex is about networks")
    except TopologyUnreadable as error:
        unreadable = error
    if not hasattr(space, "freeze"):
        raise unreadable
    return _of_network(_frozen(space, model_or_sample), example_input, block_regex)


def _frozen(space: Any, sample: Mapping[str, Any]) -> Any:
    import torch

    try:
        with torch.random.fork_rng(devices=()):  # weights that nobody trains are not to change what is drawn next
            return space.freeze(dict(sample))
    except Exception as error:  # the space's own code
        raise TopologyUnreadable(f"{type(space).__name__}: cannot be built from its sample: {error}") from error


def _of_network(model: Any, example_input: Any, block_regex: str | None) -> Topology:
    from torch import nn

    from nni_strategies.topology.recorded import recorded
    from nni_strategies.topology.traced import traced

    if not isinstance(model, nn.Module):
        raise InvalidArgument("model_or_sample", model, "a configuration or a torch.nn.Module")
    if getattr(model, "simplify", dict)():
        raise TopologyUnreadable(f"{type(model).__name__}: a model space; give a sample of it, and it as `space`")
    try:
        return topology_of(traced(model), block_regex)
    except TopologyUnreadable as error:
        if example_input is None:
            raise TopologyUnreadable(f"{error}; and without example_input there is no dry run") from error
    return topology_of(recorded(model, example_input), block_regex)
