"""The tree of a tree-building searcher, restored by replaying the journal, drawn as an icicle."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from nni_strategies.report import figures
from nni_strategies.report.figures import Figure, number
from nni_strategies.search.journal import Event, Journal
from nni_strategies.search.searcher import Searcher, describe_prior
from nni_strategies.search.study import Study

_SIDES = ("good", "bad")


@runtime_checkable
class DescribesTree(Protocol):
    """A searcher that can tell its tree."""

    def describe_tree(self) -> dict[str, Any]:
        """Return ``{size, visits, mean, split, children}``, children likewise, the better one first."""


@dataclass(frozen=True)
class TreeNode:
    """One node.

    Parameters
    ----------
    name
        ``root``, ``good``, ``bad`` or the child's number.
    key
        The way to it from the root.
    depth
        Steps from the root.
    size
        Trials in it.
    mean
        Of their values, as the searcher transforms them.
    visits
        How often it was on the chosen path; None where unknown.
    split
        What divides it, in words; empty at a leaf.
    leaf
        Whether it has no children.
    """

    name: str
    key: str
    depth: int
    size: int
    mean: float | None
    visits: int | None
    split: str
    leaf: bool


def replayed_tree(
    events: Sequence[Event], searcher: Searcher, path: Path | None = None
) -> dict[str, Any] | None:
    """Replay a journal into a fresh searcher and return its tree; None when it has none to tell.

    Parameters
    ----------
    events
        The journal, its header first.
    searcher
        Of the algorithm and configuration that wrote it, in its initial state.
    path
        Where the journal came from, for messages: it is not touched.

    Raises
    ------
    JournalMismatch
        The journal belongs to another space, algorithm or configuration.
    """
    if not events or not isinstance(searcher, DescribesTree):
        return None
    journal = Journal()
    journal.path = path
    header = {**events[0], "prior": describe_prior(searcher.prior)}  # of no matter for what was learned
    journal.events.extend([header, *events[1:]])
    Study(searcher, seed=header["seed"], journal=journal, maximize=header["maximize"])
    return searcher.describe_tree()


def tree_nodes(tree: dict[str, Any]) -> list[TreeNode]:
    """Return the nodes, each before its children."""

    def walk(node: dict[str, Any], name: str, key: str, depth: int) -> Iterator[TreeNode]:
        children = node.get("children") or []
        split = node.get("split")
        yield TreeNode(
            name, key, depth, int(node["size"]), node.get("mean"), node.get("visits"), _words(split), not children
        )
        names = _SIDES if len(children) == 2 else tuple(str(i) for i in range(len(children)))
        for child, side in zip(children, names, strict=True):
            yield from walk(child, side, f"{key}/{side}", depth + 1)

    return list(walk(tree, "root", "root", 0))


def tree_figure(nodes: Sequence[TreeNode]) -> Figure:
    """Draw the nodes by size, coloured by mean."""
    icicle: Figure = {
        "type": "icicle",
        "ids": [node.key for node in nodes],
        "labels": [f"{node.name} · {node.size}" for node in nodes],
        "parents": [node.key.rpartition("/")[0] for node in nodes],
        "values": [node.size for node in nodes],
        "branchvalues": "total",
        "sort": False,
        "tiling": {"orientation": "v"},
        "root": {"color": figures.BAND},
        "text": [f"mean {number(node.mean, 3)}" if node.mean is not None else "" for node in nodes],
        "textinfo": "label+text",
        "hovertext": [_hover(node) for node in nodes],
        "hoverinfo": "text",
        "marker": {
            "colors": [node.mean if node.mean is not None else 0.0 for node in nodes],
            "colorscale": figures.SCALE,
            "showscale": True,
            "colorbar": {"title": {"text": "mean", "side": "right"}, "thickness": 10, "outlinewidth": 0},
            "line": {"color": "#ffffff", "width": 1.5},
        },
        "pathbar": {"visible": False},
    }
    depth = max(node.depth for node in nodes)
    return figures.figure([icicle], x={"visible": False}, y={"visible": False}, height=140 + 55 * min(depth + 1, 8))


def _hover(node: TreeNode) -> str:
    lines = [f"<b>{node.key.replace('/', ' › ')}</b>", f"{node.size} trials"]
    if node.mean is not None:
        lines.append(f"mean {number(node.mean)}")
    if node.visits is not None:
        lines.append(f"{node.visits} visits")
    return "<br>".join([*lines, *([f"split: {node.split}"] if node.split else ["leaf"])])


def _words(split: Any) -> str:
    if split is None:
        return ""
    if isinstance(split, list) and all(isinstance(part, dict) and "feature" in part for part in split):
        return ", ".join(f"{part['feature']} ({part['weight']:+.2g})" for part in split)
    return split if isinstance(split, str) else json.dumps(split)
