"""Expected one-hop features of a supernet's blocks, and how near they are to those of experts.

A block is what the search decides on: each kind of one-shot cell, else the smallest module that holds all choices
(one of several equal cells), else the whole network. What surrounds the blocks, stem, reductions and classifier, is
not counted then. S of the supernet is the mean over its blocks, weighted by how often each occurs, of

    S = (F - m) / (1 - m),

F as in :mod:`~nni_strategies.irlas.one_shot.one_hop` and m the F of the block with all choices alike: a search begins
at S = 0, and an expert's own features have S = 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
from nni.nas.nn.pytorch import Cell
from nni.nas.oneshot.pytorch.supermodule.base import BaseSuperNetModule
from nni.nas.oneshot.pytorch.supermodule.sampling import PathSamplingCell
from torch import nn

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.experts import projected
from nni_strategies.irlas.given_experts import read_experts
from nni_strategies.irlas.one_shot.flow import ENTRY, Tally
from nni_strategies.irlas.one_shot.one_hop import OneHop, Scalar, similarity
from nni_strategies.irlas.one_shot.operations import Rule, Run
from nni_strategies.irlas.one_shot.probabilities import Probabilities, supernet_modules, uniform_probabilities
from nni_strategies.irlas.one_shot.program import rule_of
from nni_strategies.irlas.stimuli import Stimuli
from nni_strategies.topology.graph import TopologyGraph

#: Any two of these work on NAS-Bench-201, ResNeXt alone does not.
EXPERTS = ("resnext", "resnet_basic", "densenet")

Experts = Sequence[Any] | Mapping[str, Any]

_LARGEST_M = 1.0 - 1e-9


@dataclass(frozen=True)
class ExpectedBlock:
    """A block of a supernet.

    Parameters
    ----------
    name
        Its label, or its class.
    count
        How often the supernet has it.
    rule
        How a flow passes through it.
    n_inputs
        How many tensors it reads.
    """

    name: str
    count: int
    rule: Rule
    n_inputs: int = 1

    def tally(self, probabilities: Probabilities) -> Tally:
        """Return the expected counts of operations and edges."""
        tally = Tally()
        tally.leave(self.rule.flow(Run(tally, probabilities), *[ENTRY] * self.n_inputs))
        return tally


def blocks_of(supernet: nn.Module) -> list[ExpectedBlock]:
    """Return the distinct blocks of a supernet.

    Raises
    ------
    InvalidArgument
        No choices, or a forward that torch.fx cannot trace.
    """
    cells = [module for module in supernet.modules() if isinstance(module, (PathSamplingCell, Cell))]
    if cells:
        counts = Counter(cell.label for cell in cells)
        first = {cell.label: cell for cell in reversed(cells)}
        return [
            ExpectedBlock(name, count, rule_of(first[name]), first[name].num_predecessors)
            for name, count in counts.items()
        ]
    if not supernet_modules(supernet):
        raise InvalidArgument("model_space", type(supernet).__name__, "a supernet: a space with choices, mutated")
    nested = _nested(supernet)
    for module in reversed(nested[1:]):
        try:
            return [ExpectedBlock(type(module).__name__, 1, rule_of(module))]
        except InvalidArgument:
            continue  # what is around it may be traced
    return [ExpectedBlock(type(supernet).__name__, 1, rule_of(supernet))]


def _nested(module: nn.Module) -> list[nn.Module]:
    """Return the modules that hold all choices, from the outside in."""
    wanted = _labels(module)
    found = [module]
    for child in module.children():
        if not isinstance(child, BaseSuperNetModule) and _labels(child) == wanted:
            deeper = _nested(child)
            return found + (deeper[1:] if isinstance(child, (nn.ModuleList, nn.ModuleDict)) else deeper)
    return found


def _labels(module: nn.Module) -> set[str]:
    return {label for each in supernet_modules(module) for label in each.simplify()}


class ExpectedStimuli:
    """S of a supernet for the probabilities of its choices.

    Parameters
    ----------
    supernet
        What a one-shot strategy's ``mutate_model`` returns.
    experts
        Names, files, graphs, networks (translated into the operations of each block) or histograms; S is by the mean
        of F over them.

    Raises
    ------
    InvalidArgument
        No expert, an unknown one, one whose features the supernet cannot have, or a supernet without blocks.
    """

    def __init__(self, supernet: nn.Module, experts: Experts = EXPERTS) -> None:
        found = experts_of(experts)
        self.blocks = blocks_of(supernet)
        uniform = uniform_probabilities(supernet)
        self._experts: list[list[OneHop]] = []
        self._uniform: list[float] = []
        for block in self.blocks:
            tally = block.tally(uniform)
            chosen = [_features(each, tally) for each in found]
            m = float(_mean_similarity(tally, chosen))
            if not 0.0 < m < _LARGEST_M:
                listed = f"experts with some of the operations {sorted(tally.ops)} of block {block.name!r}"
                raise InvalidArgument("experts", [sorted(each.ops) for each in chosen], listed)
            self._experts.append(chosen)
            self._uniform.append(m)

    def score(self, probabilities: Probabilities) -> Scalar:
        """Return S: a tensor where probabilities are tensors, else a float."""
        total: Scalar = 0.0
        for block, chosen, m in zip(self.blocks, self._experts, self._uniform, strict=True):
            found = _mean_similarity(block.tally(probabilities), chosen)
            total = total + block.count * (found - m) / (1.0 - m)
        return total / sum(block.count for block in self.blocks)


def _mean_similarity(tally: Tally, experts: Sequence[OneHop]) -> Any:
    return sum(similarity(tally.ops, tally.edges, each) for each in experts) / len(experts)


def experts_of(experts: Experts) -> list[TopologyGraph | OneHop]:
    """Return experts as graphs and histograms.

    Raises
    ------
    InvalidArgument
        None, or one that :func:`~nni_strategies.irlas.given_experts.read_experts` refuses.
    """
    if isinstance(experts, Mapping):
        return _graphs(experts)
    if not experts or not isinstance(experts, (list, tuple)):
        raise InvalidArgument("experts", experts, "a list of at least one expert")
    known = (OneHop, TopologyGraph)
    return [one for each in experts for one in ([each] if isinstance(each, known) else _graphs([each]))]


def _graphs(given: Any) -> list[TopologyGraph | OneHop]:
    found = read_experts(given)
    if isinstance(found, Stimuli):
        raise InvalidArgument("experts", list(found.experts), "networks: the stimuli of a supernet are its own")
    return list(found.values())


def _features(given: TopologyGraph | OneHop, tally: Tally) -> OneHop:
    return given if isinstance(given, OneHop) else OneHop.of(projected(given, tally.ops.keys()).graph)
