"""Outputs as a policy draws them: allowed on every edge, and alive."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from nni_strategies.nat.edges import Architectures, Flags, Integers
from nni_strategies.nat.policy.masked import Masked
from nni_strategies.nat.transitions import Transitions


def torch_generator(rng: np.random.Generator) -> torch.Generator:
    """Return a generator of torch, seeded by the next number of one of numpy."""
    return torch.Generator().manual_seed(int(rng.integers(2**63)))


def drawn_operations(
    policy: nn.Module, inputs: Architectures, allowed: Flags, n_each: int, generator: torch.Generator
) -> Integers:
    """Draw operations of outputs, dead ones among them, ``[n_inputs, n_each, n_edges]``."""
    with torch.no_grad():
        logits = policy(torch.from_numpy(inputs.operations), torch.from_numpy(inputs.sources))
        drawn = Masked(logits, torch.from_numpy(allowed)).sample(n_each, generator)
    return drawn.transpose(0, 1).contiguous().numpy()


def revived(transitions: Transitions, inputs: Architectures, drawn: Integers) -> Architectures:
    """Return drawn operations ``[n_inputs, n_each, n_edges]`` as living outputs, all of an input side by side."""
    repeated = inputs[np.repeat(np.arange(len(inputs)), drawn.shape[1])]
    return repeated.replaced(transitions.repaired(repeated, drawn.reshape(-1, drawn.shape[2])))


def sampled_outputs(
    policy: nn.Module, transitions: Transitions, inputs: Architectures, n_each: int, generator: torch.Generator
) -> Architectures:
    """Draw living outputs of inputs.

    Parameters
    ----------
    policy
        From operations and sources ``[n, n_edges]`` to logits ``[n, n_edges, n_operations]``.
    transitions
        What inputs can become.
    inputs
        `n_inputs`, none of them dead.
    n_each
        How many of each.
    generator
        What they are drawn with.

    Returns
    -------
    Architectures
        ``n_inputs * n_each``, all of an input side by side; some may be equal, or their input.

    Raises
    ------
    InvalidArgument
        An input is dead, and so is an output that was drawn for it.
    """
    drawn = drawn_operations(policy, inputs, transitions.allowed(inputs), n_each, generator)
    return revived(transitions, inputs, drawn)
