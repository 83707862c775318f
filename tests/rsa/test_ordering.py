"""A trained network is more like the teacher than it was untrained: real digits, ten architectures and seeds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from nni_strategies.rsa.build import LATE, keep_stimuli, network_teacher
from nni_strategies.rsa.score import TeacherScorer
from nni_strategies.rsa.teacher import load_teacher
from search_spaces.digits_cell import LABELS, OPERATIONS, DigitsNet
from trial_code.digits_teacher import teacher_network
from trial_code.digits_training import train
from trial_code.noisy_digits import noisy_digits, stimuli

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

SEEDS = range(10)
EPOCHS = 2
TEACHER_EPOCHS = 5
JUDGES = tuple(itertools.product(("auto", LATE), ("cka", "pearson")))


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    """TG before and after training, ``[n_seeds, 2]``, by teacher layers and method."""
    data = noisy_digits()
    teacher = teacher_network(data, TEACHER_EPOCHS)
    scorers = {}
    for layers, method in JUDGES:
        folder = tmp_path_factory.mktemp("teacher")
        path = network_teacher(teacher, keep_stimuli(stimuli(data[1]), folder), folder, layers=layers, method=method)
        scorers[layers, method] = TeacherScorer(load_teacher(path))
    found = {judge: np.empty((len(SEEDS), 2)) for judge in JUDGES}
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        cell = {label: str(rng.choice(OPERATIONS[1:])) for label in LABELS}  # lets images through
        torch.manual_seed(seed)
        network = DigitsNet(cell)
        for when in (0, 1):
            if when:
                train(network, data[0], EPOCHS, seed)
            for judge, scorer in scorers.items():
                found[judge][seed, when] = scorer.score(network).tg
    return found


@pytest.mark.parametrize("judge", JUDGES, ids="-".join)
def test_training_raises_the_score(scores, judge):
    untrained, trained = scores[judge].T
    assert (trained > untrained).sum() >= 9
