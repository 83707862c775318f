"""The batches of several loaders, each with its loader's name, as NNI's one-shot strategies want them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


class TaggedBatches:
    """The batches of several loaders, one loader after the other, each with its loader's name.

    Today's pytorch-lightning no longer tells a step which of several loaders its batch is from.

    Parameters
    ----------
    loaders
        Name -> loader.
    """

    def __init__(self, loaders: Mapping[str, Any]) -> None:
        self.loaders = loaders

    def __iter__(self) -> Iterator[tuple[Any, str]]:
        return ((batch, name) for name, loader in self.loaders.items() for batch in loader)

    def __len__(self) -> int:
        return sum(len(loader) for loader in self.loaders.values())
