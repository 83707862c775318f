"""The NSC blocks of :mod:`nni_strategies.topology.nsc` as a model space of ``nni.nas``.

Labels ``op_t``, ``p1_t``, ``p2_t``, each a choice of its own to NNI. To the strategies of this package the space is the
conditional one of :mod:`nni_strategies.topology.nsc_space`, which the model space says by :meth:`own_search_space`:
labels behind the terminal are switched off, and of two nodes that are joined the later comes first. NNI's own
strategies know no such conditions, so every sample of theirs is taken for the block that
:meth:`~nni_strategies.topology.nsc_space.NSCSpace.normal_form` makes of it: what is not in use has no effect, and
predecessors are put in order. NNI's constraint of NAS-Bench-101 cells rejects samples instead; here all are of use.

What a trial trains is a :class:`.nsc_stacks.Stack` and nothing of NNI's. One-shot strategies are not served: blocks
share no weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
import nni
from nni.nas.nn.pytorch import ModelSpace
from torch import Tensor, nn

from nni_strategies.topology.extract import Block as TopologyBlock
from nni_strategies.topology.extract import register_topology
from nni_strategies.topology.nsc import Block, configuration_block
from nni_strategies.topology.nsc_graph import parsed_graph
from nni_strategies.topology.nsc_space import USUAL_OPERATIONS, NSCSpace, nsc_space
from search_spaces.nsc_block import GROUPS, check_convolution
from search_spaces.nsc_stacks import Stack, stages


class NSCBlockSpace(ModelSpace):  # type: ignore[misc]  # NNI has no types
    """The model space; freezing it, or building it within ``model_context(sample)``, gives a `Stack`.

    Parameters
    ----------
    T
        Most operations of a block.
    ops
        What a layer chooses from: some of :data:`nni_strategies.topology.nsc.OPERATIONS`.
    N, widths
        Blocks and channels of each stage; those of the stack when None.
    conv, groups
        What convolutions are: ``plain``, ``sep`` or ``grouped``, those in so many groups.
    stack
        ``cifar`` or ``mobile``.
    channels, num_classes
        Of the images, and logits.

    Raises
    ------
    InvalidArgument
        An unknown operation, convolution or stack, no layer, stages that do not fit, groups that do not divide.
    """

    def __init__(
        self,
        T: int = 10,
        ops: Sequence[str] = USUAL_OPERATIONS,
        N: Sequence[int] | None = None,
        widths: Sequence[int] | None = None,
        conv: str = "plain",
        groups: int = GROUPS,
        stack: str = "cifar",
        channels: int = 3,
        num_classes: int = 10,
    ) -> None:
        super().__init__()
        self._space = nsc_space(T, tuple(ops))
        self.conv = conv
        self._frame = {**_frame(N, widths, conv, groups, stack), "channels": channels, "n_classes": num_classes}
        for parameter in self._space.parameters:
            self.add_mutable(nni.choice(parameter.label, list(parameter.values())))

    @classmethod
    def create_fixed_module(
        cls,
        sample: dict[str, Any],
        T: int = 10,
        ops: Sequence[str] = USUAL_OPERATIONS,
        N: Sequence[int] | None = None,
        widths: Sequence[int] | None = None,
        conv: str = "plain",
        groups: int = GROUPS,
        stack: str = "cifar",
        channels: int = 3,
        num_classes: int = 10,
    ) -> nn.Module:
        """Build the network of a sample; NNI calls this within ``model_context``."""
        block = configuration_block(nsc_space(T, tuple(ops)).normal_form(sample))
        return Stack(block, stack, N, widths, conv, groups, channels, num_classes)

    def own_search_space(self) -> NSCSpace:
        """Return the conditional space that a view of this model space shows."""
        return self._space

    def block(self, sample: Mapping[str, Any]) -> Block:
        """Return the block of a sample.

        Raises
        ------
        InvalidConfiguration
            A value that a label does not have.
        InvalidArgument
            A label in use is missing.
        """
        return configuration_block(self._space.normal_form(sample))

    def freeze(self, sample: dict[str, Any]) -> nn.Module:
        """Build the network of a sample.

        Raises
        ------
        InvalidConfiguration
            A value that a label does not have; of a missing label NNI's own error says it.
        """
        block = self.block(sample)
        self.validate(sample)
        return Stack(block, **self._frame)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of the network of first choices, as NNI's spaces do before they are frozen."""
        logits: Tensor = self.default()(images)
        return logits


@register_topology(NSCBlockSpace)
def declared_block(sample: Mapping[str, Any], space: Any) -> list[TopologyBlock]:
    """Return the block of a sample without a network; of the class alone, one of plain convolutions."""
    if isinstance(space, NSCBlockSpace):
        return [TopologyBlock("block", parsed_graph(space.block(sample), space.conv), 1)]
    return [TopologyBlock("block", parsed_graph(configuration_block(sample)), 1)]


def _frame(
    counts: Sequence[int] | None, widths: Sequence[int] | None, conv: str, groups: int, stack: str
) -> dict[str, Any]:
    """Refuse what no stack has, before a search begins."""
    counts, widths = stages(stack, counts, widths)
    for width in widths:
        check_convolution(conv, width, groups)
    return {"kind": stack, "counts": counts, "widths": widths, "conv": conv, "groups": groups}
