"""The same sums on a GPU, in torch: see :mod:`.gram`."""

from __future__ import annotations

import torch

from nni_strategies.rsa.gram_sums import CHUNK, Gram


def torch_gram(features: torch.Tensor, dtype: str = "float32", chunk: int = CHUNK) -> Gram:
    """Return the Gram matrix of activations ``[n_stimuli, ...]``, computed where they are.

    Products are never rounded to TF32 or half precision, whatever the process allows elsewhere.
    """
    features = features.detach().flatten(1)
    n, d = features.shape
    precise = getattr(torch, dtype)
    products = torch.zeros(n, n, dtype=torch.float64, device=features.device)
    norms = torch.zeros(n, dtype=torch.float64, device=features.device)
    sums = torch.zeros_like(norms)
    offset = torch.zeros_like(norms)
    allowed = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        with torch.no_grad(), torch.autocast(features.device.type, enabled=False):
            for first in range(0, d, chunk):
                exact = features[:, first : first + chunk].double()
                if first == 0:
                    offset = exact.mean(dim=1)
                exact = exact - offset[:, None]
                sums += exact.sum(dim=1)
                norms += (exact * exact).sum(dim=1)
                rows = exact.to(precise)
                products += (rows @ rows.T).double()
    finally:
        torch.backends.cuda.matmul.allow_tf32 = allowed
    products.fill_diagonal_(0.0)
    products += torch.diag(norms)
    return Gram(products.cpu().numpy(), sums.cpu().numpy(), offset.cpu().numpy(), d)
