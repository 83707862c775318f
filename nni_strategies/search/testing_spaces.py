"""The spaces of the conformance suite: one of each kind, and small ones that can be exhausted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from nni_strategies.space.from_json import space_from_json
from nni_strategies.space.parameters import Categorical, Condition, Subset
from nni_strategies.space.search_space import Configuration, SearchSpace


@dataclass(frozen=True)
class AtMost:
    """Of the choices, at most so many take the given value."""

    value: Any
    count: int

    def violation(self, configuration: Configuration) -> str | None:
        """Say what is wrong with `configuration`, or None when it satisfies the constraint."""
        used = sum(value == self.value for value in configuration.values())
        return None if used <= self.count else f"at most {self.count} times {self.value!r}, not {used}"

    def describe(self) -> Any:
        """Return what defines the constraint, as JSON types."""
        return {"constraint": "at most", "value": self.value, "count": self.count}


_OPERATIONS = ("none", "skip", "conv1", "conv3", "pool")

SPACES: dict[str, SearchSpace] = {
    "flat": SearchSpace(tuple(Categorical(f"op_{i}", _OPERATIONS) for i in range(6))),
    "nested": space_from_json(
        {
            f"layer{i}": {
                "_type": "choice",
                "_value": [
                    {"_name": "none"},
                    {"_name": "conv", "kernel": {"_type": "choice", "_value": [1, 3, 5]}},
                    {
                        "_name": "pool",
                        "stride": {"_type": "randint", "_value": [1, 5]},
                        "ceil": {"_type": "choice", "_value": [True, False]},
                    },
                ],
            }
            for i in range(4)
        }
    ),
    "numbers": space_from_json(
        {
            "choice": {"_type": "choice", "_value": ["a", "b", 3, None]},
            "randint": {"_type": "randint", "_value": [-3, 40]},
            "uniform": {"_type": "uniform", "_value": [-5, 10]},
            "quniform": {"_type": "quniform", "_value": [0, 1, 0.1]},
            "loguniform": {"_type": "loguniform", "_value": [1e-5, 1]},
            "qloguniform": {"_type": "qloguniform", "_value": [8, 512, 8]},
            "normal": {"_type": "normal", "_value": [0, 3]},
            "qnormal": {"_type": "qnormal", "_value": [10, 4, 1]},
            "lognormal": {"_type": "lognormal", "_value": [0, 1]},
            "qlognormal": {"_type": "qlognormal", "_value": [3, 1, 1]},
        }
    ),
    "subsets": SearchSpace(
        (
            Subset("two inputs", ("a", "b", "c", "d", "e", "f"), 2),
            Subset("any inputs", (0, 1, 2, 3, 4)),
            Categorical("op", _OPERATIONS),
            Categorical("width", (8, 16, 32)),
        )
    ),
    "constrained": SearchSpace(tuple(Categorical(f"op_{i}", _OPERATIONS) for i in range(5)), (AtMost("skip", 1),)),
    "single choices": SearchSpace(
        (
            Categorical("only", ("one",)),
            *(Categorical(f"op_{i}", _OPERATIONS) for i in range(5)),
            Categorical("switch", ("on",)),
            Categorical("below", ("x", "y"), condition=Condition("switch", ("on",))),
        )
    ),
}

SMALL_SPACES: dict[str, SearchSpace] = {
    "one point": SearchSpace((Categorical("only", ("one",)), Subset("all", ("a", "b"), 2))),
    "flat": SearchSpace((Categorical("a", (1, 2, 3)), Categorical("b", ("x", "y")), Subset("c", (0, 1)))),
    "nested": space_from_json(
        {
            "layer": {
                "_type": "choice",
                "_value": [{"_name": "none"}, {"_name": "pool", "stride": {"_type": "randint", "_value": [1, 4]}}],
            },
            "width": {"_type": "quniform", "_value": [0, 1, 0.25]},
        }
    ),
    "constrained": SearchSpace(tuple(Categorical(f"op_{i}", ("skip", "conv")) for i in range(5)), (AtMost("skip", 2),)),
}


def objective(space: SearchSpace, configuration: Configuration) -> float:
    """Return a value in (0, 1) that depends on every parameter; the same in every process."""
    codes = space.encode([configuration])[0]
    return 0.5 + 0.5 * math.sin(sum(math.sqrt(i + 2) * code + 0.1 * code**2 for i, code in enumerate(codes.tolist())))
