"""Policies by name."""

from __future__ import annotations

from torch import nn

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.edges import EdgeView
from nni_strategies.nat.policy.line_graph import LineGraphPolicy
from nni_strategies.nat.policy.lstm import LSTMPolicy
from nni_strategies.nat.policy.official import OfficialPolicy
from nni_strategies.nat.policy.table import RandomPolicy, TablePolicy

POLICIES = ("line_graph", "lstm", "official", "table", "random")


def make_policy(name: str, view: EdgeView, seed: int = 0, hidden: int = 64) -> nn.Module:
    """Return a policy: a module from operations and sources ``[n, n_edges]`` to logits ``[n, n_edges, n_operations]``.

    Operations are places in the view's operations, -1 where an edge is not in use; sources the nodes that edges leave,
    numbered within their cell. There are logits of what is not allowed, too.

    Parameters
    ----------
    name
        ``line_graph``, ``lstm``, ``official``, ``table`` or ``random``.
    view
        The space.
    seed
        Of its weights.
    hidden
        Size of its layers, where it has a choice: ``line_graph`` and ``lstm``.

    Raises
    ------
    InvalidArgument
        Another name, or no hidden units.
    """
    if isinstance(hidden, bool) or not isinstance(hidden, int) or hidden < 1:
        raise InvalidArgument("hidden", hidden, "a whole number from 1")
    if name == "line_graph":
        return LineGraphPolicy(view, hidden, seed)
    if name == "lstm":
        return LSTMPolicy(view, hidden, seed)
    if name == "official":
        return OfficialPolicy(view, seed)
    if name == "table":
        return TablePolicy(view)
    if name == "random":
        return RandomPolicy(view)
    raise InvalidArgument("policy", name, f"one of {list(POLICIES)}", POLICIES)
