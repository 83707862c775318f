"""Mirror stimuli: their scale, their ranks, blocks, and what survives JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import norm, rankdata

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.experts import EXPERTS, expert
from nni_strategies.irlas.nsc_features import BlockArray
from nni_strategies.irlas.stimuli import Stimuli
from nni_strategies.topology.graph import TopologyGraph
from nni_strategies.topology.nsc_graph import block_graph, graph_block
from nni_strategies.topology.nsc_space import random_blocks
from nni_strategies.topology.topology import Block


@pytest.fixture(scope="module")
def graphs():
    return [block_graph(block) for block in random_blocks(np.random.default_rng(5), 400, 12)]


def one(graph):
    return [Block("block", graph, 1)]


def fitted(graphs, names=("resnext",), **options):
    return Stimuli.fit({name: expert(name) for name in names}, [one(graph) for graph in graphs], **options)


@pytest.mark.parametrize("measure", ["cosine", "jaccard"])
@pytest.mark.parametrize("name", EXPERTS)
def test_an_expert_scores_one_and_random_blocks_zero_on_average(graphs, name: str, measure):
    stimuli = fitted(graphs, (name,), measure=measure)
    assert stimuli.score(expert(name)) == 1
    assert np.mean([stimuli.scaled(f) for f in stimuli.reference]) == pytest.approx(0, abs=1e-9)
    assert stimuli.sd == pytest.approx(np.std(stimuli.scores(graphs)))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.slow
@pytest.mark.timeout(60)
def test_the_expert_is_above_every_other_of_ten_thousand(seed: int):
    """Specification, check 3; runner-up about .38 of F, mean about .08."""
    graphs = [block_graph(block) for block in random_blocks(np.random.default_rng(seed), 10_000, 12)]
    stimuli = Stimuli({"resnext": expert("resnet")}, measure="jaccard")
    others = [stimuli.similarity(graph) for graph in graphs if graph != expert("resnet")]
    assert stimuli.similarity(expert("resnet")) == pytest.approx(1)
    assert 0.3 < max(others) < 0.55
    assert np.mean(others) == pytest.approx(0.083, abs=0.01)


def test_a_placebo_expert_is_its_own_best_too(graphs):
    """The method puts its expert first whatever it is: no evidence that an expert is good."""
    placebo = graphs[7]
    stimuli = Stimuli.fit({"placebo": placebo}, [one(graph) for graph in graphs])
    assert stimuli.score(placebo) == 1
    assert all(stimuli.score(graph) < 1 for graph in graphs if graph != placebo)
    order = np.argsort(stimuli.scores(graphs))
    assert not np.array_equal(order, np.argsort(fitted(graphs).scores(graphs)))


def test_several_experts_are_averaged_or_the_nearest_counts(graphs):
    names = ("resnext", "resnet_basic", "densenet")
    singles = [Stimuli({name: expert(name)}) for name in names]
    graph = graphs[3]
    each = [stimuli.similarity(graph) for stimuli in singles]
    assert fitted(graphs, names).similarity(graph) == pytest.approx(np.mean(each))
    assert fitted(graphs, names, reduce="max").similarity(graph) == max(each)


def test_a_known_block_is_not_compared_again(graphs, monkeypatch):
    stimuli = fitted(graphs)
    known = stimuli.similarity(graphs[3])
    monkeypatch.setattr("nni_strategies.irlas.stimuli._KEPT", 50)
    asked, compare = [], stimuli._by_expert.by_expert
    monkeypatch.setattr(stimuli._by_expert, "by_expert", lambda graph: asked.append(graph) or compare(graph))
    again = TopologyGraph(graphs[3].labels, graphs[3].predecessors)
    assert stimuli.similarity(again) == known
    assert asked == []
    for graph in graphs:
        assert stimuli.similarity(graph) == sum(compare(graph))
    assert len(stimuli._known) <= 400


def test_depth_alone_raises_nothing(graphs):
    stimuli, block = fitted(graphs), Block("a", expert("resnet"), 1)
    deep = [Block("a", expert("resnet"), 20)]
    assert stimuli.similarity_of(deep) == stimuli.similarity_of([block])
    mixed = [Block("a", expert("resnet"), 3), Block("b", graphs[0], 1)]
    expected = 0.75 * stimuli.similarity(expert("resnet")) + 0.25 * stimuli.similarity(graphs[0])
    assert stimuli.similarity_of(mixed) == pytest.approx(expected)


def test_normal_scores_are_those_of_the_ranks(graphs):
    stimuli = fitted(graphs)
    n, ranks = len(stimuli.reference), rankdata(np.round(stimuli.reference, 9))  # equal but for rounding
    assert stimuli.normal_score(stimuli.reference) == pytest.approx(norm.ppf(ranks / (n + 1)), abs=1e-12)
    assert np.isfinite(stimuli.normal_score(np.array([-1.0, 2.0]))).all()


def test_they_survive_json_and_another_process(graphs):
    stimuli = fitted(graphs, ("resnext", "inception"), measure="jaccard", reduce="max")
    again = Stimuli.from_json(json.loads(json.dumps(stimuli.to_json())))
    assert again.describe() == stimuli.describe()
    assert np.array_equal(again.scores(graphs), stimuli.scores(graphs))


@pytest.mark.parametrize(
    ("change", "match"),
    [({"format": 9}, "format"), ({"experts": {}}, "expert"), ({"reference": None}, "complete"),
     ({"similarity": {"features": "wl", "measure": "cosin"}}, "cosine")],
)  # fmt: skip
def test_damaged_stimuli_are_refused(graphs, change, match):
    with pytest.raises(InvalidArgument, match=match):
        Stimuli.from_json({**fitted(graphs).to_json(), **change})


def test_label_weights_that_are_cut_off_are_refused(graphs):
    document = fitted(graphs, measure="jaccard", irl="kernel").to_json()
    rows = document["similarity"]["theta"]["resnext"]
    n = len(rows[1])

    def damaged(theta):
        return {**document, "similarity": {**document["similarity"], "theta": theta}}

    wanted = rf"theta\['resnext'\]\[1\] = \"{n - 1} weights\": {n} weights, one for each"
    with pytest.raises(InvalidArgument, match=wanted):
        Stimuli.from_json(damaged({"resnext": [rows[0], rows[1][:-1], rows[2]]}))
    with pytest.raises(InvalidArgument, match=r"theta\['resnext'\] = \"2 lists\": 3 lists"):
        Stimuli.from_json(damaged({"resnext": rows[:2]}))
    with pytest.raises(InvalidArgument, match=r"theta\['resnext'\] = \"0 lists\""):
        Stimuli.from_json(damaged({"resnet": rows}))


def test_linear_weights_that_are_cut_off_are_refused(graphs):
    members = [one(graph) for graph in graphs]
    fit = Stimuli.fit({"resnet": expert("resnet")}, members, features="nsc_raw_window", irl="projection")
    document = fit.to_json()
    document["similarity"]["reports"]["resnet"]["weights"].pop()
    with pytest.raises(InvalidArgument, match=r"weights = \"19 weights\": 20 weights"):
        Stimuli.from_json(document)


def test_a_file_of_their_own(graphs, tmp_path):
    stimuli = fitted(graphs, ("resnext", "inception"), measure="jaccard", irl="kernel")
    path = tmp_path / "stimuli.json"
    stimuli.save(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["stimuli.json"]
    again = Stimuli.load(str(path))
    assert again.to_json() == stimuli.to_json() == json.loads(path.read_text())
    assert np.array_equal(again.scores(graphs), stimuli.scores(graphs))


def test_a_file_that_cannot_be_written_leaves_the_old_one(graphs, tmp_path, monkeypatch):
    stimuli, path = fitted(graphs), tmp_path / "stimuli.json"
    stimuli.save(path)
    before = path.read_text()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("no space")))
    with pytest.raises(OSError, match="no space"):
        fitted(graphs, ("densenet",)).save(path)
    assert path.read_text() == before


@pytest.mark.parametrize("text", [None, "{", "[]", "{}", '{"format": 1}'])
def test_a_file_that_holds_none_is_refused(tmp_path, text):
    path = tmp_path / "bad.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InvalidArgument, match="stimuli"):
        Stimuli.load(path)


def test_members_that_are_all_alike_are_refused():
    with pytest.raises(InvalidArgument, match="alike"):
        Stimuli.fit({"resnext": expert("resnext")}, [one(expert("resnet_basic"))] * 5)


@pytest.mark.parametrize("irl", ["projection", "max_margin", "max_entropy"])
def test_the_paper_s_linear_stimuli(irl, graphs):
    """F = w.mu of the block's code, with the report of the fit; most random blocks are below the expert."""
    members = [one(graph) for graph in graphs]
    stimuli = Stimuli.fit({"resnet": expert("resnet")}, members, features="nsc_onehot_window", irl=irl)
    report = stimuli.reports["resnet"]
    assert report.method == irl
    assert report.certificate.verdict in ("not extreme", "undecided")
    codes = BlockArray.of([graph_block(graphs[5])])
    assert stimuli.similarity(graphs[5]) == pytest.approx(float(report.scores(codes)[0]))
    assert stimuli.score(expert("resnet")) == 1
    again = Stimuli.from_json(json.loads(json.dumps(stimuli.to_json())))
    assert np.array_equal(again.scores(graphs[:20]), stimuli.scores(graphs[:20]))
    assert again.reports == stimuli.reports


