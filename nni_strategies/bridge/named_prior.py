"""Priors by name, so that ``classArgs`` of any tuner can ask for one.

A prior is found by the entry point group ``nni_strategies.priors``, where other packages can add theirs: a function of
keyword arguments that returns what makes the prior of a search space.

::

    tuner:
      name: LaNAS
      classArgs:
        prior: {name: experts, experts: [resnext, densenet], beta: 2.0}
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any

from nni_strategies.errors import InvalidArgument, NNIStrategiesError, refuse_unknown
from nni_strategies.search.searcher import Prior
from nni_strategies.space.search_space import SearchSpace

GROUP = "nni_strategies.priors"

MakePrior = Callable[[SearchSpace], Prior]


def named_prior(given: Any) -> MakePrior | None:
    """Return what makes the prior that a class argument names.

    Parameters
    ----------
    given
        A name, or a dictionary with ``name`` and the prior's arguments; None for the uniform prior.

    Raises
    ------
    InvalidArgument
        No such prior, or arguments it refuses.
    """
    if given is None:
        return None
    arguments = dict(given) if isinstance(given, Mapping) else {"name": given}
    name = arguments.pop("name", None)
    known = {point.name: point for point in entry_points(group=GROUP)}
    if not isinstance(name, str) or name not in known:
        names = ", ".join(sorted(known)) or "none is installed"
        raise InvalidArgument("prior", given, f"the name of a prior, or a dictionary with it: {names}", known)
    try:
        make = known[name].load()
        refuse_unknown(f"prior {name}", arguments, list(inspect.signature(make).parameters), "arguments")
        made: MakePrior = make(**arguments)
    except NNIStrategiesError:
        raise
    except Exception as error:  # a function of somebody else
        raise InvalidArgument("prior", given, f"a prior that can be made: {error!r}") from error
    return made
