"""Teachers from networks, RDMs and recordings whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa import build_teacher
from nni_strategies.rsa.build import activation_teacher, keep_stimuli, network_teacher, rdm_teacher
from nni_strategies.rsa.gram import gram
from nni_strategies.rsa.rdm import rdm_from_features, square
from nni_strategies.rsa.recordings import mean_response
from nni_strategies.rsa.score import ScoreOptions, TeacherScorer
from nni_strategies.rsa.similarity import gram_signature
from nni_strategies.rsa.stimuli import Transform
from nni_strategies.rsa.teacher import load_teacher, read_spec
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
    areas = {"monkey_IT": "rdm_monkey_IT", "human_IT": "rdm_human_IT"}
    subjects = {"human_IT": "rdm_human_IT_subjects"}
    teacher = load_teacher(rdm_teacher(file, stimuli, tmp_path, select=areas, subjects=subjects))
    assert teacher.spec.ceilings == {"human_IT": pytest.approx((0.3944, 0.6804), abs=1e-3)}  # none of the monkeys
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


@pytest.mark.parametrize(
    ("subjects", "message"),
    [
        ("each", "LAYER=ENTRY, the layer being one of .*'IT', 'V4'"),
        ({"IIT": "each"}, "did you mean 'IT'"),
        ({"IT": "eech"}, "did you mean 'each'"),
        ({"IT": "small"}, "as many pairs as the layer's, 780, not 45"),
        ({"IT": "V4"}, "at least two subjects"),
    ],
)
def test_subjects_of_no_layer(tmp_path, stimuli, subjects, message):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "r.npz", IT=rng.random(780), V4=rng.random(780), each=rng.random((3, 780)), small=np.ones(45))
    with pytest.raises(InvalidArgument, match=message):
        rdm_teacher(tmp_path / "r.npz", stimuli, tmp_path, select=["IT", "V4"], subjects=subjects)


def test_one_function_builds_from_whatever_there_is(tmp_path, stimuli):
    model, rng = network(3), np.random.default_rng(0)
    responses = rng.normal(size=(40, 9))
    np.savez(tmp_path / "areas.npz", IT=responses)
    np.save(tmp_path / "rdm.npy", rdm_from_features(responses))
    torch.save(model.state_dict(), tmp_path / "w.pt")

    def rdms(**options):
        return load_teacher(build_teacher(IMAGES, tmp_path / "t", **options)).rdms

    own = load_teacher(network_teacher(model, stimuli, tmp_path)).rdms
    assert np.array_equal(rdms(network=model), own)
    assert np.array_equal(rdms(network="tests.rsa.networks:Net", weights=tmp_path / "w.pt"), own)
    expected = rdm_from_features(responses)
    for source in ({"IT": responses}, tmp_path / "areas.npz"):
        assert rdms(activations=source)[0] == pytest.approx(expected, abs=1e-6)
    assert rdms(rdm=tmp_path / "rdm.npy")[0] == pytest.approx(expected, abs=1e-6)
    kept = load_teacher(build_teacher(stimuli, tmp_path / "kept", network=model))
    assert kept.spec.stimuli == stimuli  # not written again
    assert not (tmp_path / "kept" / "stimuli.npz").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "one of network, rdm and activations"),
        ({"network": "a:b", "rdm": "r.npy"}, r"\[\"network\", \"rdm\"\]"),
        ({"rdm": "r.npy", "weights": "w.pt"}, "option = .*weights.*of a teacher from rdm"),
        ({"network": "a:b", "layer": "late"}, "did you mean 'layers'"),
        ({"activations": "a.npz", "pool": "mean"}, "of a teacher from activations"),
        ({"network": "tests.rsa.networks:Net", "group": "nowhere"}, "group = .*nowhere"),
    ],
)
def test_what_cannot_be_built_is_refused_before_anything_is_written(tmp_path, given, message):
    with pytest.raises(InvalidArgument, match=message):
        build_teacher(IMAGES, tmp_path / "t", **given)
    assert not (tmp_path / "t").exists()


def test_a_folder_that_is_none(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InvalidArgument, match="a folder that can be written to"):
        build_teacher(IMAGES, tmp_path / "file", network=network(3))


def test_an_rdm_of_conditions_is_that_of_the_mean_responses(tmp_path, stimuli):
    responses = np.random.default_rng(0).normal(size=(40, 9))
    group = [9, 4, 7, 1] * 10
    means = np.stack([responses[i::4].mean(axis=0) for i in range(4)])  # in the order of their first stimuli
    expected = rdm_from_features(means)
    built = load_teacher(build_teacher(stimuli, tmp_path, activations={"IT": responses}, group=group))
    assert built.rdms[0] == pytest.approx(expected, abs=1e-6)
    np.save(tmp_path / "rdm.npy", square(expected))
    np.savetxt(tmp_path / "ids.txt", group, fmt="%d")
    measured = build_teacher(stimuli, tmp_path, rdm=tmp_path / "rdm.npy", group=tmp_path / "ids.txt")
    assert load_teacher(measured).rdms[0] == pytest.approx(expected, abs=1e-6)
    assert load_teacher(measured).spec.group == built.spec.group
    with pytest.raises(InvalidArgument, match="at least 3 different entries"):
        build_teacher(stimuli, tmp_path, activations={"IT": responses}, group=[0, 1] * 20)


@pytest.mark.parametrize("method", ["cka", "pearson", "spearman", "rho-a", "cosine"])
def test_the_ceiling_of_repeated_recordings_is_of_the_teachers_method(tmp_path, stimuli, method):
    rng = np.random.default_rng(0)
    recorded = rng.normal(size=(40, 30)) + rng.normal(size=(4, 40, 30))
    teacher = load_teacher(activation_teacher({"IT": recorded}, stimuli, tmp_path, method=method))
    first, second = (gram_signature(gram(recorded[i::2].mean(axis=0)), method) for i in (0, 1))
    expected = np.sqrt(2.0 * (first @ second) / (1.0 + first @ second))
    assert teacher.spec.ceilings["IT"] == pytest.approx((expected, expected), abs=1e-6)


@pytest.mark.parametrize(
    "given",
    [
        {"images": IMAGES[:39], "activations": {"IT": np.ones((40, 9))}},
        {"images": IMAGES[::-1], "activations": {"x" * 3000: np.random.default_rng(1).normal(size=(40, 9))}},
        {"images": IMAGES[::-1], "network": Net(), "layers": ["nowhere"]},
        {"images": IMAGES[::-1], "rdm": "nowhere.npy"},
    ],
)
def test_a_refused_build_leaves_the_old_teacher(tmp_path, given):
    path = build_teacher(IMAGES, tmp_path / "t", network=network(3))
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    assert before.keys() == {"stimuli.npz", "teacher.npz", "teacher.json"}
    with pytest.raises(InvalidArgument):
        build_teacher(given["images"], tmp_path / "t", **{k: v for k, v in given.items() if k != "images"})
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before
    TeacherScorer(load_teacher(path))
    with pytest.raises(InvalidArgument):
        build_teacher(given["images"], tmp_path / "new", **{k: v for k, v in given.items() if k != "images"})
    assert not (tmp_path / "new").exists()


def test_a_teacher_is_built_anew_in_its_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    build_teacher(IMAGES, "t", network=network(3))
    path = build_teacher(IMAGES[::-1], "t", network=network(3))
    spec = read_spec(path)
    assert (spec.path, spec.stimuli.path) == (str(tmp_path / "t/teacher.npz"), str(tmp_path / "t/stimuli.npz"))
    assert np.array_equal(spec.stimuli.pixels(), IMAGES[::-1])
    assert TeacherScorer(load_teacher(path)).score(network(3)).tg == pytest.approx(1.0, abs=1e-6)


def test_cross_entropy_costs_no_pass_of_its_own(tmp_path):
    kept, model, sizes = keep_stimuli(IMAGES, tmp_path, labels=np.arange(40) % 10), network(3), []
    scorer = TeacherScorer(load_teacher(network_teacher(model, kept, tmp_path)), ScoreOptions(batch_size=4))
    model.register_forward_pre_hook(lambda module, inputs: sizes.append(len(inputs[0])))
    result = scorer.score(model)
    assert sizes == [2, 2] + [4] * 10  # layers, memory, and one pass over the stimuli
    expected = nn.functional.cross_entropy(model.eval()(kept.load()), torch.arange(40) % 10)
    assert result.cross_entropy == pytest.approx(expected.item(), abs=1e-5)


def test_wrapped_and_half_networks_are_teachers(tmp_path, stimuli):
    plain = load_teacher(network_teacher(network(3), stimuli, tmp_path / "a"))
    wrapped = load_teacher(network_teacher(nn.DataParallel(network(3)), stimuli, tmp_path / "b"))
    assert wrapped.spec.layers == plain.spec.layers
    assert wrapped.spec.source == plain.spec.source
    half = load_teacher(network_teacher(network(3).half(), stimuli, tmp_path / "c"))
    assert half.rdms == pytest.approx(plain.rdms, abs=1e-2)
