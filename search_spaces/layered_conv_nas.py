"""The layered convnets of :mod:`.layered_conv` as a model space of ``nni.nas``.

One label an option and layer, such as ``layer_3.kernel``; those of layers beyond ``depth`` are switched off for the
strategies of this package, and have no effect under NNI's. What a trial trains is a `LayeredConvNet` and nothing of
NNI's. One-shot strategies are not served: layers of different filters share no weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
import nni
from nni.nas.nn.pytorch import ModelSpace, Repeat
from nni.nas.nn.pytorch.base import MutableModule
from torch import Tensor, nn

from search_spaces.layered_conv import (
    DEPTH,
    DEPTHS,
    FILTERS,
    N_CLASSES,
    LayeredConvNet,
    check,
    configuration_of,
    layer_options,
    refuse_others,
)


class LayerChoices(MutableModule):  # type: ignore[misc]  # NNI has no types
    """What one layer chooses from; no network by itself."""

    def __init__(self, number: int, filters: Sequence[int]) -> None:
        super().__init__()
        for option, values in layer_options(filters).items():
            self.add_mutable(nni.choice(f"layer_{number}.{option}", list(values)))


class LayeredConvSpace(ModelSpace):  # type: ignore[misc]
    """The model space; freezing it, or building it within ``model_context(sample)``, gives a `LayeredConvNet`.

    Parameters
    ----------
    depths, filters
        Some of `DEPTHS` and of `FILTERS`, for a smaller space.
    channels, n_classes
        Of the images, and logits.

    Raises
    ------
    InvalidSearchSpace
        Depths or filters that the space does not have.
    """

    def __init__(
        self,
        depths: Sequence[int] = DEPTHS,
        filters: Sequence[int] = FILTERS,
        channels: int = 3,
        n_classes: int = N_CLASSES,
    ) -> None:
        super().__init__()
        refuse_others("depths", depths, DEPTHS)
        self.channels, self.n_classes = channels, n_classes
        # a Repeat, as that says which labels are in use at which depth
        self.choices = Repeat(lambda i: LayerChoices(i + 1, filters), nni.choice(DEPTH, sorted(depths)))

    @classmethod
    def create_fixed_module(
        cls,
        sample: dict[str, Any],
        depths: Sequence[int] = DEPTHS,
        filters: Sequence[int] = FILTERS,
        channels: int = 3,
        n_classes: int = N_CLASSES,
    ) -> nn.Module:
        """Build the network of a sample; NNI calls this within ``model_context``."""
        return LayeredConvNet(configuration_of(sample), channels, n_classes)

    def freeze(self, sample: dict[str, Any]) -> nn.Module:
        """Build the network of a sample.

        Raises
        ------
        InvalidConfiguration
            It is not a point of the whole space; of a smaller one NNI's own error says it.
        """
        configuration = configuration_of(sample)
        check(configuration)
        self.validate(sample)
        return LayeredConvNet(configuration, self.channels, self.n_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of the network of first choices, as NNI's spaces do before they are frozen."""
        logits: Tensor = self.default()(images)
        return logits
