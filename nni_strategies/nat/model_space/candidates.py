"""The modules among which an edge of a model space chooses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from nni.nas.nn.pytorch.base import recursive_freeze
from nni.nas.space import model_context
from torch import nn

from nni_strategies.nat.edges import Edge
from nni_strategies.nat.model_space.sites import Site


def candidate(site: Site, edge: Edge, operation: str) -> nn.Module:
    """Return the module of the model space; where a ``Cell`` builds its operations, one that leaves no node yet."""
    key = edge.choices[edge.names.index(operation)]
    found: nn.Module = site.choice[key]
    return found


def frozen_candidate(
    site: Site, edge: Edge, operation: str, source: int, factories: Any, sample: Mapping[str, Any]
) -> nn.Module:
    """Return what an operation is in a network frozen with a sample.

    Parameters
    ----------
    source
        Node that the edge leaves.
    factories
        The ``op_candidates_factory`` of the frozen ``Cell``: functions or modules by name, or a list of them; None
        where operations do not depend on the source.
    sample
        NNI's.
    """
    with torch.device("meta"):
        if isinstance(factories, (dict, list)):
            made = factories[operation] if isinstance(factories, dict) else factories[int(operation)]
            if not isinstance(made, nn.Module):
                with model_context(dict(sample)):
                    module: nn.Module = made(edge.node, edge.slot, source)
                return module
        frozen: nn.Module = recursive_freeze(candidate(site, edge, operation), dict(sample))[0]
        return frozen
