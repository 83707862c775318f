"""TG of networks whose likeness is known, and the matching of layers against enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.layers import discover_layers, late_layers
from nni_strategies.rsa.rdm import correlation_rdm
from nni_strategies.rsa.score import ScoreOptions, TeacherScorer, ordered_match
from nni_strategies.rsa.similarity import METHODS, gram_signature
from nni_strategies.rsa.stimuli import Stimuli, Transform, write_images
from nni_strategies.rsa.taps import layer_grams
from nni_strategies.rsa.teacher import load_teacher, write_teacher
from tests.rsa.networks import Net

IMAGES = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 1), dtype=np.uint8)


def network(seed: int = 0) -> Net:
    torch.manual_seed(seed)
    model = Net()
    model(torch.rand(64, 1, 8, 8))  # running statistics
    return model


def teacher_of(model, folder, method="cka", group=None, late=False):
    stimuli = Stimuli(str(folder / "stimuli.npz"), write_images(IMAGES, folder / "stimuli.npz"), Transform())
    images = stimuli.load()
    layers = discover_layers(model, images)
    layers = late_layers(layers) if late else layers
    grams = layer_grams(model, images, layers).grams
    sums = [grams[layer.name] if group is None else grams[layer.name].averaged(np.array(group)) for layer in layers]
    path = write_teacher(
        folder,
        np.stack([correlation_rdm(s) for s in sums]),
        [layer.name for layer in layers],
        stimuli,
        method=method,
        grams=np.stack([gram_signature(s, "cka") for s in sums]),
        group=group,
    )
    return load_teacher(path)


@pytest.mark.parametrize("method", [method for method in METHODS if method != "rho-a"])
def test_a_teacher_is_like_itself(tmp_path, method):
    model = network()
    result = TeacherScorer(teacher_of(model, tmp_path, method)).score(model)
    assert result.tg == pytest.approx(1.0, abs=1e-6)
    assert result.match == {name: name for name in ("blocks.0", "blocks.1", "blocks.2", "head:input")}
    assert result.matrix.shape == (4, 4)
    assert result.rdms.shape == (4, 60 * 59 // 2)
    assert result.seconds > 0.0
    assert not result.approximate


def test_channels_in_another_order_are_the_same_network(tmp_path):
    model, other = network(), network()
    order = torch.randperm(6, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for parameter in (other.stem[0].weight, other.stem[0].bias, *other.stem[1].parameters()):
            parameter.copy_(parameter[order].clone())
        for buffer in (other.stem[1].running_mean, other.stem[1].running_var):
            buffer.copy_(buffer[order].clone())
        other.blocks[0].conv.weight.copy_(other.blocks[0].conv.weight[order][:, order].clone())
        for name in ("weight", "bias", "running_mean", "running_var"):
            tensor = getattr(other.blocks[0].norm, name)
            tensor.copy_(tensor[order].clone())
        for conv in (other.blocks[1].conv, other.blocks[1].shortcut):
            conv.weight.copy_(conv.weight[:, order].clone())
    assert TeacherScorer(teacher_of(model, tmp_path)).score(other).tg == pytest.approx(1.0, abs=1e-6)


def test_tg_is_the_weighted_mean_of_the_best_matches(tmp_path):
    teacher, other = teacher_of(network(0), tmp_path), network(1)
    result = TeacherScorer(teacher).score(other)
    assert result.tg == pytest.approx(result.matrix.max(axis=1).mean())
    assert list(result.per_layer.values()) == pytest.approx(result.matrix.max(axis=1).tolist())
    assert result.tg < 1.0
    weighted = TeacherScorer(teacher, ScoreOptions(layer_weights=(0, 0, 1, 3))).score(other)
    assert weighted.tg == pytest.approx(result.matrix.max(axis=1) @ [0, 0, 0.25, 0.75])


@pytest.mark.parametrize(
    "options", [{"batch_size": 1}, {"batch_size": 7}, {"batch_size": 64}, {"budget": 1 << 19, "batch_size": 60}]
)
def test_batches_and_budgets_do_not_matter(tmp_path, options):
    teacher, other = teacher_of(network(0), tmp_path), network(1)
    expected = TeacherScorer(teacher).score(other).tg
    assert TeacherScorer(teacher, ScoreOptions(**options)).score(other).tg == pytest.approx(expected, abs=1e-6)


def test_conditions_instead_of_images(tmp_path):
    model, group = network(), np.arange(60) % 12
    teacher = teacher_of(model, tmp_path, "pearson", group.tolist())
    assert teacher.n == 12
    assert TeacherScorer(teacher).score(model).tg == pytest.approx(1.0, abs=1e-6)


def test_a_network_that_says_nothing_has_no_score(tmp_path):
    teacher, dead = teacher_of(network(), tmp_path), network()
    with torch.no_grad():
        for parameter in dead.parameters():
            parameter.zero_()
    result = TeacherScorer(teacher).score(dead)
    assert np.isnan(result.tg)
    assert result.per_layer == {}


def test_one_dead_layer_is_passed_over(tmp_path):
    teacher, model = teacher_of(network(), tmp_path), network()
    with torch.no_grad():
        for parameter in model.blocks[2].parameters():
            parameter.zero_()
        model.blocks[2].norm.bias.fill_(-100.0)  # all its units are 0
    result = TeacherScorer(teacher).score(model)
    assert np.isinf(result.matrix[:, result.candidate_layers.index("blocks.2")]).all()
    assert np.isfinite(result.tg)


def test_ordered_matches_against_enumeration():
    rng = np.random.default_rng(0)
    for n_teacher, n_candidate in ((1, 4), (3, 1), (3, 5), (4, 4)):
        matrix, weights = rng.random((n_teacher, n_candidate)), rng.random(n_teacher)
        best = max(
            itertools.combinations_with_replacement(range(n_candidate), n_teacher),
            key=lambda chosen: sum(w * matrix[t, c] for t, (c, w) in enumerate(zip(chosen, weights, strict=True))),
        )
        assert ordered_match(matrix, weights).tolist() == list(best)


def test_ordered_scores_are_never_higher(tmp_path):
    teacher, other = teacher_of(network(0), tmp_path), network(1)
    free, ordered = (TeacherScorer(teacher, ScoreOptions(ordered=o)).score(other) for o in (False, True))
    assert ordered.tg <= free.tg
    order = {name: i for i, name in enumerate(ordered.candidate_layers)}
    places = [order[name] for name in ordered.match.values()]
    assert places == sorted(places)


def test_what_does_not_fit_the_teacher_is_refused(tmp_path):
    teacher = teacher_of(network(), tmp_path)
    with pytest.raises(InvalidArgument, match="as many as the teacher saw, 60"):
        TeacherScorer(teacher, stimuli=torch.rand(59, 1, 8, 8))
    with pytest.raises(InvalidArgument, match="one for each of"):
        TeacherScorer(teacher, ScoreOptions(layer_weights=(1.0,)))
    with pytest.raises(InvalidArgument, match="not all of them 0"):
        ScoreOptions(layer_weights=(0.0, 0.0))
    with pytest.raises(InvalidArgument, match=r"did you mean 'blocks\.2'"):
        TeacherScorer(teacher, ScoreOptions(layers=("blocks.22",))).score(network())


class Held(nn.Module):
    """A network whose part is compiled."""

    def __init__(self, part):
        super().__init__()
        self.part = part

    def forward(self, x):
        return self.part(x)


@pytest.mark.slow
@pytest.mark.timeout(60)  # torch's compiler takes seconds to import
def test_what_wraps_a_network_is_looked_through(tmp_path):
    teacher, model = teacher_of(network(0), tmp_path), network(1)
    expected = TeacherScorer(teacher).score(model)
    runs = []

    def backend(graph, example):
        def run(*given):
            runs.append(1)
            return graph.forward(*given)

        return run

    compiled, itself = torch.compile(network(1), backend=backend), network(1)
    itself.compile(backend=backend)
    for wrapped in (nn.DataParallel(model), compiled, nn.DataParallel(compiled), itself):
        result = TeacherScorer(teacher).score(wrapped)
        assert result.candidate_layers == expected.candidate_layers
        assert result.tg == expected.tg
    assert TeacherScorer(teacher).score(Held(compiled)).tg == pytest.approx(expected.tg, abs=1e-6)
    assert not runs
    for trained in (compiled, itself):  # they go on compiled
        trained(torch.rand(4, 1, 8, 8))
        assert runs
        runs.clear()


def test_replicas_of_a_process_group_are_looked_through(tmp_path):
    teacher, model = teacher_of(network(0), tmp_path), network(1)
    expected = TeacherScorer(teacher).score(model).tg
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    try:
        wrapped, calls = nn.parallel.DistributedDataParallel(model), []
        wrapped.register_forward_pre_hook(lambda *_: calls.append(1))
        assert TeacherScorer(teacher).score(wrapped).tg == expected
        assert not calls  # other processes would wait for its buffers
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.parametrize(
    ("dtype", "near"), [(torch.float16, 1e-3), (torch.bfloat16, 1e-2), (torch.float64, 1e-6)], ids=str
)
@pytest.mark.parametrize("batch_size", [None, 7])
def test_networks_of_any_precision(tmp_path, dtype, near, batch_size):
    teacher = teacher_of(network(0), tmp_path)
    expected = TeacherScorer(teacher).score(network(1)).tg
    result = TeacherScorer(teacher, ScoreOptions(batch_size=batch_size)).score(network(1).to(dtype))
    assert result.tg == pytest.approx(expected, abs=near)
    assert result.rdms.dtype == np.float64


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bn": "runing"}, "did you mean 'running'"),
        ({"batch_size": -3}, "batch_size = -3: a positive integer"),
        ({"batch_size": 2.5}, "batch_size"),
        ({"max_layers": 0}, "max_layers = 0"),
        ({"max_layers": "3"}, "max_layers"),
        ({"max_layers": None}, "max_layers"),
        ({"budget": "1GB"}, "budget = .*a positive integer, or None"),
        ({"budget": True}, "budget"),
        ({"layers": 5}, "layers = 5: auto, all"),
        ({"layers": []}, "layers"),
        ({"layers": ["blocks.1", 3]}, "layers"),
        ({"layer_weights": ("a",)}, "layer_weights"),
        ({"layer_weights": 0.5}, "layer_weights = 0.5: a list of numbers"),
        ({"layer_weights": "1234"}, "layer_weights"),
        ({"layer_weights": (np.inf, 1.0)}, "layer_weights"),
        ({"layer_weights": (np.nan, 1.0)}, "layer_weights"),
        ({"layer_weights": ()}, "layer_weights"),
    ],
)
def test_options_that_are_none(options, message):
    with pytest.raises(InvalidArgument, match=message):
        ScoreOptions(**options)


def test_lists_are_as_good_as_tuples(tmp_path):
    options = ScoreOptions(layers=["blocks.1", "blocks.2"], layer_weights=[0, 0, 1, 1])
    assert (options.layers, options.layer_weights) == (("blocks.1", "blocks.2"), (0, 0, 1, 1))
    result = TeacherScorer(teacher_of(network(), tmp_path), options).score(network())
    assert result.candidate_layers == ("blocks.1", "blocks.2")


class Squeezed(nn.Module):
    """Gives one stimulus without its axis."""

    def __init__(self):
        super().__init__()
        self.conv, self.middle, self.head = nn.Conv2d(1, 4, 8), nn.Linear(4, 5), nn.Linear(5, 3)

    def forward(self, x):
        return self.head(self.middle(self.conv(x).squeeze()))


def test_layers_that_never_give_all_rows_are_named(tmp_path):
    teacher = teacher_of(network(), tmp_path)
    options = ScoreOptions(layers=("middle",), batch_size=1)
    with pytest.raises(InvalidArgument, match=r'layers = \["middle"\]: .*as many rows'):
        TeacherScorer(teacher, options).score(Squeezed())
