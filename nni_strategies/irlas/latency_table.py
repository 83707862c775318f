"""A lookup table of latencies: a network takes as long as its layers together.

Each kind of layer (operation, channels in and out, size, stride, groups) is measured once, alone; a network's latency
is the sum over its layers, found by one pass of an input through it. Sums and other functions between layers are not
counted, and neither are batch norms, which a deployment folds into convolutions: the table ranks networks, its
milliseconds are low.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.latency import LatencyMeter
from nni_strategies.topology.module_operations import operation_of
from nni_strategies.topology.vocabulary import IDENTITY

_FREE = (_BatchNorm, nn.Identity, nn.Dropout, nn.Flatten)
_WHOLE = (nn.MultiheadAttention,)  # layers that use what they contain without calling it


@dataclass(frozen=True)
class Layer:
    """A kind of layer.

    Parameters
    ----------
    kind
        Its standard operation, with the kernel (``conv3``), or its class.
    channels_in, channels_out
        Second axis of input and output.
    size
        Of the input, from the third axis on.
    stride, groups
        Of a convolution or pooling; 1 for others.
    """

    kind: str
    channels_in: int
    channels_out: int
    size: tuple[int, ...]
    stride: int = 1
    groups: int = 1


@dataclass(frozen=True)
class LatencyTable:
    """Milliseconds of layers.

    Parameters
    ----------
    milliseconds
        Layer -> median latency.
    """

    milliseconds: Mapping[Layer, float]

    @classmethod
    def measured(cls, models: Iterable[nn.Module], meter: LatencyMeter) -> LatencyTable:
        """Measure every kind of layer that occurs in some networks, once.

        Parameters
        ----------
        models
            Take inputs of the meter's shape.

        Raises
        ------
        InvalidArgument
            A layer that does not take one tensor and give one.
        """
        found: dict[Layer, float] = {}
        for model in models:
            for layer, (module, shape) in _layers(model, meter).items():
                if layer not in found:
                    alone = replace(meter, batch=shape[0], input_shape=shape[1:], channels_last=_images(meter, shape))
                    found[layer] = alone.measure(module).median_ms
        return cls(found)

    def of(self, model: nn.Module, meter: LatencyMeter) -> float:
        """Return the latency of a network in milliseconds.

        Raises
        ------
        InvalidArgument
            It has a layer that the table has not, or one that does not take one tensor and give one.
        """
        layers = layers_of(model, meter)
        for layer in layers:
            if layer not in self.milliseconds:
                raise InvalidArgument("model", asdict(layer), f"made of the {len(self.milliseconds)} layers measured")
        return sum(self.milliseconds[layer] for layer in layers)

    def save(self, path: Path | str) -> None:
        """Write the table as JSON."""
        rows = [{**asdict(layer), "milliseconds": value} for layer, value in self.milliseconds.items()]
        Path(path).write_text(json.dumps(rows, indent=1))

    @classmethod
    def load(cls, path: Path | str) -> LatencyTable:
        """Read what :meth:`save` wrote.

        Raises
        ------
        InvalidArgument
            The file holds something else.
        """
        try:
            rows = json.loads(Path(path).read_text())
            times = [float(row.pop("milliseconds")) for row in rows]
            return cls({Layer(**{**row, "size": tuple(row["size"])}): ms for row, ms in zip(rows, times, strict=True)})
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise InvalidArgument("path", str(path), "a JSON file that LatencyTable.save wrote") from error


def layers_of(model: nn.Module, meter: LatencyMeter) -> list[Layer]:
    """Return the layers of a network that take time, as often as an input passes them."""
    return [layer for layer, _, _ in _passed(model, meter)]


def kendall_tau(first: Sequence[float], second: Sequence[float]) -> float:
    """Return Kendall's tau-b of two rankings."""
    from scipy.stats import kendalltau

    return float(kendalltau(first, second).statistic)


def _layers(model: nn.Module, meter: LatencyMeter) -> dict[Layer, tuple[nn.Module, tuple[int, ...]]]:
    return {layer: (module, shape) for layer, module, shape in _passed(model, meter)}


def _images(meter: LatencyMeter, shape: Sequence[int]) -> bool:
    return meter.channels_last and len(shape) == 4


def _passed(model: nn.Module, meter: LatencyMeter) -> list[tuple[Layer, nn.Module, tuple[int, ...]]]:
    """Send an input through a copy of a network, and note the layers it passes with the shapes they read."""
    watched = copy.deepcopy(model).float().cpu().eval()
    found: list[tuple[Layer, nn.Module, tuple[int, ...]]] = []

    def note(module: nn.Module, inputs: Any, output: Any) -> None:
        if len(inputs) != 1 or not isinstance(inputs[0], Tensor) or not isinstance(output, Tensor):
            allowed = "made of layers that take one tensor, by position, and give one: measure the whole instead"
            raise InvalidArgument("model", type(module).__name__, allowed)
        shape = tuple(inputs[0].shape)
        found.append((_layer(module, shape, tuple(output.shape)), module, shape))

    hooks = [
        module.register_forward_hook(note)
        for module in watched.modules()
        if isinstance(module, _WHOLE) or not (list(module.children()) or isinstance(module, _FREE))
    ]
    with torch.inference_mode():
        watched(torch.zeros(meter.batch, *meter.input_shape))
    for hook in hooks:
        hook.remove()
    return found


def _layer(module: nn.Module, given: Sequence[int], made: Sequence[int]) -> Layer:
    operation = operation_of(module)
    kind = type(module).__name__ if operation in (None, IDENTITY) else str(operation)
    stride = getattr(module, "stride", 1)
    strides = stride if isinstance(stride, (tuple, list)) else (stride,)
    return Layer(kind, given[1], made[1], tuple(given[2:]), max(strides), getattr(module, "groups", 1))
