"""TG of a supernet's paths is that of the same networks standing alone, and leaves the supernet as it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import nni_strategies.bridge.torchvision_first  # noqa: F401

# isort: split
from nni_strategies.errors import InvalidConfiguration
from nni_strategies.rsa.score import ScoreOptions, TeacherScorer
from nni_strategies.rsa.supernet_scores import SupernetTeacherScorer
from nni_strategies.rsa.teacher import load_teacher
from nni_strategies.supernet.network import Supernet
from nni_strategies.supernet.training import ImageBatches, Recipe, train
from search_spaces.digits_cell_nas import DigitsCellSpace
from trial_code import digits_teacher
from trial_code.noisy_digits import noisy_digits

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    return load_teacher(digits_teacher.teacher_file(tmp_path_factory.mktemp("teacher")))


@pytest.fixture(scope="module")
def supernet():
    learned = noisy_digits()[0]
    made = Supernet.built(DigitsCellSpace, 0)
    train(made, ImageBatches(torch.from_numpy(learned.images), torch.from_numpy(learned.labels), 50), Recipe(epochs=2))
    return made


def test_a_path_scores_as_the_network_alone(supernet, teacher):
    alone = TeacherScorer(teacher, ScoreOptions(bn="batch"))
    rng = np.random.default_rng(0)
    drawn = [supernet.space.sample(rng) for _ in range(3)]
    stock = DigitsCellSpace()
    weights = supernet.network.state_dict()
    stock.load_state_dict({name: weights[name] for name in stock.state_dict()})
    found = SupernetTeacherScorer(supernet, teacher, ScoreOptions(bn="running")).scores(drawn)
    expected = [alone.score(stock.freeze(supernet.view.sample(each))).tg for each in drawn]
    assert found == pytest.approx(expected, abs=1e-6)
    assert len(set(found.round(6).tolist())) == 3


def test_the_supernet_is_left_as_it_was(supernet, teacher):
    before = {name: tensor.clone() for name, tensor in supernet.network.state_dict().items()}
    modes = [module.training for module in supernet.network.modules()]
    result = SupernetTeacherScorer(supernet, teacher).score(supernet.space.sample(np.random.default_rng(1)))
    assert set(result.per_layer) == set(teacher.spec.layers)
    assert all(torch.equal(tensor, before[name]) for name, tensor in supernet.network.state_dict().items())
    assert modes == [module.training for module in supernet.network.modules()]


def test_what_is_not_of_the_space_is_refused(supernet, teacher):
    with pytest.raises(InvalidConfiguration):
        SupernetTeacherScorer(supernet, teacher)({"edge": "conv"})
