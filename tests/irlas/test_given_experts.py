"""Experts as users give them: names, files, graphs, networks of their own, stimuli of another search."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
from nni.nas.strategy import Random

from nni_strategies.errors import InvalidArgument, JournalMismatch
from nni_strategies.irlas import scoring
from nni_strategies.irlas.experts import expert
from nni_strategies.irlas.given_experts import names_of, read_experts
from nni_strategies.irlas.middleware import MirrorStimuli
from nni_strategies.irlas.one_shot.expected_features import experts_of
from nni_strategies.irlas.prior import expert_prior
from nni_strategies.irlas.scoring import ConfigurationScores, blocks_function
from nni_strategies.irlas.searcher import IRLASConfig, IRLASSearcher
from nni_strategies.irlas.shaped_tuner import MirrorStimuliTuner
from nni_strategies.irlas.stimuli import Stimuli
from nni_strategies.irlas.strategy import IRLAS
from nni_strategies.irlas.tuner import IRLASTuner
from nni_strategies.search.study import Study
from nni_strategies.topology.graph import TopologyGraph
from nni_strategies.topology.graph_json import graph_to_json
from tests.irlas.chains import few_members, run  # noqa: F401
from tests.irlas.test_searcher import CELL
from tests.irlas.tuner_runs import RECORDER, SPACE

pytestmark = pytest.mark.timeout(60)

IMAGES = torch.zeros(1, 4, 8, 8)


def conv(kernel: int = 3) -> nn.Module:
    return nn.Conv2d(4, 4, kernel, padding=kernel // 2)


class Basic(nn.Module):
    """A basic block of ResNet."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = conv(), conv()

    def forward(self, x):
        return torch.relu(x + self.b(torch.relu(self.a(x))))


class Residual(nn.Module):
    """A small ResNet: a stem, three blocks, a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(4, 4, 7, padding=3)
        self.layers = nn.Sequential(Basic(), Basic(), Basic())
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.layers(self.stem(x)).mean((2, 3)))


class Peeks(nn.Module):
    """A network that torch.fx cannot follow."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = conv(), conv()

    def forward(self, x):
        return self.b(self.a(x)) + x if x.sum() < 1e9 else x


def test_a_network_s_most_repeated_block_is_the_expert():
    basic = expert("resnet_basic")
    assert read_experts({"mine": Residual()}) == {"mine": basic}
    assert read_experts([Residual(), "densenet"]) == {"residual": basic, "densenet": expert("densenet")}
    assert read_experts({"block": Basic()}) == {"block": basic}  # repeats nothing: it is one block


def test_what_cannot_be_traced_is_run_on_an_example():
    peeks = TopologyGraph.from_nodes({1: ("conv3", ["input"]), 2: ("conv3", [1]), 3: ("add", [2, "input"])}, [3])
    assert read_experts([(Peeks(), IMAGES)]) == {"peeks": peeks.canonical()}
    assert read_experts({"a": "resnet", "b": [Peeks(), IMAGES], "c": peeks})["b"] == peeks.canonical()


def test_graphs_and_files_by_name(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(graph_to_json(expert("inception"))))
    found = read_experts({"x": str(tmp_path / "a.json"), "y": "resnet", "z": expert("densenet")})
    assert found == {"x": expert("inception"), "y": expert("resnet"), "z": expert("densenet")}


def test_a_code():
    layers = [(1, "conv", 3, 0, 0), (2, "conv", 3, 1, 0), [3, "add", 0, 2, 0], (4, "terminal", 0, 0, 0)]
    assert read_experts({"mine": layers, "b": "resnet"}) == {"mine": expert("resnet_basic"), "b": expert("resnet")}


class Whatever:
    """No network."""


REFUSED = [
    ([], "experts = "),
    ({}, "experts = "),
    (None, "experts = "),
    ("resnext", "experts = "),
    ([3], "networks"),
    ([Whatever()], "networks"),
    ({"mine": "resnxt"}, "did you mean 'resnext'"),
    ([Residual(), Residual()], "twice"),
    (["resnet", "resnet"], "twice"),
    ([Peeks()], r'experts\.peeks = "Peeks": traceable: .*without example_input there is no dry run'),
    ({"mine": (Peeks(), torch.zeros(1, 3, 8, 8))}, r"experts\.mine = .*its forward fails on the example input"),
    ({"mine": nn.ReLU()}, "at least one operation"),
    ([expert("resnet")], "by its name"),
    ([[(1, "conv", 3, 0, 0)]], "by its name"),
    ({"mine": [(1, "cnv", 3, 0, 0), (2, "terminal", 0, 0, 0)]}, "did you mean 'conv'"),
    ({"mine": TopologyGraph.chain([])}, "at least one operation"),
]


