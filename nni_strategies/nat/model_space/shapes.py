"""What reaches each place of an edge in a frozen network: one forward pass on the meta device tells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.counter import Cost, count, hooked
from nni_strategies.nat.model_space.sites import Site


@dataclass
class Recorded:
    """What came by, by name of the module.

    Parameters
    ----------
    inputs
        What a choice's module was called with.
    nodes
        Of a ``Cell``: the nodes that its last node may read.
    shapes
        Of a ``Cell``: the shapes of the nodes it makes.
    cells
        The frozen ``Cell`` itself.
    cost
        What the whole network costs.
    """

    inputs: dict[str, tuple[Any, ...]]
    nodes: dict[str, list[torch.Tensor]]
    shapes: dict[str, set[torch.Size]]
    cells: dict[str, Any]
    cost: Cost


def record(network: nn.Module, sites: Iterable[Site], input_shape: Sequence[int]) -> Recorded:
    """Run a frozen network and return what reaches the sites; those it does not have are left out.

    Raises
    ------
    InvalidArgument
        The network cannot be run on the meta device with such an input.
    """
    modules = dict(network.named_modules(remove_duplicate=False))
    recorded = Recorded({}, {}, {}, {}, Cost(0, 0))
    with ExitStack() as hooks:
        for name, is_cell in {site.name: site.cell for site in sites if site.name in modules}.items():
            if is_cell:
                _watch_cell(modules[name], name, recorded, hooks)
            else:
                hooks.enter_context(hooked([modules[name]], _keeper(recorded.inputs, name)))
        try:
            recorded.cost = count(network, input_shape)
        except Exception as error:  # the user's code, or PyTorch's complaint about shapes
            allowed = f"the shape of one input of the network, which fails with it: {error}"
            raise InvalidArgument("input_shape", list(input_shape), allowed) from error
    return recorded


def _watch_cell(cell: Any, name: str, recorded: Recorded, hooks: ExitStack) -> None:
    recorded.cells[name] = cell
    made = recorded.shapes.setdefault(name, set())

    def nodes(_: nn.Module, given: tuple[Any, ...], __: Any) -> None:
        recorded.nodes[name] = list(given[0])  # the cell goes on to append to it

    def shape(_: nn.Module, __: Any, out: torch.Tensor) -> None:
        made.add(out.shape)

    hooks.enter_context(hooked([cell.inputs[-1][0]], nodes))
    hooks.enter_context(hooked([operations[0] for operations in cell.ops], shape))


def _keeper(kept: dict[str, tuple[Any, ...]], name: str) -> Any:
    def keep(_: nn.Module, given: tuple[Any, ...], __: Any) -> None:
        kept.setdefault(name, given)

    return keep