def test_learned_label_weights(graphs):
    members = [one(graph) for graph in graphs]
    stimuli = Stimuli.fit({"resnet": expert("resnet")}, members, irl="kernel")
    assert stimuli.reports["resnet"].method == "kernel"
    assert stimuli.similarity(expert("resnet")) == pytest.approx(1)
    again = Stimuli.from_json(json.loads(json.dumps(stimuli.to_json())))
    assert np.array_equal(again.scores(graphs[:20]), stimuli.scores(graphs[:20]))


@pytest.mark.parametrize(
    ("options", "field"),
    [({"features": "nsc_raw"}, "irl"), ({"irl": "projection"}, "irl"), ({"features": "wls"}, "features"),
     ({"irl": "kernl"}, "irl")],
)  # fmt: skip
def test_features_and_fits_that_do_not_go_together(graphs, options, field):
    with pytest.raises(InvalidArgument) as caught:
        fitted(graphs, **options)
    assert caught.value.field == field


def test_linear_features_of_a_space_without_codes():
    chains = [TopologyGraph.chain(["attention"] * n) for n in (1, 2)]
    with pytest.raises(InvalidArgument, match="network structure code"):
        Stimuli.fit({"t": chains[1]}, [one(g) for g in chains], features="nsc_raw", irl="projection")
