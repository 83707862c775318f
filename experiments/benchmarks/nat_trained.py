"""What NAT gains where a value is a training: cells for the hard digits, each trained alone.

    python -m experiments.benchmarks.nat_trained run [--part 0 2]    # resumable; two parts, 20 minutes each
    python -m experiments.benchmarks.nat_trained table               # results/nat_trained.md and .svg
    python -m experiments.benchmarks.nat_trained run --confirm       # table --confirm: …_confirm.md

Protocol, written before the first run
--------------------------------------
The 15,625 cells of :mod:`search_spaces.digits_cell` on the digits of :mod:`trial_code.noisy_digits`. An architecture is
trained alone for 8 epochs on 700 images (batches of 50). It is searched by the accuracy of training seed 0 on the next
300 images, in per cent; what is reported is the mean accuracy of training seeds 1 and 2 on the 797 that are left, so
neither the images nor the weights are those that it was chosen by.

20 uniform inputs, none of them dead (seed 2026), the same for all arms; seeds of the arms 2019 to 2023; rule ``cost``,
strict, by costs measured from the networks. Arms, as in :mod:`.nat_benefit`: ``recipe``, the default learner with 100
queries, K = 0, 1, 10; ``paper``, the paper's learner, line-graph network, 100 queries, best of 1 and 10; ``random``
outputs, 1 and 10 of each input; ``shared``, random outputs of all in one cache; ``local``, climbs of 1, 3 and 10.
Settings are the defaults. Nothing was chosen on this space. Targets:

- at K = 1 and 10 the recipe gains more than the paper's learner: the paired 95 % interval of the difference over seeds
  is above 0
- so it does against ``shared`` at equal total evaluations
- with K of 1 or more no output is below its input by what was searched by; none costs more

Confirmation (``--confirm``), written before its only run: with K = 1 the recipe was ahead of the paper's learner by 1.3
points that five seeds did not tell from none, and a local search of 10 evaluations came near it. So 20 other inputs
(seed 4052) and 15 other seeds, 3019 to 3033: ``recipe``, ``paper``, ``shared`` and ``local``, the same targets, and

- K = 10 gains more than the local search of 10, the paired 95 % interval above 0, by no more evaluations
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from experiments.benchmarks import common, nat_critic
from experiments.benchmarks.nat_critic import Budgets, Case
from experiments.benchmarks.nat_critic_table import Comparison
from nni_strategies.nat.edges import Architectures
from nni_strategies.nat.moves_of_space import moves_of_space
from nni_strategies.nat.transitions import Transitions
from nni_strategies.space.search_space import Configuration
from search_spaces.digits_cell import INPUT_SHAPE, LABELS, DigitsNet
from search_spaces.digits_cell_nas import DigitsCellSpace
from trial_code import digits_training
from trial_code.noisy_digits import Part, noisy_digits

PROBLEM, RULE = "digits", "cost"
SEEDS = range(2019, 2024)
N_INPUTS, INPUT_SEED = 20, 2026
CONFIRM_INPUTS, CONFIRM_SEEDS = 4052, range(3019, 3034)
QUERIES, KS = 100, (1, 10)
TOTALS = (25, 40, 80, 120, 140, 180, 240, 320)
LOCAL_BUDGETS = (1, 3, 10)
EPOCHS, BATCH = 8, 50
SEARCHED, REPORTED = 0, (1, 2)

ABOUT = Comparison(
    PROBLEM, (RULE,), (QUERIES,), KS, "nat_trained.py", "NAT where a value is a training: cells for the hard digits",
    "Gain: points of accuracy, two other trainings on images that were not searched by, mean over 20 inputs; mean ± "
    "standard deviation over seeds. Evaluations: trainings to search by in all, with K of 1 or more those of the "
    "inputs included.",
)  # fmt: skip

RESULTS = common.RESULTS / "nat_trained.csv"
CONFIRMED = common.RESULTS / "nat_trained_confirm.csv"
TRAININGS = Path(tempfile.gettempdir()) / f"nat_trained_{EPOCHS}_epochs_of_{BATCH}.csv"


@lru_cache(maxsize=1)
def digits() -> tuple[Part, Part, Part]:
    """Return the images that are learned, searched by and reported on."""
    return noisy_digits()


def trained(configuration: Configuration, seed: int) -> tuple[float, float]:
    """Train a cell alone; return its accuracies, in per cent, on what is searched by and what is reported on."""
    learned, *judged = digits()
    torch.manual_seed(seed)
    network = DigitsNet(configuration)
    digits_training.train(network, learned, EPOCHS, seed, batch_size=BATCH)
    searched, reported = (100.0 * digits_training.accuracy(network, part) for part in judged)
    return searched, reported


@dataclass(frozen=True)
class Trained:
    """The digits' cells, and what they reach when trained; each training is made once and kept in a file.

    Parameters
    ----------
    trainings
        The file, which several processes may use.
    """

    trainings: Path

    @cached_property
    def transitions(self) -> Transitions:
        """What may become what, by costs measured from the networks."""
        return moves_of_space(DigitsCellSpace(), RULE, input_shape=INPUT_SHAPE).transitions

    @cached_property
    def _known(self) -> dict[tuple[str, int], tuple[float, float]]:
        return {}

    def _read(self) -> None:
        for row in common.read_rows(self.trainings):
            self._known[row["operations"], int(row["seed"])] = float(row["searched"]), float(row["reported"])

    def _accuracies(self, architectures: Architectures, seed: int) -> npt.NDArray[np.float64]:
        """Return both accuracies of each, ``[n, 2]``."""
        found = []
        for configuration in self.transitions.view.decode(architectures):
            key = "|".join(str(configuration[label]) for label in LABELS), seed
            if key not in self._known:
                self._read()  # another process may have trained it
            if key not in self._known:
                self._known[key] = searched, reported = trained(configuration, seed)
                row = {"operations": key[0], "seed": seed, "searched": repr(searched), "reported": repr(reported)}
                common.append_row(self.trainings, row)
            found.append(self._known[key])
        return np.array(found).reshape(-1, 2)

    def valid(self, architectures: Architectures) -> npt.NDArray[np.float64]:
        """Return what is searched by, in per cent, ``[n]``."""
        return self._accuracies(architectures, SEARCHED)[:, 0]

    def test(self, architectures: Architectures) -> npt.NDArray[np.float64]:
        """Return what is reported, in per cent, ``[n]``: of other trainings, on other images."""
        return np.mean([self._accuracies(architectures, seed)[:, 1] for seed in REPORTED], axis=0)

    def inputs(self, n: int = N_INPUTS, seed: int = INPUT_SEED) -> Architectures:
        """Return uniform draws, none of them dead."""
        return self.transitions.inputs(np.random.default_rng(seed), n)


def cases() -> Iterator[Case]:
    """Yield every case of the protocol."""
    return nat_critic.cases((RULE,), SEEDS, (QUERIES,))


def confirmations() -> Iterator[Case]:
    """Yield every case of the confirmation."""
    return nat_critic.cases((RULE,), CONFIRM_SEEDS, (QUERIES,), ("shared", "local"))


def run(chosen: Sequence[Case], path: Path, trainings: Path) -> None:
    """Make the runs that a CSV does not hold yet."""
    problem = Trained(trainings)

    def problem_of(case: Case) -> tuple[Trained, Architectures]:
        return problem, problem.inputs(seed=CONFIRM_INPUTS if case.seed in CONFIRM_SEEDS else INPUT_SEED)

    nat_critic.run(chosen, path, PROBLEM, problem_of, Budgets(KS, TOTALS, LOCAL_BUDGETS))


def main(argv: Sequence[str] | None = None) -> None:
    """Run, or make the table and the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainings", type=Path, default=TRAININGS, help="CSV of all trainings, for parts to share")
    given = nat_critic.read_options(parser, argv, RESULTS, CONFIRMED)
    torch.set_num_threads(1)
    if given.command == "run":
        wanted = confirmations() if given.confirm else cases()
        run(nat_critic.part_of(given, wanted), given.results, given.trainings)
    else:
        about = replace(ABOUT, local=LOCAL_BUDGETS[-1]) if given.confirm else ABOUT
        nat_critic.write_table(parser, given.results, about)


if __name__ == "__main__":
    main()
