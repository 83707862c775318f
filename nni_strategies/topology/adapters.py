"""Which function reads the blocks of a space's configurations: found by the name of the space's class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from nni_strategies.topology.topology import Block

#: From a configuration, and its space (an instance, or whatever else was given for it), to blocks.
Adapter = Callable[[Mapping[str, Any], Any], Iterable[Block]]

_Registered = TypeVar("_Registered", bound=Adapter)
_ADAPTERS: dict[str, Adapter] = {}


def register_topology(*spaces: str | type) -> Callable[[_Registered], _Registered]:
    """Register how the configurations of a space are read, for :func:`~.extract.to_graph`.

    The decorated function gets a configuration and the space, which is the model space itself where the caller has
    one, else its class or the name of it; it returns blocks whose graphs are canonical and in standard operations
    (see :func:`~.vocabulary.standardized`). Equal blocks are counted together.

    Parameters
    ----------
    spaces
        Classes of model spaces, or their names; subclasses are read the same way.
    """

    def register(adapter: _Registered) -> _Registered:
        for space in spaces:
            _ADAPTERS[space if isinstance(space, str) else space.__name__] = adapter
        return adapter

    return register


def adapter_of(space: Any) -> Adapter | None:
    """Return the adapter of a space, of its class or of the name of that, or None."""
    if isinstance(space, str):
        return _ADAPTERS.get(space)
    kind = space if isinstance(space, type) else type(space)
    return next((_ADAPTERS[base.__name__] for base in kind.__mro__ if base.__name__ in _ADAPTERS), None)
