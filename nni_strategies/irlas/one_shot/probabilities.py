"""Probabilities of a supernet's choices, as tensors that lead back to the architecture parameters.

NNI's ``export_probs()`` gives the same numbers as plain floats, so that nothing made of them has a gradient. Of a
Gumbel softmax the probabilities are those of its arg max, which are the softmax at any temperature: a draw would
make the stimuli noisy, and use up random numbers that the search has to itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
import torch
from nni.mutable import CategoricalMultiple
from nni.nas.nn.pytorch import InputChoice
from nni.nas.oneshot.pytorch.supermodule.base import BaseSuperNetModule
from nni.nas.oneshot.pytorch.supermodule.differentiable import DifferentiableMixedCell
from nni.nas.oneshot.pytorch.supermodule.proxyless import ProxylessMixedRepeat
from torch import Tensor, nn

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.one_shot.one_hop import Scalar

Distribution = Mapping[Any, Scalar]
# label -> how probable each value is; where several values are chosen, a list with one distribution each
Probabilities = Mapping[str, Distribution | Sequence[Distribution]]


def supernet_modules(supernet: nn.Module) -> list[Any]:
    """Return the modules of a supernet that choose."""
    return [module for module in supernet.modules() if isinstance(module, BaseSuperNetModule)]


def live_probabilities(modules: Iterable[Any]) -> dict[str, dict[Any, Tensor]]:
    """Return label -> value -> probability of the choices of differentiable supernet modules.

    Parameters
    ----------
    modules
        What ``supernet_modules()`` of NNI's one-shot module gives: layer and input choices, repeats, operations with
        mutable arguments, cells. Keys are those of ``export_probs()``; of a label that several share, once.

    Returns
    -------
    dict
        Scalars in double precision on the CPU, where many small products are fast; gradients go back to wherever the
        architecture parameters are.
    """
    found: dict[str, dict[Any, Tensor]] = {}
    for module in modules:
        for label, distribution in _live(module).items():
            found.setdefault(label, distribution)
    return found


def _live(module: Any) -> dict[str, dict[Any, Tensor]]:
    if isinstance(module, ProxylessMixedRepeat):  # the one place where NNI's own are live
        live = module.export_probs({}).items()
        return {label: {value: p.double().cpu() for value, p in probabilities.items()} for label, probabilities in live}
    alpha = getattr(module, "_arch_alpha", None)
    if isinstance(alpha, nn.Parameter):
        values = range(module.n_candidates) if isinstance(module, InputChoice) else module.names
        return {module.label: _distribution(alpha, values)}
    if isinstance(module, DifferentiableMixedCell):  # one more alpha than operations: the edge is not taken
        return {label: _distribution(each, module.op_names) for label, each in module._arch_alpha.items()}
    if isinstance(alpha, nn.ParameterDict):
        mutable = getattr(module, "depth_choice", module)
        return {label: _distribution(alpha[label], spec.values) for label, spec in mutable.simplify().items()}
    return {}


def _distribution(alpha: Tensor, values: Iterable[Any]) -> dict[Any, Tensor]:
    shares = torch.softmax(alpha.double().cpu(), dim=-1).unbind()
    return dict(zip(values, shares, strict=False))


def uniform_probabilities(supernet: nn.Module) -> dict[str, Any]:
    """Return the probabilities of a supernet whose choices are all alike, differentiable or not, as floats."""
    live = live_probabilities(supernet_modules(supernet))
    if live:
        return {label: _uniform(distribution) for label, distribution in live.items()}
    mutables = _mutables(supernet).items()
    return {label: _uniform_of(each) for label, each in mutables}


def _uniform_of(mutable: Any) -> Distribution | list[Distribution]:
    alike = _uniform(mutable.values)
    return [alike] * (mutable.n_chosen or 1) if _is_multiple(mutable) else alike


def _uniform(values: Collection[Any]) -> dict[Any, Scalar]:
    return dict.fromkeys(values, 1.0 / len(values))


def _is_multiple(mutable: Any) -> bool:
    return isinstance(mutable, CategoricalMultiple)


def sample_probabilities(supernet: nn.Module, sample: Mapping[str, Any]) -> dict[str, Any]:
    """Return the probabilities of a supernet that has this one sample: zeros and ones.

    Raises
    ------
    InvalidArgument
        A label without a value.
    """
    found: dict[str, Any] = {}
    for label, mutable in _mutables(supernet).items():
        if label not in sample:
            raise InvalidArgument("sample", sorted(sample), f"a value for {label}", sample)
        chosen, values = sample[label], mutable.values
        if _is_multiple(mutable):
            listed = chosen if isinstance(chosen, (list, tuple)) else [chosen]
            found[label] = [{value: float(value == each) for value in values} for each in listed]
        else:
            found[label] = {value: float(value == chosen) for value in values}
    return found


def _mutables(supernet: Any) -> dict[str, Any]:
    return dict(supernet.simplify())
