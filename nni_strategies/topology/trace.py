"""What a network did, step by step: the common form of what torch.fx and the recorder see."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nni_strategies.topology.graph import TopologyGraph
from nni_strategies.topology.operations import ADD, CONCAT, INPUT, is_merge
from nni_strategies.topology.vocabulary import GLOBAL_POOL, IDENTITY, other, standardized

if TYPE_CHECKING:
    pass

STACK = "stack"  # a concatenation, unless it is summed at once: ``stack(n) + sum`` is how NNI's cells add
#: Reductions and what they are where nothing was stacked for them: what has no positions left was pooled over all.
REDUCTIONS = {"sum": other("sum"), "mean": GLOBAL_POOL}


@dataclass(frozen=True)
class Call:
    """One call of a module.

    Parameters
    ----------
    path, kind
        The module's path in the network and its class' name.
    parent
        The call this one happened in; None for the network itself.
    """

    path: str
    kind: str
    parent: int | None


@dataclass(frozen=True)
class Step:
    """One operation: its name, the steps it read (0 is the network's input) and the call it happened in."""

    operation: str
    reads: tuple[int, ...]
    call: int


@dataclass
class Trace:
    """Steps in the order they were taken, step 0 the input; only what depends on the input is a step.

    Parameters
    ----------
    calls, steps
        See :class:`Call` and :class:`Step`.
    outputs
        The steps that the network returns.
    """

    calls: list[Call] = field(default_factory=list)
    steps: list[Step] = field(default_factory=lambda: [Step(INPUT, (), 0)])
    outputs: tuple[int, ...] = ()
    _open: list[int] = field(default_factory=list)

    def enter(self, path: str, kind: str) -> None:
        """Note that a module's call begins."""
        self.calls.append(Call(path, kind, self.call if self._open else None))
        self._open.append(len(self.calls) - 1)

    def leave(self) -> None:
        """Note that the latest call still open ends."""
        self._open.pop()

    @property
    def call(self) -> int:
        """The innermost call still open."""
        return self._open[-1]

    def step(self, operation: str, reads: Sequence[int], call: int) -> int:
        """Add a step and return its number."""
        if operation in REDUCTIONS:
            stacked = self.steps[reads[0]].operation == STACK
            operation, reads = (ADD, self.steps[reads[0]].reads) if stacked else (REDUCTIONS[operation], reads)
        if operation != STACK and not is_merge(operation):
            reads = list(dict.fromkeys(reads))
        self.steps.append(Step(operation, tuple(reads), call))
        return len(self.steps) - 1

    def members(self, calls: Collection[int]) -> dict[int, list[int]]:
        """Return the steps taken in each of some calls that do not contain each other."""
        found: dict[int, list[int]] = {call: [] for call in calls}
        for number, step in enumerate(self.steps[1:], start=1):
            for call in self.above(step.call):
                if call in found:
                    found[call].append(number)
                    break
        return found

    def above(self, call: int | None) -> Iterator[int]:
        """Yield a call and those it happened in, the innermost first."""
        while call is not None:
            yield call
            call = self.calls[call].parent

    def graph(self, members: Sequence[int], outputs: Sequence[int], aligning: Collection[int] = ()) -> TopologyGraph:
        """Return the canonical graph of some steps in standard operations.

        Parameters
        ----------
        members
            The steps; what others give is the input.
        outputs
            Those that the others read, or the input.
        aligning
            Those that only make shapes fit: identities, unless they merge.
        """
        own = set(members)
        nodes: dict[Hashable, tuple[str, Sequence[Hashable]]] = {}
        for number in members:
            step = self.steps[number]
            operation = CONCAT if step.operation == STACK else step.operation
            aligns = number in aligning and not is_merge(operation)
            nodes[number] = (IDENTITY if aligns else operation, [read if read in own else INPUT for read in step.reads])
        results: list[Hashable] = [number if number in own else INPUT for number in outputs]
        return standardized(TopologyGraph.from_nodes(nodes, results, merge=CONCAT))


def data_in(arguments: Any, number_of: Mapping[int, int]) -> list[int]:
    """Return the steps whose results are somewhere in `arguments`, by object identity, in order."""
    if isinstance(arguments, (list, tuple)):
        return [number for item in arguments for number in data_in(item, number_of)]
    if isinstance(arguments, dict):
        return data_in(list(arguments.values()), number_of)
    number = number_of.get(id(arguments))
    return [] if number is None else [number]
