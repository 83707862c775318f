"""Named sets of LaNAS hyper-parameters: ours, the paper's, and the constants of the official experiments.

The official constants are facts about published experiments; none of the official code's defects comes with them
(see the wing's README).
"""

from __future__ import annotations

from typing import Any

# Measured to be the most sample-efficient on NAS-Bench-201; experiments/benchmarks/ has the ablation.
DEFAULTS: dict[str, Any] = {
    "n_init": None,
    "initial_design": "random",
    "relearn_every": 5,
    "relearn_fraction": 1 / 40,
    "value_transform": "rank",
    "split": "ridge",
    "ridge_lambda": 1.0,
    "svm_kernel": "rbf",
    "svm_gamma": "auto",
    "training_route": "prediction",
    "height": 5,
    "min_split": 20,
    "min_leaf": 2,
    "cp": 0.1,
    "ucb": "log",
    "pending": "count",
    "on_failure": "ignore",
    "local_sampler": "gp",
    "histogram": True,
    "histogram_groups": None,
    "quadratic": True,
    "stagnation": 10,
    "n_parents": 30,
    "n_candidates": 300,
    "enough_candidates": 75,
    "gp_points": 500,
    "gp_fit_points": 200,
    "gp_steps": 10,
    "pool": None,
}

# The published algorithm: linear splits, uniform draws inside the chosen region [1906.06832].
_PAPER: dict[str, Any] = {
    "n_init": 50,
    "relearn_every": 20,
    "relearn_fraction": 1 / 50,
    "min_leaf": 1,
    "local_sampler": "uniform",
    "histogram": False,
    "quadratic": False,
    "stagnation": 0,
}


def _lamcts(cp: float, leaf_size: int, kernel: str, gamma: str, n_init: int) -> dict[str, Any]:
    # LA-MCTS [2007.00708]: splits any leaf with more than `leaf_size` results, re-learns after each one.
    return {
        "n_init": n_init,
        "initial_design": "latin_hypercube",
        "relearn_every": 1,
        "relearn_fraction": 0.0,
        "value_transform": "none",
        "split": "kmeans_svm",
        "svm_kernel": kernel,
        "svm_gamma": gamma,
        "height": 32,
        "min_split": leaf_size + 1,
        "min_leaf": 1,
        "cp": cp,
        "ucb": "sqrt",
        "histogram": False,
        "quadratic": False,
        "stagnation": 0,
    }


PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "paper": _PAPER,
    "nasbench101": {**_PAPER, "n_init": 10, "relearn_fraction": 0.0, "value_transform": "none", "cp": 0.1},
    "oneshot": {
        **_PAPER,
        "n_init": 1,
        "relearn_every": 1,
        "relearn_fraction": 0.0,
        "value_transform": "none",
        "cp": 0.1,
    },
    "distributed": {
        **_PAPER,
        "n_init": 2000,
        "relearn_every": 50,
        "relearn_fraction": 0.0,
        "value_transform": "none",
        "height": 8,
        "cp": 0.5,  # accuracies in per cent
    },
    "lamcts_ackley": _lamcts(1.0, 10, "rbf", "auto", 40),
    "lamcts_levy": _lamcts(10.0, 8, "poly", "auto", 40),
    "lamcts_lunar": _lamcts(50.0, 10, "poly", "scale", 40),
    "lamcts_swimmer": _lamcts(20.0, 10, "poly", "scale", 40),
    "lamcts_hopper": _lamcts(10.0, 100, "poly", "auto", 150),
}
