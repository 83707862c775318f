"""How fast RDMs, their comparison and a whole score are, beside rsatoolbox, on one thread, and what memory they take.

Targets, written before the first run: the RDM at least 15 times as fast as rsatoolbox's ``calc_rdm`` (correlation) for
500 x 8,192 and 1,000 x 32,768 activations (10 to be accepted at all), and at most 1.5 times the time of the bare
single-precision matrix product (``x @ y.T`` of two matrices of that shape); Spearman of 5 teacher and 8 candidate
layers of 1,000 stimuli at least 6 times (4 to be accepted) as fast as rsatoolbox's ``compare``, and within 1e-10 of it;
scoring 300 stimuli at most 5 % of a proxy training of 2 epochs of 5,000 images of 32 x 32 pixels; and at most the
budget of memory and a tenth (``rsa_memory.py``). Processor time, the fastest of some repeats in turn, all in one run.

``python -m experiments.benchmarks.rsa_speed`` writes ``rsa_speed.md``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import nn
from torch.nn import functional as F

from experiments.benchmarks import common, rsa_gpu, rsa_memory
from nni_strategies.rsa.build import keep_stimuli, network_teacher
from nni_strategies.rsa.rdm import rdm_from_features
from nni_strategies.rsa.score import TeacherScorer
from nni_strategies.rsa.similarity import compare
from nni_strategies.rsa.teacher import load_teacher

SHAPES = ((92, 4096), (500, 8192), (1000, 32768))
TARGET_SHAPES = SHAPES[1:]
N_STIMULI, N_IMAGES, BATCH = 300, 5000, 64
N_COMPARED = (500, 1000, 2000)
TARGET_COMPARED = 1000
N_TEACHER, N_CANDIDATE = 5, 8


def fastest(works: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Return the processor time of the fastest run of each, taking turns."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            start = time.process_time()
            work()
            times[name].append(time.process_time() - start)
    return {name: min(taken) for name, taken in times.items()}


def ms(seconds: float) -> str:
    """Return a time in words."""
    return f"{1e3 * seconds:.1f} ms"


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


def table(lines: list[str], columns: Sequence[str]) -> None:
    """Begin a table."""
    lines += ["", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]


def rdms(lines: list[str], targets: list[str]) -> None:
    """Time RDMs."""
    import rsatoolbox

    columns = ("stimuli x units", "ours", "rsatoolbox", "corrcoef", "product", "rsatoolbox / ours", "ours / product")
    table(lines, columns)
    for n, d in SHAPES:
        rng = np.random.default_rng(0)
        x, y = (rng.normal(size=(n, d)).astype(np.float32) for _ in range(2))
        data = rsatoolbox.data.Dataset(x.astype(np.float64))
        works = {
            "ours": lambda x=x: rdm_from_features(x),
            "theirs": lambda data=data: rsatoolbox.rdm.calc_rdm(data, method="correlation"),
            "corrcoef": lambda x=x: np.corrcoef(x.astype(np.float64)),
            "product": lambda x=x, y=y: x @ y.T,
        }
        took = fastest(works, 3 if n * d > 10**7 else 8)
        faster, slower = took["theirs"] / took["ours"], took["ours"] / took["product"]
        lines.append(f"| {n} x {d} | {' | '.join(map(ms, took.values()))} | {faster:.0f} | {slower:.2f} |")
        if (n, d) in TARGET_SHAPES:
            for least in (15, 10):
                told = f"RDM {n} x {d}: {faster:.1f} times as fast as rsatoolbox, at least {least}"
                targets.append(target(told, faster >= least))
            targets.append(target(f"RDM {n} x {d}: {slower:.2f} times the product, at most 1.5", slower <= 1.5))
    lines += rsa_gpu.lines(SHAPES)


def target(text: str, reached: bool) -> str:
    """Return a line of the list of targets."""
    return f"- {'reached' if reached else 'MISSED'}: {text}"


def comparison(lines: list[str], targets: list[str]) -> None:
    """Time Spearman of some teacher and candidate layers: RDMs in, similarities out."""
    from rsatoolbox import rdm

    lines += ["", f"Spearman of {N_TEACHER} x {N_CANDIDATE} layers:"]
    table(lines, ("stimuli", "pairs", "ours", "rsatoolbox", "rsatoolbox / ours", "largest difference"))
    for n in N_COMPARED:
        pairs, rng = n * (n - 1) // 2, np.random.default_rng(0)
        teacher, candidate = rng.random((N_TEACHER, pairs)), rng.random((N_CANDIDATE, pairs))
        found: dict[str, np.ndarray] = {}

        def ours(found=found, teacher=teacher, candidate=candidate) -> None:
            found["ours"] = compare(teacher, candidate, "spearman")

        def theirs(found=found, teacher=teacher, candidate=candidate) -> None:
            found["theirs"] = rdm.compare(rdm.RDMs(teacher), rdm.RDMs(candidate), method="spearman")

        took = fastest({"ours": ours, "theirs": theirs}, 7 if n <= TARGET_COMPARED else 2)
        ratio = took["theirs"] / took["ours"]
        difference = float(np.abs(found["ours"] - found["theirs"]).max())
        times = " | ".join(map(ms, took.values()))
        lines.append(f"| {n} | {pairs:,} | {times} | {ratio:.1f} | {difference:.0e} |")
        if n == TARGET_COMPARED:
            for least in (6, 4):
                targets.append(target(f"Spearman: {ratio:.1f} times as fast, at least {least}", ratio >= least))
            targets.append(target(f"Spearman: {difference:.0e} from rsatoolbox's, at most 1e-10", difference <= 1e-10))


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

    proxy = fastest({"proxy": epochs}, 2)["proxy"]
    with tempfile.TemporaryDirectory() as folder:
        kept = keep_stimuli(rng.integers(0, 256, (N_STIMULI, 32, 32, 3), dtype=np.uint8), Path(folder))
        scorer = TeacherScorer(load_teacher(network_teacher(network(24), kept, Path(folder))))
        score = fastest({"score": lambda: scorer.score(candidate)}, 3)["score"]
    share = score / proxy
    lines += ["", f"A score of {N_STIMULI} stimuli: {ms(score)}; 2 epochs of {N_IMAGES} images: {proxy:.1f} s."]
    targets.append(target(f"scoring: {100 * share:.1f} % of the proxy, at most 5 %", share <= 0.05))


def memory(lines: list[str], targets: list[str]) -> None:
    """Measure the peak of resident memory."""
    lines += [
        "",
        f"Memory for {rsa_memory.N_STIMULI} stimuli, in MB (in brackets: as glibc allocates by default):",
    ]
    table(lines, ("", "budget", "all activations", "peak", "passes", "layers sampled"))
    for case in rsa_memory.CASES:
        found, by_default = rsa_memory.in_a_process(case), rsa_memory.in_a_process(case, by_default=True)
        budget, peaks = found["budget_mb"], (found["extra_mb"], by_default["extra_mb"])
        told = f"{peaks[0]} ({peaks[1]})"
        numbers = (budget, found["activations_mb"], told, found["passes"], f"{found['sampled']} of {found['layers']}")
        lines.append(f"| {case} | {' | '.join(map(str, numbers))} |")
        told = f"memory, {case}: {max(peaks)} MB of a budget of {budget}, at most a tenth more"
        targets.append(target(told, max(peaks) <= 1.1 * budget))


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=common.RESULTS / "rsa_speed.md")
    given = parser.parse_args(argv)
    torch.set_num_threads(1)
    lines: list[str] = []
    targets: list[str] = []
    with threadpool_limits(1):
        for part in (rdms, comparison, overhead, memory):
            part(lines, targets)
    head = ["# How fast a teacher judges", "", common.machine(), "", "## Targets", "", *targets]
    text = [*head, "", "## Times, one thread", *lines]
    given.out.write_text("\n".join(text) + "\n")
    print(given.out.read_text())


if __name__ == "__main__":
    main()
