"""How fast RDMs, their comparison and a whole score are, beside rsatoolbox, on one thread.

Targets, written before the first run: the RDM at least 15 times as fast as rsatoolbox's ``calc_rdm`` (correlation) for
500 x 8,192 and 1,000 x 32,768 activations, and at most 1.5 times the time of the bare single-precision matrix product
(``x @ y.T`` of two matrices of that shape); Spearman of 5 teacher and 8 candidate layers of 1,000 stimuli at least 6
times as fast as rsatoolbox's ``compare``; scoring 250 stimuli at most 5 % of a proxy training of 2 epochs of 5,000
images of 32 x 32 pixels. Processor time, the fastest of some repeats, all in one run.

``python -m experiments.benchmarks.rsa_speed`` writes ``rsa_speed.md``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from experiments.benchmarks import common
from nni_strategies.rsa.build import keep_stimuli, network_teacher
from nni_strategies.rsa.rdm import rdm_from_features
from nni_strategies.rsa.score import TeacherScorer
from nni_strategies.rsa.similarity import compare
from nni_strategies.rsa.teacher import load_teacher

SHAPES = ((92, 4096), (500, 8192), (1000, 32768))
TARGET_SHAPES = SHAPES[1:]
N_STIMULI, N_IMAGES, BATCH = 250, 5000, 64


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Return the processor time of the fastest of some runs."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def network(width: int = 16) -> nn.Module:
    """Return a small CIFAR network: three stages of two convolutions."""
    layers: list[nn.Module] = []
    channels = 3
    for stage in range(3):
        for _ in range(2):
            wide = width * 2**stage
            layers += [nn.Conv2d(channels, wide, 3, padding=1, bias=False), nn.BatchNorm2d(wide), nn.ReLU()]
            channels = wide
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


def rdms(lines: list[str], targets: list[str]) -> None:
    """Time RDMs."""
    import rsatoolbox

    columns = ("stimuli x units", "ours", "rsatoolbox", "corrcoef", "product", "rsatoolbox / ours", "ours / product")
    lines += [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for n, d in SHAPES:
        rng = np.random.default_rng(0)
        x, y = (rng.normal(size=(n, d)).astype(np.float32) for _ in range(2))
        repeats = 2 if n * d > 10**7 else 5
        data = rsatoolbox.data.Dataset(x.astype(np.float64))
        ours = seconds(lambda x=x: rdm_from_features(x), 2 * repeats)
        product = seconds(lambda x=x, y=y: x @ y.T, 2 * repeats)
        theirs = seconds(lambda data=data: rsatoolbox.rdm.calc_rdm(data, method="correlation"), repeats)
        plain = seconds(lambda x=x: np.corrcoef(x.astype(np.float64)), repeats)
        row = [f"{n} x {d}", *(f"{1e3 * t:.1f} ms" for t in (ours, theirs, plain, product))]
        lines.append(f"| {' | '.join(row)} | {theirs / ours:.0f} | {ours / product:.2f} |")
        if (n, d) in TARGET_SHAPES:
            faster, slower = theirs / ours, ours / product
            targets.append(target(f"RDM {n} x {d}: {faster:.1f} times as fast as rsatoolbox, target 15", faster >= 15))
            targets.append(target(f"RDM {n} x {d}: {slower:.2f} times the product, target 1.5", slower <= 1.5))


def target(text: str, reached: bool) -> str:
    """Return a line of the list of targets."""
    return f"- {'reached' if reached else 'MISSED'}: {text}"


def comparison(lines: list[str], targets: list[str]) -> None:
    """Time Spearman of 5 x 8 layers."""
    from rsatoolbox import rdm

    rng = np.random.default_rng(0)
    teacher, candidate = rng.random((5, 499_500)), rng.random((8, 499_500))
    ours = seconds(lambda: compare(teacher, candidate, "spearman"), 3)
    theirs = seconds(lambda: rdm.compare(rdm.RDMs(teacher), rdm.RDMs(candidate), method="spearman"), 2)
    ratio = theirs / ours
    lines += ["", f"Spearman of 5 x 8 layers, 1,000 stimuli: {1e3 * ours:.0f} ms, rsatoolbox {1e3 * theirs:.0f} ms."]
    targets.append(target(f"Spearman: {ratio:.1f} times rsatoolbox, target 6", ratio >= 6))


def overhead(lines: list[str], targets: list[str]) -> None:
    """Time a score beside the proxy training it judges."""
    rng = np.random.default_rng(0)
    images = torch.as_tensor(rng.random((N_IMAGES, 3, 32, 32)), dtype=torch.float32)
    labels = torch.as_tensor(rng.integers(10, size=N_IMAGES))
    candidate = network()
    optimizer = torch.optim.SGD(candidate.parameters(), 0.05)

    def epochs() -> None:
        for first in range(0, 2 * N_IMAGES, BATCH):
            batch = torch.arange(first, first + BATCH) % N_IMAGES
            optimizer.zero_grad()
            F.cross_entropy(candidate(images[batch]), labels[batch]).backward()
            optimizer.step()

    proxy = seconds(epochs, 1)
    with tempfile.TemporaryDirectory() as folder:
        kept = keep_stimuli(rng.integers(0, 256, (N_STIMULI, 32, 32, 3), dtype=np.uint8), Path(folder))
        scorer = TeacherScorer(load_teacher(network_teacher(network(24), kept, Path(folder))))
        score = seconds(lambda: scorer.score(candidate), 3)
    share = score / proxy
    told = f"A score of {N_STIMULI} stimuli: {1e3 * score:.0f} ms; 2 epochs of {N_IMAGES} images: {proxy:.1f} s."
    lines += ["", told]
    targets.append(target(f"scoring: {100 * share:.1f} % of the proxy, target 5 %", share <= 0.05))


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=common.RESULTS / "rsa_speed.md")
    given = parser.parse_args(argv)
    torch.set_num_threads(1)
    lines: list[str] = []
    targets: list[str] = []
    for part in (rdms, comparison, overhead):
        part(lines, targets)
    head = ["# How fast a teacher judges", "", common.machine(), "", "## Targets", "", *targets]
    text = [*head, "", "## Times, one thread", "", *lines]
    given.out.write_text("\n".join(text) + "\n")
    print(given.out.read_text())


if __name__ == "__main__":
    main()
