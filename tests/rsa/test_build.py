"""Teachers from networks, RDMs and recordings whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.build import activation_teacher, keep_stimuli, mean_response, network_teacher, rdm_teacher
from nni_strategies.rsa.rdm import rdm_from_features
from nni_strategies.rsa.score import TeacherScorer
from nni_strategies.rsa.stimuli import Transform
from nni_strategies.rsa.teacher import load_teacher
from tests.rsa.networks import Net
from tests.rsa.test_score import network

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), dtype=np.uint8)


@pytest.fixture
def stimuli(tmp_path):
    return keep_stimuli(IMAGES, tmp_path)


def test_a_network_with_weights(tmp_path, stimuli):
    model = network(3)
    wrapped = {f"module.{name}": tensor for name, tensor in model.state_dict().items()}
    torch.save({"state_dict": wrapped, "best": 91.8}, tmp_path / "w.th")
    path = network_teacher("tests.rsa.networks:Net", stimuli, tmp_path, weights=tmp_path / "w.th")
    teacher = load_teacher(path)
    assert teacher.spec.layers == ("blocks.1", "blocks.2", "head:input")
    assert teacher.spec.method == "cka"
    assert TeacherScorer(teacher).score(model).tg == pytest.approx(1.0, abs=1e-6)
    assert TeacherScorer(teacher).score(network(4)).tg < 0.999


def test_layers_are_chosen_and_the_teachers_own_pixels(tmp_path, stimuli):
    model = network(3)
    path = network_teacher(model, stimuli, tmp_path, layers=["blocks.0", "head:input"], method="spearman")
    assert load_teacher(path).spec.layers == ("blocks.0", "head:input")
    own = network_teacher(model, stimuli, tmp_path / "own", own=Transform(mean=(0.5,), std=(0.1,)))
    assert TeacherScorer(load_teacher(own)).score(model).tg < 1.0 - 1e-6


def test_weights_that_are_none(tmp_path, stimuli):
    torch.save(nn.Linear(2, 2), tmp_path / "module.pt")
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "other.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    (tmp_path / "words.pt").write_text("words")
    for name, message in (
        ("module.pt", "weights_only=True"),
        ("words.pt", "weights_only=True"),
        ("missing.pt", "weights_only=True"),
        ("list.pt", "a state dictionary"),
        ("other.pt", "the weights of this network"),
    ):
        with pytest.raises(InvalidArgument, match=message):
            network_teacher(Net(), stimuli, tmp_path, weights=tmp_path / name)


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("Net", "module:factory"),
        ("tests.nothing:Net", "can be imported"),
        ("tests.rsa.networks:Nett", "did you mean 'Net'"),
        ("collections:Counter", "torch modules, not of Counter"),
    ],
)
def test_factories_that_are_none(tmp_path, stimuli, factory, message):
    with pytest.raises(InvalidArgument, match=message):
        network_teacher(factory, stimuli, tmp_path)


def test_stimuli_that_the_teacher_does_not_take(tmp_path):
    stimuli = keep_stimuli(np.repeat(IMAGES, 3, axis=-1), tmp_path)
    with pytest.raises(InvalidArgument, match="a shape that the teacher takes"):
        network_teacher(Net(), stimuli, tmp_path)


def test_a_network_that_says_nothing_is_no_teacher(tmp_path, stimuli):
    model = network(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    with pytest.raises(InvalidArgument, match="respond differently"):
        network_teacher(model, stimuli, tmp_path)


def test_recordings_with_repetitions_and_gaps(tmp_path, stimuli):
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(40, 200))
    recorded = truth + rng.normal(size=(6, 40, 200))
    recorded[rng.random(recorded.shape) < 0.1] = np.nan
    np.savez(tmp_path / "areas.npz", IT=recorded, V4=truth)
    teacher = load_teacher(activation_teacher(tmp_path / "areas.npz", stimuli, tmp_path, method="pearson"))
    assert teacher.spec.layers == ("IT", "V4")
    assert teacher.rdms[0] == pytest.approx(rdm_from_features(mean_response(recorded)), abs=1e-6)
    assert teacher.rdms[1] == pytest.approx(rdm_from_features(truth), abs=1e-6)
    reached = np.corrcoef(teacher.rdms)[0, 1]
    assert teacher.spec.ceilings.keys() == {"IT"}
    assert teacher.spec.ceilings["IT"][0] == pytest.approx(reached, abs=0.05)


def test_missing_numbers_are_the_units_mean():
    repeated = np.array([[[1.0, 2.0], [np.nan, 4.0], [3.0, np.nan]], [[3.0, 2.0], [np.nan, 6.0], [5.0, np.nan]]])
    assert mean_response(repeated).tolist() == [[2.0, 2.0], [3.0, 5.0], [4.0, 3.5]]
    repeated[:, :, 1] = np.nan
    with pytest.raises(InvalidArgument, match="unit 1"):
        mean_response(repeated, "IT")


@pytest.mark.parametrize("shape", [(39, 5), (40,), (2, 39, 5), (1, 2, 40, 5)])
def test_recordings_of_other_stimuli(tmp_path, stimuli, shape):
    with pytest.raises(InvalidArgument, match=r"activations IT = .*\[40, n_units\]"):
        activation_teacher({"IT": np.zeros(shape)}, stimuli, tmp_path)


def test_rdms_of_other_stimuli(tmp_path, stimuli):
    np.save(tmp_path / "rdm.npy", np.random.default_rng(0).random(39 * 38 // 2))
    with pytest.raises(InvalidArgument, match="as many as the RDM has"):
        rdm_teacher(tmp_path / "rdm.npy", stimuli, tmp_path)
    with pytest.raises(InvalidArgument, match="an entry for each of 40 stimuli"):
        rdm_teacher(tmp_path / "rdm.npy", stimuli, tmp_path, group=[0, 1])


def test_the_brain_as_a_teacher(tmp_path, data):
    file = data / "brain_92images" / "kriegeskorte2008_92.npz"
    stimuli = keep_stimuli(file, tmp_path, Transform(size=8, gray=True))
    areas = ["rdm_monkey_IT", "rdm_human_IT"]
    path = rdm_teacher(file, stimuli, tmp_path, select=areas, subjects="rdm_human_IT_subjects")
    teacher = load_teacher(path)
    assert teacher.n == 92
    assert teacher.signatures[0] @ teacher.signatures[1] == pytest.approx(0.4912, abs=5e-4)
    result = TeacherScorer(teacher).score(network(0))
    assert set(result.per_layer) == set(areas)
    assert -1.0 < result.tg < 0.5


def test_conditions_of_several_images(tmp_path, stimuli):
    group = np.repeat(np.arange(10), 4).tolist()
    model = network(3)
    teacher = load_teacher(network_teacher(model, stimuli, tmp_path, group=group))
    assert teacher.n == 10
    assert TeacherScorer(teacher).score(model).tg == pytest.approx(1.0, abs=1e-6)
