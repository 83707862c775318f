"""Binary-masked softmax: an edge's choice among the operations that its current one may become.

    p(o) = exp(z_o) / sum of exp(z_o') over the allowed o',   0 for all others,

exactly 0, without smoothing. An edge with nothing allowed is not in use: it becomes ``ABSENT``, and has neither
log-probability nor entropy.

Source: nat.md 1.2; the released code adds 1e-5 to each probability and does not renormalise, which is not done here.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nni_strategies.nat.edges import ABSENT


class Masked:
    """Independent choices of operations.

    Parameters
    ----------
    logits
        ``[..., n_operations]``. One that is not a number, of a policy whose learning diverged, counts as 0.
    allowed
        What may be chosen, bool of the same shape.
    """

    def __init__(self, logits: Tensor, allowed: Tensor) -> None:
        self.allowed = allowed
        self.used = allowed.any(-1)
        shut = torch.nan_to_num(logits).masked_fill(~allowed, -torch.inf).masked_fill(~self.used.unsqueeze(-1), 0.0)
        self.log_probabilities = torch.log_softmax(shut, -1)

    @property
    def probabilities(self) -> Tensor:
        """Probability of each operation, ``[..., n_operations]``."""
        return self.log_probabilities.exp() * self.allowed

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw `n` times, ``[n, ...]``."""
        until = self.probabilities.detach().double().cumsum(-1)
        # the last is exactly 1 and a draw is below 1: an operation of probability 0 is never drawn
        until = until / torch.where(self.used, until[..., -1], 1.0).unsqueeze(-1)
        drawn = torch.rand((n, *self.used.shape, 1), generator=generator, dtype=until.dtype)
        return (until <= drawn).sum(-1).masked_fill_(~self.used, ABSENT)

    def log_probability(self, operations: Tensor) -> Tensor:
        """Return log pi of the choices ``[n, ...]``, of each edge, same shape; 0 where an edge is not in use."""
        wide = self.log_probabilities.expand(*operations.shape, -1)
        taken = wide.gather(-1, operations.clamp_min(0).unsqueeze(-1)).squeeze(-1)
        return taken.masked_fill(~self.used, 0.0)

    def entropy(self) -> Tensor:
        """Return the entropy of each edge, in nats, ``[...]``."""
        finite = self.log_probabilities.masked_fill(~self.allowed, 0.0)
        return -(finite.exp() * self.allowed * finite).sum(-1)
