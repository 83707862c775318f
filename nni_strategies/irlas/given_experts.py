"""Experts as they are given to a search: by name, as a file, a graph or a network, or as stimuli that were learned.

::

    experts = ["resnext", "mine.json"]                     # built in, and a file of a block
    experts = {"mine": network, "theirs": (other, images)}  # any torch.nn.Module, with what its forward takes
    experts = {"mine": [(1, "conv", 3, 0, 0), (2, "terminal", 0, 0, 0)]}  # a block in the paper's code
    experts = ["learned.json"]                             # stimuli of another search, frozen (Stimuli.save)

Of a network the block it repeats most is the expert, the first of equals; a network that repeats none is one block.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from nni_strategies.errors import InvalidArgument, TopologyUnreadable
from nni_strategies.irlas.experts import check_names, load_experts
from nni_strategies.irlas.stimuli import Stimuli
from nni_strategies.topology.extract import to_graph
from nni_strategies.topology.graph import TopologyGraph
from nni_strategies.topology.nsc_graph import block_graph

#: Name -> canonical graph, or stimuli that were learned elsewhere.
Experts: TypeAlias = Mapping[str, TopologyGraph] | Stimuli


def read_experts(given: Any) -> Experts:
    """Return experts in the form that a search needs.

    Parameters
    ----------
    given
        A list of names of built-in experts and files, networks among them; or name -> any of these, a graph, or the
        layers of a network structure code. A network is a ``torch.nn.Module``, or a pair of one and an example input,
        without which it is only traced. Or :class:`~.stimuli.Stimuli`, or a list with nothing but the file of some.

    Raises
    ------
    InvalidArgument
        No expert, an unknown one, two of one name, a file that holds none, a network whose topology cannot be read.
    """
    if isinstance(given, Stimuli):
        return given
    named = isinstance(given, Mapping)
    if not given or not (named or isinstance(given, (list, tuple))):
        check_names(given)
    listed: list[tuple[str | None, Any]] = list(given.items()) if named else [(None, one) for one in given]
    if stimuli := [one for _, one in listed if _holds_stimuli(one)]:
        if len(listed) > 1 or named:
            raise InvalidArgument("experts", stimuli, "a file of stimuli alone: it has its own experts")
        return Stimuli.load(stimuli[0])
    found: dict[str, TopologyGraph] = {}
    for name, one in listed:
        own, graph = _read(name, one)
        if own in found:
            raise InvalidArgument("experts", own, "experts of different names: it is there twice")
        found[own] = graph
    return found


def names_of(given: Any, experts: Experts) -> Any:
    """Return what a configuration keeps of experts, as JSON types: names and files as they were given, else names."""
    if isinstance(given, (list, tuple)) and all(isinstance(one, str) for one in given):
        return given
    return tuple(experts.experts if isinstance(experts, Stimuli) else experts)


def _read(name: str | None, one: Any) -> tuple[str, TopologyGraph]:
    if isinstance(one, str):
        ((own, graph),) = load_experts([one]).items()
        return name or own, graph
    if isinstance(one, TopologyGraph) or _is_code(one):
        if name is None:
            raise InvalidArgument("experts", repr(one), "by its name: {'mine': ...}")
        return name, _with_operations(name, one if isinstance(one, TopologyGraph) else block_graph(one))
    pair = isinstance(one, (tuple, list)) and len(one) == 2
    network, example_input = one if pair else (one, None)
    if not hasattr(network, "named_modules"):
        what = "names, files, graphs, codes, networks (torch.nn.Module), or pairs (network, example_input)"
        raise InvalidArgument("experts" if name is None else f"experts.{name}", repr(one), what)
    own = name or type(network).__name__.lower()
    try:
        blocks = to_graph(network, example_input=example_input).blocks
    except TopologyUnreadable as error:
        raise InvalidArgument(f"experts.{own}", type(network).__name__, f"traceable: {error}") from error
    return own, _with_operations(own, max(blocks, key=lambda block: block.count).graph)


def _is_code(one: Any) -> bool:
    layers = one if isinstance(one, (list, tuple)) else ()
    return bool(layers) and all(isinstance(layer, (list, tuple)) for layer in layers)


def _with_operations(name: str, graph: TopologyGraph) -> TopologyGraph:
    if len(graph.labels) <= 2:
        raise InvalidArgument("expert", name, "a block with at least one operation")
    return graph


def _holds_stimuli(one: Any) -> bool:
    if not isinstance(one, str) or not one.endswith(".json"):
        return False
    try:
        document = json.loads(Path(one).read_text())
    except (OSError, ValueError):  # refused where experts are read
        return False
    return isinstance(document, dict) and "similarity" in document
