"""Tuners wrapped in a MirrorStimuliTuner, driven as NNI's dispatcher does, without a manager."""

from __future__ import annotations

import importlib.util
import random

import numpy as np
import pytest
from nni.tuner import Tuner

from nni_strategies.irlas import scoring
from nni_strategies.irlas.shaped_tuner import MirrorStimuliTuner

EDGES = ("0_1", "0_2", "1_2", "0_3", "1_3", "2_3")
OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
SPACE = {f"edge_{edge}": {"_type": "choice", "_value": list(OPERATIONS)} for edge in EDGES}
SPACE["rate"] = {"_type": "uniform", "_value": [0.0, 1.0]}


@pytest.fixture(autouse=True)
def few_members(monkeypatch):
    """The scale is that of 200 members, read in a tenth of the time."""
    monkeypatch.setattr(scoring, "_MEMBERS", 200)


def quality(parameters):
    """The metric: good rates and many 3x3 convolutions."""
    rate = parameters["rate"]
    return sum(parameters[f"edge_{edge}"] == "nor_conv_3x3" for edge in EDGES) / 10 + rate * (1 - rate)


class Recorder(Tuner):
    """A tuner of a user's: notes all it is told, and draws at random."""

    def __init__(self, optimize_mode="maximize"):
        super().__init__()
        self.calls = []
        self.rng = np.random.default_rng(0)

    def update_search_space(self, search_space):
        self.calls.append(("space", search_space))

    def generate_parameters(self, parameter_id, **kwargs):
        values = {f"edge_{edge}": str(self.rng.choice(OPERATIONS)) for edge in EDGES}
        return {**values, "rate": round(float(self.rng.random()), 3)}

    def receive_trial_result(self, parameter_id, parameters, value, **kwargs):
        self.calls.append(("result", parameter_id, parameters, value))

    def trial_end(self, parameter_id, success, **kwargs):
        self.calls.append(("end", parameter_id, success))

    def import_data(self, data):
        self.calls += [("import", entry["parameter"], entry["value"]) for entry in data]

    def load_checkpoint(self):
        self.calls.append("load")

    def save_checkpoint(self):
        self.calls.append("save")

    def _on_exit(self):
        self.calls.append("exit")

    def told(self, kind):
        return [call for call in self.calls if call[0] == kind]


RECORDER = "tests.irlas.tuner_runs.Recorder"


def base(name):
    """Skip where NNI's tuner of this name cannot run."""
    if name == "Anneal":
        if importlib.util.find_spec("hyperopt") is None:
            pytest.skip("needs hyperopt 0.1.2")
        try:
            int(np.ones(1, dtype=int))  # as its annealing does
        except TypeError:
            pytest.skip("needs hyperopt 0.1.2 and a NumPy that it works with")
    return name


def seeded(name):
    """Seed what NNI's tuners take their randomness from: TPE has a seed, the others have globals."""
    random.seed(7)
    np.random.seed(7)
    return {"seed": 7} if name == "TPE" else {"population_size": 5} if name == "Evolution" else {}


def run(tuner, n, *, first=0, metric=quality, wrap=lambda value: value):
    """Run trials one after another; their parameters."""
    tried = []
    for number in range(first, first + n):
        (parameters,) = tuner.generate_multiple_parameters([number], st_callback=lambda *_: None)
        tried.append(parameters)
        tuner.receive_trial_result(number, parameters, wrap(metric(parameters)))
        tuner.trial_end(number, True)
    return tried


def run_from(tuner, name, n=30, metric=quality):
    """Run trials of a tuner whose generators are seeded."""
    inner = getattr(tuner, "base", tuner)
    if name == "Evolution":  # its generator has no seed
        inner.random_state = np.random.RandomState(7)
        inner.population.clear()
        for _ in range(inner.population_size):
            inner._random_generate_individual()
    if name == "Anneal":
        inner.rval.rstate = np.random.RandomState(7)
    return run(tuner, n, metric=metric)


def make(**arguments):
    tuner = MirrorStimuliTuner(**{"optimize_mode": "maximize", "seed": 3, "base_tuner": RECORDER, **arguments})
    tuner.update_search_space(SPACE)
    return tuner
