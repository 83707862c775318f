"""How fast RDMs are on a GPU, in single precision without TF32; a line that says so where there is none.

Target, written before the first run: at most 1.5 times the time of the bare product of two such matrices, for the
larger shapes; no error above 1e-6.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch

from nni_strategies.rsa.rdm import rdm_from_features

NOT_RUN = "On a GPU: not run, there is none here."


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Return the time of the fastest of some runs on the GPU, the first left out."""
    times = []
    for _ in range(repeats + 1):
        torch.cuda.synchronize()
        start = time.perf_counter()
        work()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times[1:])


def lines(shapes: Sequence[tuple[int, int]]) -> list[str]:
    """Return the table of RDMs of these shapes."""
    if not torch.cuda.is_available():
        return ["", NOT_RUN]
    columns = ("stimuli x units", "ours", "product", "ours / product", "largest error")
    made = ["", f"{torch.cuda.get_device_name()}, torch {torch.__version__}, no TF32:", ""]
    made += [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    return made + [_row(n, d) for n, d in shapes]


def _row(n: int, d: int) -> str:
    rng = np.random.default_rng(0)
    on_cpu = [torch.as_tensor(rng.normal(size=(n, d)), dtype=torch.float32) for _ in range(2)]
    x, y = (matrix.cuda() for matrix in on_cpu)
    allowed = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        ours, product = seconds(lambda: rdm_from_features(x), 5), seconds(lambda: x @ y.T, 5)
    finally:
        torch.backends.cuda.matmul.allow_tf32 = allowed
    error = float(np.abs(rdm_from_features(x) - rdm_from_features(on_cpu[0], dtype="float64")).max())
    return f"| {n} x {d} | {1e3 * ours:.2f} ms | {1e3 * product:.2f} ms | {ours / product:.2f} | {error:.0e} |"
