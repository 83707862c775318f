"""The spaces of the conformance suite for a searcher that needs edges: of each kind, and small ones without null."""

from __future__ import annotations

from nni_strategies.nat.config import NATConfig
from nni_strategies.space.from_json import space_from_json
from nni_strategies.space.parameters import Categorical, Condition, Subset
from nni_strategies.space.search_space import SearchSpace
from tests.nat.edge_spaces import NASBENCH201, NASBENCH201_COSTS, NASBENCH201_EDGES

COSTS = {name: list(cost) for name, cost in NASBENCH201_COSTS.items()}
LIVING = ("skip_connect", "nor_conv_1x1", "nor_conv_3x3")


def config(**fields: object) -> NATConfig:
    """A learner that soon has learned, on costs that hold in all of these spaces."""
    small = {"queries": 12, "n_start": 6, "round_size": 4, "hidden": 8, "policy_steps": 2, "final_steps": 2}
    imagined = {"imagined_inputs": 4, "imagined_outputs": 4, "derive_samples": 20}
    return NATConfig(**{"costs": COSTS, "n_inputs": 4, **small, **imagined, **fields})


def edges(
    cell: str, operations: tuple[str, ...] = NASBENCH201, condition: Condition | None = None
) -> list[Categorical]:
    return [Categorical(f"{cell}/edge_{i}_{j}", operations, condition) for i, j in NASBENCH201_EDGES]


def nodes(cell: str, n: int, operations: tuple[str, ...] = NASBENCH201) -> list[Categorical | Subset]:
    """NNI's ``Cell``: two operations on earlier nodes for each node."""
    found: list[Categorical | Subset] = []
    for node in range(2, 2 + n):
        for slot in range(2):
            found.append(Categorical(f"{cell}/op_{node}_{slot}", operations))
            found.append(Subset(f"{cell}/input_{node}_{slot}", tuple(range(node)), 1))
    return found


def triangle(cell: str, operations: tuple[str, ...] = LIVING) -> list[Categorical]:
    return [Categorical(f"{cell}/edge_{i}_{j}", operations) for i, j in ((0, 1), (0, 2), (1, 2))]


_NUMBERS = space_from_json(
    {
        "rate": {"_type": "loguniform", "_value": [1e-5, 1]},
        "width": {"_type": "quniform", "_value": [8, 64, 8]},
        "depth": {"_type": "randint", "_value": [1, 4]},
    }
)

SPACES: dict[str, SearchSpace] = {
    "flat": SearchSpace(tuple(edges("cell"))),
    "nested": SearchSpace(tuple(nodes("normal", 3))),
    "numbers": SearchSpace((*edges("cell"), *_NUMBERS.parameters)),
    "subsets": SearchSpace((*nodes("normal", 2), *nodes("reduce", 2), Subset("taps", (0, 1, 2, 3)))),
    "constrained": SearchSpace(
        (Categorical("cells", (1, 2)), *edges("first"), *edges("second", condition=Condition("cells", (2,))))
    ),
    "single choices": SearchSpace(
        (*edges("cell"), Categorical("other/edge_0_1", ("nor_conv_3x3",)), Categorical("switch", ("on",)))
    ),
}

SMALL_SPACES: dict[str, SearchSpace] = {
    "one point": SearchSpace((Categorical("cell/edge_0_1", LIVING),)),  # as few as have a move
    "flat": SearchSpace(tuple(triangle("cell"))),
    "nested": SearchSpace(tuple(nodes("normal", 1, LIVING))),
    "constrained": SearchSpace((*triangle("cell"), Categorical("width", (8, 16)))),
}