@pytest.mark.parametrize(("given", "message"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_refused_wherever_experts_are_given(given, message):
    with pytest.raises(InvalidArgument, match=message):
        read_experts(given)
    for make in (
        lambda: IRLAS(experts=given),
        lambda: IRLASTuner(experts=given),
        lambda: MirrorStimuli(experts=given),
        lambda: MirrorStimuliTuner("maximize", base_tuner="TPE", experts=given),
        lambda: expert_prior(given),
    ):
        with pytest.raises(InvalidArgument, match=message):
            make()


def test_a_configuration_keeps_names():
    assert names_of(["a", "b.json"], {"a": expert("resnet"), "b": expert("densenet")}) == ["a", "b.json"]
    assert names_of([Residual(), "resnet"], read_experts([Residual(), "resnet"])) == ("residual", "resnet")


@pytest.mark.slow
def test_networks_guide_every_kind_of_search():
    """The same network given to each face is the same expert, in the operations of the space."""
    given, basic = {"mine": Residual()}, expert("resnet_basic")
    strategy = IRLAS(experts=given, seed=1)
    assert strategy._args.config.experts == ("mine",)
    searcher = strategy.make_searcher(CELL)
    tuned = IRLASTuner(seed=1, experts={"mine": [[1, "conv", 3, 0, 0], [2, "terminal", 0, 0, 0]]}).make_searcher(CELL)
    assert tuned.config.experts == ("mine",)
    assert tuned.scores.projections["mine"].graph == TopologyGraph.chain(["conv3"])
    assert searcher.scores.projections["mine"].graph == basic
    stimuli = MirrorStimuli(experts=given, mode="paper", lam=0.5)
    run(Random(seed=1), stimuli, n=3)
    tuner = MirrorStimuliTuner("maximize", 1, base_tuner=RECORDER, experts=given)
    tuner.update_search_space(SPACE)
    for shaper in (stimuli.shaper, tuner.shaper):
        assert shaper.config.experts == ("mine",)
        assert shaper.scores.projections["mine"].graph == basic
        assert json.loads(json.dumps(shaper.journal.header))["prior"]["stimuli"]["experts"].keys() == {"mine"}
    assert experts_of([Residual(), "resnet"]) == [basic, expert("resnet")]
    assert experts_of(given) == [basic]


# -- stimuli that were learned elsewhere ---------------------------------------------------------------


@pytest.fixture
def learned(tmp_path):
    """A file of stimuli with label weights, learned in the cell space."""
    searcher = IRLASSearcher(CELL, IRLASConfig(experts=("resnext", "densenet"), irl="kernel"))
    searcher.scores.stimuli.save(tmp_path / "learned.json")
    return str(tmp_path / "learned.json"), searcher.scores.stimuli


def test_learned_stimuli_are_taken_as_they_are(learned):
    path, stimuli = learned
    read = read_experts([path])
    assert isinstance(read, Stimuli) and read.to_json() == stimuli.to_json()
    searcher = IRLASSearcher(CELL, IRLASConfig(experts=(path,)))
    assert searcher.scores.stimuli.to_json() == stimuli.to_json()
    given = IRLAS(experts=stimuli)
    assert given._args.config.experts == ("resnext", "densenet")
    assert given.make_searcher(CELL).scores.stimuli is stimuli
    chained = MirrorStimuli(experts=[path], mode="paper", lam=0.5)
    run(Random(seed=1), chained, n=3)
    scores = ConfigurationScores(chained.shaper.space, blocks_function(None), stimuli)
    for trial in chained.shaper.trials:
        assert trial.stimuli == scores.score(trial.configuration)
        assert trial.shaped == trial.raw + 0.5 * trial.stimuli
    tuner = MirrorStimuliTuner("maximize", 1, base_tuner=RECORDER, experts=[path])
    tuner.update_search_space(SPACE)
    assert tuner.shaper.scores.stimuli.to_json() == stimuli.to_json()


def test_stimuli_of_another_scale_are_another_search(learned, monkeypatch):
    path, stimuli = learned
    journal = Study(IRLASSearcher(CELL, IRLASConfig(experts=(path,)))).journal
    Study(IRLASSearcher(CELL, IRLASConfig(experts=(path,))), journal=journal)
    document = stimuli.to_json()
    document["reference"][0] += 0.001
    Stimuli.from_json(document).save(path)
    with pytest.raises(JournalMismatch, match="reference"):
        Study(IRLASSearcher(CELL, IRLASConfig(experts=(path,))), journal=journal)


def test_stimuli_that_cannot_be_taken(learned, tmp_path):
    path, _ = learned
    for given in ([path, "resnet"], {"mine": path}):
        with pytest.raises(InvalidArgument, match="stimuli alone"):
            read_experts(given)
    document = json.loads(Path(path).read_text())
    document["similarity"]["theta"]["resnext"][0].pop()
    (tmp_path / "cut.json").write_text(json.dumps(document))
    with pytest.raises(InvalidArgument, match=r"theta\['resnext'\]\[0\]"):
        MirrorStimuli(experts=[str(tmp_path / "cut.json")])
    with pytest.raises(InvalidArgument, match="fitted"):
        ConfigurationScores(CELL, blocks_function(None), Stimuli({"resnet": expert("resnet")}))
    with pytest.raises(InvalidArgument, match="made of operations of the space"):
        foreign = Stimuli({"t": TopologyGraph.chain(["attention"])}, [0.1, 0.2])
        ConfigurationScores(CELL, blocks_function(None), foreign)
    with pytest.raises(InvalidArgument, match="supernet"):
        experts_of([path])
    assert scoring._MEMBERS == 200
