"""Published values of real neural data: monkey and human IT, 92 objects (Kriegeskorte et al. 2008, Neuron)."""

from __future__ import annotations

import numpy as np
import pytest

from nni_strategies.rsa.ceiling import noise_ceiling
from nni_strategies.rsa.rdm import rdm_from_features, upper
from nni_strategies.rsa.rdm_files import read_subjects
from nni_strategies.rsa.similarity import compare


@pytest.fixture(scope="module")
def brain(data):
    with np.load(data / "brain_92images" / "kriegeskorte2008_92.npz", allow_pickle=False) as file:
        return dict(file)


def of_model(brain, name):
    return upper(brain["rdm_models"][brain["model_names"].tolist().index(name)])


@pytest.mark.parametrize(
    ("what", "pearson", "spearman"),
    [("monkey", 0.4912, 0.4389), ("V1", 0.0422, 0.0393), ("HMAX", 0.2165, 0.2217), ("pixels", 0.1335, 0.1065)],
)
def test_similarities_to_human_it(brain, what, pearson, spearman):
    if what == "monkey":
        rdm = brain["rdm_monkey_IT"]
    elif what == "pixels":
        rdm = rdm_from_features(brain["images"])
    else:
        rdm = of_model(brain, what)
    assert compare(rdm, brain["rdm_human_IT"], "pearson").item() == pytest.approx(pearson, abs=5e-4)
    assert compare(rdm, brain["rdm_human_IT"], "spearman").item() == pytest.approx(spearman, abs=5e-4)


@pytest.mark.parametrize(("method", "bounds"), [("spearman", (0.3723, 0.6657)), ("pearson", (0.3944, 0.6804))])
def test_noise_ceilings_of_four_subjects(data, method, bounds):
    subjects = read_subjects(data / "brain_92images" / "kriegeskorte2008_92.npz", "rdm_human_IT_subjects")
    assert subjects.shape == (4, 4186)
    assert noise_ceiling(subjects, method) == pytest.approx(bounds, abs=1e-3)
