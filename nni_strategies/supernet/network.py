"""A model space of ``nni.nas`` as one network with all its weights, of which a configuration picks the path in use.

NNI's ``RandomOneShot().mutate_model`` turns every choice into a module that runs what was picked last: layers
(``LayerChoice``), inputs (``InputChoice``), cells (``Cell``), depths (``Repeat``) and numbers in the arguments of
layers (``nni.choice``; slices of the largest weights). Deviations from NNI: layers whose arguments hold no choice stay
what they are, which saves DARTS's space hundreds of wrappers, a cell that outputs its loose ends does so here too
(:mod:`.loose_ends`), and a depth may be 0 (:mod:`.depths`). As in NNI, a cell's operation has one set of weights for an
input and a node, whichever of the node's slots it is in.

Guo et al.: Single Path One-Shot Neural Architecture Search with Uniform Sampling, 1904.00420.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from nni_strategies.compat import load_torchvision
from nni_strategies.errors import InvalidArgument
from nni_strategies.space.from_nni import ModelSpaceView
from nni_strategies.space.search_space import Configuration

load_torchvision()  # nni.nas imports it

import nni.nas.strategy  # noqa: E402, F401  # before nni.nas.oneshot: by itself that leaves NNI's own DARTS() unusable
from nni.nas.nn.pytorch import ModelSpace, MutableModule, ParametrizedModule  # noqa: E402
from nni.nas.oneshot.pytorch.strategy import RandomOneShot  # noqa: E402
from nni.nas.oneshot.pytorch.supermodule.base import BaseSuperNetModule  # noqa: E402
from nni.nas.oneshot.pytorch.supermodule.sampling import PathSamplingCell  # noqa: E402

from nni_strategies.supernet.depths import FromZeroRepeat  # noqa: E402
from nni_strategies.supernet.loose_ends import LooseEndCell  # noqa: E402
from nni_strategies.supernet.seeding import check_seed, seeded  # noqa: E402


class Supernet:
    """All architectures of a model space, with shared weights.

    Parameters
    ----------
    model_space
        A ``nni.nas.nn.pytorch.ModelSpace``. As with NNI's one-shot strategies it is changed in place: build another
        instance for an experiment.

    Attributes
    ----------
    space
        Its search space.
    view
        What turns configurations into NNI's samples and back.
    network
        The supernet, an ``nn.Module``; it runs the path set last.

    Raises
    ------
    InvalidArgument
        Something else than a model space, or choices that NNI's path sampling cannot make.
    """

    def __init__(self, model_space: Any) -> None:
        if not isinstance(model_space, ModelSpace):
            raise InvalidArgument("model_space", type(model_space).__name__, "a model space of nni.nas.nn.pytorch")
        self.view = ModelSpaceView(model_space)  # before it is changed: NNI's order of labels is another afterwards
        self.space = self.view.space
        try:
            self.network: nn.Module = RandomOneShot(mutation_hooks=_HOOKS).mutate_model(model_space)
        except (TypeError, ValueError, KeyError) as error:
            raise InvalidArgument("model_space", type(model_space).__name__, _unknown(error)) from error
        for name, module in self.network.named_modules():
            if name and isinstance(module, MutableModule) and _chooses_alone(module):
                raise InvalidArgument("model_space", name, "one name only: under a second, NNI leaves choices be")
        choices = [module for module in self.network.modules() if isinstance(module, BaseSuperNetModule)]
        labels = [tuple(module.simplify()) for module in choices]
        made = {label for some in labels for label in some}
        if dangling := [label for label in self.space.labels if label not in made]:
            problem = f"nothing in the network chooses {dangling[0]!r}"
            raise InvalidArgument("model_space", type(model_space).__name__, _unknown(problem))
        pairs = list(zip(choices, labels, strict=True))
        self._cells = [(module, some) for module, some in pairs if isinstance(module, PathSamplingCell)]
        self._others = [module for module in choices if not isinstance(module, PathSamplingCell)]
        self._set: Configuration | None = None

    @classmethod
    def built(cls, make: Callable[[], Any], seed: int = 0) -> Supernet:
        """Build the model space and its supernet with weights drawn by `seed`; torch's own generators are left alone.

        Parameters
        ----------
        make
            Builds the model space.

        Raises
        ------
        InvalidArgument
            No seed, or as of the class.
        """
        check_seed(seed)
        with seeded(seed, torch.empty(0).device):
            return cls(make())

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.network.parameters()).device

    def to(self, device: torch.device | str) -> Supernet:
        """Move the weights; returns itself."""
        self.network.to(device)
        return self

    @property
    def configuration(self) -> Configuration | None:
        """What was set last."""
        return None if self._set is None else dict(self._set)

    def set(self, configuration: Mapping[str, Any]) -> nn.Module:
        """Make `network` run one architecture.

        Parameters
        ----------
        configuration
            Label -> value, of `space`.

        Returns
        -------
        torch.nn.Module
            The network itself, no copy: what is set next changes what it runs.

        Raises
        ------
        InvalidConfiguration
            It is not of the space: an unknown label, with the nearest known one, or a value that a label does not have.
        """
        self.space.validate(configuration)
        sample = self.view.sample(configuration)
        for cell, labels in self._cells:
            # what resample() does, but for its walk through all operations: 9 ms a cell of DARTS
            cell._sampled = {label: sample[label] for label in labels}
        for module in self._others:
            module.resample(memo=sample)
        self._set = dict(configuration)
        return self.network

    def __call__(self, images: Tensor) -> Tensor:
        """Return what the architecture set last makes of images ``[b, ...]``: logits ``[b, n_classes]``."""
        if self._set is None:
            raise InvalidArgument("configuration", None, "one of the space: call set() first")
        logits: Tensor = self.network(images)
        return logits


def _keep_plain(module: nn.Module, name: str, memo: dict[str, Any], options: dict[str, Any]) -> bool:
    """Suppress further hooks for a layer without choices: NNI would wrap it, and slice weights at every call."""
    return isinstance(module, ParametrizedModule) and not module.mutables


def _chooses_alone(module: Any) -> bool:
    """Return whether NNI passed a module by: under its second name in one parent it is not visited."""
    return bool(module.mutables) and not isinstance(module, BaseSuperNetModule)


_HOOKS = [_keep_plain, LooseEndCell.mutate, FromZeroRepeat.mutate]


def _unknown(problem: object) -> str:
    known = "LayerChoice, InputChoice, Cell, Repeat, or nni.choice in the arguments of layers"
    return f"one whose choices are {known} ({problem})"
