"""The choices of a model space without its layers: what an experiment on a supernet's scores searches.

NNI builds the network of every candidate before it is evaluated. Scored by a supernet it needs none, only its sample.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from nni_strategies.compat import load_torchvision
from nni_strategies.space.from_nni import ModelSpaceView
from nni_strategies.space.search_space import SearchSpace

load_torchvision()  # nni.nas imports it

from nni.nas.nn.pytorch import ModelSpace  # noqa: E402


class Candidate(nn.Module):
    """An architecture that is not built.

    Parameters
    ----------
    sample
        NNI's, label -> value.
    """

    def __init__(self, sample: Mapping[str, Any]) -> None:
        super().__init__()
        self.sample = dict(sample)


class Candidates(ModelSpace):  # type: ignore[misc]  # NNI has no types
    """The model space of a `family`, whose candidates are their samples.

    Parameters
    ----------
    family
        A model space, a class that can be imported: NNI keeps its name.
    arguments
        What it is built with, JSON types.
    """

    def __init__(self, family: Any, arguments: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        whole = family(**(arguments or {}))
        self._own = ModelSpaceView(whole).space
        for leaf in whole.simplify().values():
            self.add_mutable(leaf)

    @classmethod
    def create_fixed_module(
        cls, sample: dict[str, Any], family: Any, arguments: Mapping[str, Any] | None = None
    ) -> nn.Module:
        """Return the sample; NNI calls this within ``model_context``."""
        return Candidate(sample)

    def own_search_space(self) -> SearchSpace:
        """Return the search space of the whole model space, conditions included."""
        return self._own

    def freeze(self, sample: dict[str, Any]) -> nn.Module:
        """Return the sample."""
        self.validate(sample)
        return Candidate(sample)
