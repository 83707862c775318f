"""How the spaces of NNI's hub are read from configurations, without building a network.

Labels say most; the rest (how many cells, where a stage halves or has squeeze-and-excitation) is asked of the model
space, and is as in the hub's defaults where there is none. Residual connections are those of a model space that was
frozen: NNI decides on them when it builds the space, where two widths are equal only if they are one choice.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nni_strategies.topology.adapters import register_topology
from nni_strategies.topology.cells import Loose, cells_of
from nni_strategies.topology.graph import TopologyGraph
from nni_strategies.topology.operations import ADD, CONCAT, INPUT, MUL
from nni_strategies.topology.topology import Block
from nni_strategies.topology.vocabulary import ATTENTION, GLOBAL_POOL, LINEAR, standardized

_REDUCTION = "reduce"
_REDUCTIONS = 2  # of three stages
_CONCAT_ALL = ("DARTS", "PNAS")
_LAYER = re.compile(r"s(?P<stage>\d+)_i(?P<layer>\d+)(?P<kernel>_ks)?")
_SHUFFLE_STAGES = (4, 4, 8, 4)


@register_topology("NDS", "NASNet", "ENAS", "AmoebaNet", "PNAS", "DARTS")
def nds_blocks(configuration: Mapping[str, Any], space: Any) -> Iterator[Block]:
    """Yield the normal and the reduction cell; the second and the third stage begin with a reduction.

    Each counts once where neither labels nor the space say how many cells there are.
    """
    merge: Loose = getattr(space, "merge_op", None) or ("all" if _name(space) in _CONCAT_ALL else "loose_end")
    n_cells = configuration.get("depth", getattr(space, "num_cells", None))
    reductions, normal = (_REDUCTIONS, n_cells - _REDUCTIONS) if isinstance(n_cells, int) else (1, 1)
    for name, cell in cells_of(configuration, concat=merge).items():
        yield Block(name, standardized(cell), reductions if name == _REDUCTION else normal)


@register_topology("NasBench101", "NasBench201")
def benchmark_blocks(configuration: Mapping[str, Any], space: Any) -> Iterator[Block]:
    """Yield the one cell, as often as the network has it."""
    stack = getattr(space, "features", None) or getattr(space, "cells", None) or ()
    count = sum(type(module).__name__ in ("NasBench101Cell", "NasBench201Cell") for module in stack)
    for name, cell in cells_of(configuration).items():
        yield Block(name, standardized(cell), count or 1)


@register_topology("MobileNetV3Space", "ProxylessNAS")
def mobile_blocks(configuration: Mapping[str, Any], space: Any) -> Iterator[Block]:
    """Yield a depthwise-separable convolution, then the inverted residuals of all stages."""
    layers = _mobile_layers(configuration)
    if (0, 0) not in layers:  # ProxylessNAS has no choice there
        yield Block("first", inverted_residual(3, expands=False, squeezes=False, adds=False), 1)
    for (stage, layer), kernel in sorted(layers.items()):
        if layer >= configuration.get(f"s{stage}_depth", layer + 1):
            continue
        block = _built(space, stage, layer)
        adds = layer > 0 if block is None else bool(block.has_skip)
        squeezes = configuration.get(f"s{stage}_i{layer}_se") == "se" or _has(block, "SqueezeExcite")
        yield Block(f"s{stage}_i{layer}", inverted_residual(kernel, stage > 0, squeezes, adds), 1)


@register_topology("ShuffleNetSpace")
def shuffle_blocks(configuration: Mapping[str, Any], space: Any) -> Iterator[Block]:
    """Yield the twenty blocks; the first of each stage halves."""
    layer = 0
    for count in getattr(space, "stage_repeats", _SHUFFLE_STAGES):
        for place in range(count):
            layer += 1
            yield Block(f"layer_{layer}", shuffle_block(configuration[f"layer_{layer}"], halves=place == 0), 1)


@register_topology("AutoFormer")
def transformer_blocks(configuration: Mapping[str, Any], space: Any) -> Iterable[Block]:
    """Return the encoder layer, as often as it is repeated."""
    return [Block("blocks", encoder_layer(), configuration["depth"])]


@functools.cache
def inverted_residual(kernel: int, expands: bool, squeezes: bool, adds: bool) -> TopologyGraph:
    """Return 1x1, depthwise, squeeze-and-excitation, 1x1 and the sum with what came in, as far as there are such."""
    nodes: dict[Any, Any] = {"expand": ("conv1", [INPUT])} if expands else {}
    nodes["depthwise"] = (f"dwconv{kernel}", list(nodes)[-1:] or [INPUT])
    if squeezes:
        nodes |= {
            "squeeze": (GLOBAL_POOL, ["depthwise"]),
            "reduce": ("conv1", ["squeeze"]),
            "excite": ("conv1", ["reduce"]),
            "weigh": (MUL, ["depthwise", "excite"]),
        }
    nodes["project"] = ("conv1", list(nodes)[-1:])
    return standardized(TopologyGraph.from_nodes(nodes, ["project", INPUT] if adds else ["project"]))


@functools.cache
def shuffle_block(choice: str, halves: bool) -> TopologyGraph:
    """Return a block of ShuffleNetV2: one half of the channels passes, or is halved where the other half is."""
    kernel = 3 if choice == "xcep" else int(choice.removeprefix("k"))
    main = [f"sepconv{kernel}"] * 3 if choice == "xcep" else ["conv1", f"sepconv{kernel}"]
    nodes: dict[Any, Any] = {i: (operation, [i - 1 if i else INPUT]) for i, operation in enumerate(main)}
    if halves:
        nodes["side"] = (f"sepconv{kernel}", [INPUT])
    outputs = [len(main) - 1, "side" if halves else INPUT]
    return TopologyGraph.from_nodes(nodes, outputs, merge=CONCAT).canonical()


@functools.cache
def encoder_layer() -> TopologyGraph:
    """Return attention and two linear layers, each with the sum with what came in."""
    nodes: dict[Any, Any] = {
        "attention": (ATTENTION, [INPUT]),
        "attended": (ADD, [INPUT, "attention"]),
        "hidden": (LINEAR, ["attended"]),
        "linear": (LINEAR, ["hidden"]),
    }
    return TopologyGraph.from_nodes(nodes, ["linear", "attended"])


def _mobile_layers(configuration: Mapping[str, Any]) -> dict[tuple[int, int], int]:
    """Return the kernel of each layer by (stage, layer)."""
    kernels: dict[tuple[int, int], int] = {}
    for label, value in configuration.items():
        found = _LAYER.fullmatch(label)
        if found:
            kernel = value if found["kernel"] else int(value.removeprefix("k").split("e")[0])
            kernels[int(found["stage"]), int(found["layer"])] = kernel
    return kernels


def _built(space: Any, stage: int, layer: int) -> Any:
    """Return the block of a model space, or None where it has none or is not there to be asked."""
    blocks = getattr(space, "blocks", None)
    if blocks is None:
        return None
    # ProxylessNAS counts stages from 2, after the stem and the fixed first block
    found = blocks[stage - 1 if type(space).__name__ == "ProxylessNAS" else stage]
    built = found.blocks[layer] if hasattr(found, "blocks") else found
    return next(iter(built)) if type(built).__name__ == "LayerChoice" else built


def _has(block: Any, kind: str) -> bool:
    return block is not None and any(type(module).__name__ == kind for module in block.children())


def _name(space: Any) -> str:
    return space if isinstance(space, str) else getattr(space, "__name__", type(space).__name__)
