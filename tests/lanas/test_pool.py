from __future__ import annotations

import copy
import json
import time

import numpy as np
import pytest

from nni_strategies.errors import InvalidArgument, JournalMismatch, SpaceExhausted
from nni_strategies.lanas import LaNASConfig, LaNASSearcher
from nni_strategies.lanas.additive import AdditiveMargins
from nni_strategies.lanas.features import Features
from nni_strategies.lanas.pool import Pool
from nni_strategies.lanas.pool_source import load_pool
from nni_strategies.lanas.splits import LinearSplit
from nni_strategies.lanas.tree import LatentActionTree
from nni_strategies.search.journal import Journal
from nni_strategies.search.searcher import UniformPrior
from nni_strategies.search.study import Study
from nni_strategies.search.testing_spaces import SPACES
from nni_strategies.space.from_json import space_from_json
from nni_strategies.space.parameters import Categorical, Condition, Subset
from nni_strategies.space.search_space import SearchSpace

pytestmark = pytest.mark.timeout(60)  # a million members, maybe on a slow machine

CELL = SearchSpace(tuple(Categorical(f"edge_{i}", tuple("abcde")) for i in range(6)))
TARGET = np.array([1.0, 2.0, 3.0, 1.0, 0.0, 4.0])


def members(n: int = 400, seed: int = 0) -> np.ndarray:
    return load_pool(CELL.sample_codes(np.random.default_rng(seed), n), CELL)[0]


def value(configuration) -> float:
    return float((CELL.encode([configuration])[0] == TARGET).sum())


@pytest.mark.parametrize("sampler", ["gp", "mutation", "uniform"])
def test_only_members_are_proposed_each_once_until_none_is_left(sampler):
    codes = members(150)
    study = Study(LaNASSearcher(CELL, LaNASConfig(pool=codes, local_sampler=sampler, n_init=15)), seed=1)
    for _ in range(len(codes)):
        trial = study.ask()
        study.tell(trial.id, value(trial.configuration))
    proposed = {CELL.key(trial.configuration) for trial in study.trials}
    assert proposed == {CELL.key(configuration) for configuration in CELL.decode(codes)}
    with pytest.raises(SpaceExhausted):
        study.searcher.propose(np.random.default_rng(0))
    with pytest.raises(SpaceExhausted):  # though the space has other points
        study.ask()
    assert not study.counts


def test_a_proposal_that_fails_is_replaced_by_a_member(monkeypatch):
    codes = members(30)
    study = Study(LaNASSearcher(CELL, LaNASConfig(pool=codes)))
    monkeypatch.setattr(study.searcher, "propose", lambda rng: 1 / 0)
    proposed = {CELL.key(study.ask().configuration) for _ in range(len(codes))}
    assert proposed == {CELL.key(configuration) for configuration in CELL.decode(codes)}
    with pytest.raises(SpaceExhausted):
        study.ask()


def test_a_pool_is_searched_better_than_at_random():
    found = []
    for seed in range(5):
        codes = members(3000, seed)
        best = max(value(c) for c in CELL.decode(codes))
        study = Study(LaNASSearcher(CELL, LaNASConfig(pool=codes)), seed=seed)
        while study.best is None or study.best.value < best:
            trial = study.ask()
            study.tell(trial.id, value(trial.configuration))
        found.append(len(study.trials))
    assert np.median(found) < 100  # at random about 1,500 where one member is best


def test_the_whole_pool_is_routed_as_results_are():
    features, codes = Features(CELL), members(2000)
    rng = np.random.default_rng(0)
    known = CELL.sample_codes(rng, 200)
    tree = LatentActionTree(features.transform(known), (known == TARGET).sum(axis=1).astype(float), LaNASConfig())
    pool = Pool(codes, features)
    pool.route(tree)
    assert pool.inside(tree.root).tolist() == list(range(len(codes)))
    stack, checked = [tree.root], 0
    while stack:
        node = stack.pop()
        stack.extend(node.children)
        inside = {i for i in range(0, len(codes), 37) if node in tree.route(features.transform(codes[i : i + 1])[0])}
        assert inside == set(pool.inside(node).tolist()) & set(range(0, len(codes), 37))
        checked += 1
    assert checked > 5


CONDITIONAL = SearchSpace(
    (
        Categorical("op_1", ("conv", "pool")),
        Categorical("op_2", ("conv", "pool"), condition=Condition("op_1", ("pool",))),
        Subset("inputs", ("a", "b", "c"), condition=Condition("op_2", ("conv",))),
    )
)


@pytest.mark.parametrize("space", [CONDITIONAL, SPACES["flat"], SPACES["nested"], SPACES["subsets"]])
def test_looked_up_margins_are_those_of_the_features(space):
    features, codes = Features(space), space.sample_codes(np.random.default_rng(0), 500)
    assert AdditiveMargins.fits(features) == (space is not SPACES["nested"])  # whose randint is a number
    if not AdditiveMargins.fits(features):
        return
    split = LinearSplit(np.random.default_rng(1).normal(size=features.n_columns), 0.3)
    some = np.random.default_rng(2).permutation(len(codes))[:77]
    margins = AdditiveMargins(codes, features).margin(split, some)
    assert margins == pytest.approx(split.margin(features.transform(codes[some])), abs=1e-9)


def test_members_are_found_by_their_codes():
    pool = Pool(members(2000), Features(CELL))
    assert pool.find(pool.codes).tolist() == list(range(len(pool.codes)))
    others = CELL.sample_codes(np.random.default_rng(5), 500)
    strangers = others[[not (pool.codes == row).all(axis=1).any() for row in others]]
    assert (pool.find(strangers) == -1).all()
    pool.take(pool.codes[:3])
    assert pool.n_left == len(pool.codes) - 3
    assert len(pool.chosen(np.vstack([pool.codes[:5], strangers]))) == 2


def test_a_pool_comes_from_a_list_an_array_or_a_file(tmp_path):
    codes = members(50)
    configurations = CELL.decode(codes)
    (tmp_path / "pool.json").write_text(json.dumps(configurations))
    (tmp_path / "pool.jsonl").write_text("".join(json.dumps(c) + "\n" for c in configurations))
    np.save(tmp_path / "pool.npy", codes.astype(np.int8))
    for pool in (configurations, codes, *(str(tmp_path / f"pool.{kind}") for kind in ("json", "jsonl", "npy"))):
        assert np.array_equal(load_pool(pool, CELL)[0], codes)
    twice = np.vstack([codes[::-1], codes])
    assert np.array_equal(load_pool(twice, CELL)[0], codes[::-1])


def test_a_search_is_not_resumed_with_another_pool(tmp_path):
    pool, journal = tmp_path / "pool.npy", tmp_path / "journal.jsonl"
    codes = members(50)

    def resume(pool):
        study = Study(LaNASSearcher(CELL, LaNASConfig(pool=pool)), journal=Journal(journal))
        study.journal.close()

    np.save(pool, codes)
    resume(str(pool))
    resume(str(pool))
    np.save(pool, codes[:-1])
    with pytest.raises(JournalMismatch, match=r"pool.size: was 50, is 49; pool.sha256"):
        resume(str(pool))
    codes[0, 0] = (codes[0, 0] + 1) % 5
    np.save(pool, codes)
    with pytest.raises(JournalMismatch, match=r"search \(pool.sha256: was"):
        resume(str(pool))


def test_members_that_cannot_be_told_apart_are_refused():
    wide = space_from_json({"x": {"_type": "uniform", "_value": [0, 1000]}})
    with pytest.raises(InvalidArgument, match=r"pool\[2\] = .*told apart from pool\[0\]"):
        load_pool([{"x": 1e-7}, {"x": 1.0}, {"x": 3e-7}], wide)
    normal = space_from_json({"x": {"_type": "normal", "_value": [0, 1]}})
    with pytest.raises(InvalidArgument, match=r"pool\[1\] .*tail"):
        load_pool([{"x": -8.0}, {"x": -6.0}], normal)
    assert len(load_pool([{"x": 1.0}, {"x": 1}, {"x": 2}], wide)[0]) == 2  # 1.0 and 1 are the same


def test_a_pool_of_any_space():
    for space in SPACES.values():
        codes = space.sample_codes(np.random.default_rng(0), 40)
        configurations = space.decode(codes)
        study = Study(LaNASSearcher(space, LaNASConfig(pool=configurations, n_init=4)), seed=0)
        allowed = {space.key(c) for c in configurations}
        for _ in range(20):
            trial = study.ask()
            study.tell(trial.id, float(trial.id % 7))
        assert {space.key(trial.configuration) for trial in study.trials} <= allowed
        assert not study.counts


@pytest.mark.parametrize(
    ("pool", "field"),
    [
        ([{"edge_0": "a"}], "pool[0].edge_1"),
        ([{f"edge_{i}": "z" for i in range(6)}], "pool[0].edge_0"),
        (np.zeros((3, 5)), "pool"),
        (np.full((2, 6), 7.0), "pool[0]"),
        (np.full((2, 6), 0.5), "pool[0]"),
        (np.array([["a"] * 6]), "pool"),
        ([], "pool"),
        (17, "pool"),
        ("missing.json", "pool"),
        (iter([]), "pool"),
    ],
)
def test_a_bad_pool_is_refused_before_the_search(pool, field):
    with pytest.raises(InvalidArgument) as raised:
        LaNASSearcher(CELL, LaNASConfig(pool=pool))
    assert raised.value.field == field


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("pool.json", b'{"edge_0": "a"}', "not dict"),
        ("pool.json", b"[{", "double quotes"),
        ("pool.jsonl", b"\x80\x04", "codec"),
        ("pool.npy", b"\x80\x04]q\x00.", "pickled"),
        ("pool.npy", b"", "pool.npy"),
        ("pool.npy", b"\x93NUMPY\x01\x00v\x00{'descr'", "pool.npy"),
        ("pool.txt", b"edge_0", "Expecting value"),
    ],
)
def test_a_bad_file_is_refused_by_its_name(tmp_path, name, content, what):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidArgument, match=what) as raised:
        load_pool(str(tmp_path / name), CELL)
    assert (raised.value.field, raised.value.value) == ("pool", str(tmp_path / name))


def test_a_missing_file_is_named_in_full(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # as NNI does with a tuner
    with pytest.raises(InvalidArgument, match=str(tmp_path / "pool.npy")):
        load_pool("pool.npy", CELL)


def test_a_pickled_array_is_not_unpickled(tmp_path):
    path = tmp_path / "pool.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InvalidArgument):
        load_pool(path, CELL)


class _Corner(UniformPrior):
    def sample_codes(self, rng, n):
        codes = super().sample_codes(rng, n)
        codes[:, 0] = 1.0
        return codes


def test_a_prior_chooses_among_the_members():
    study = Study(LaNASSearcher(CELL, LaNASConfig(pool=members(2000), n_init=20), prior=_Corner(CELL)), seed=0)
    assert {study.ask().configuration["edge_0"] for _ in range(20)} == {"b"}


class _Chooser(UniformPrior):
    def guides(self, rng):
        return True

    def choose(self, codes, rng):
        return int(np.argmax(codes.sum(axis=1)))


def test_a_prior_that_chooses_is_asked_which_member():
    study = Study(LaNASSearcher(CELL, LaNASConfig(pool=members(500), n_init=5), prior=_Chooser(CELL)), seed=0)
    sums = members(500).sum(axis=1)
    drawn = [float(CELL.encode([study.ask().configuration])[0].sum()) for _ in range(5)]
    assert drawn == sorted(sums.tolist(), reverse=True)[:5]


def test_a_copy_goes_on_alike():
    study = Study(LaNASSearcher(CELL, LaNASConfig(pool=members(500))), seed=2)
    for _ in range(40):
        trial = study.ask()
        study.tell(trial.id, value(trial.configuration))
    twin = copy.deepcopy(study.searcher)
    assert twin.propose(np.random.default_rng(1)) == study.searcher.propose(np.random.default_rng(1))


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_million_members_are_routed_in_seconds():
    space = SearchSpace(tuple(Categorical(f"edge_{i}", tuple("abcde")) for i in range(10)))
    codes = np.stack(np.unravel_index(9 * np.arange(1_000_000), (5,) * 10), axis=1)
    searcher = LaNASSearcher(space, LaNASConfig(preset="paper", pool=codes))
    study = Study(searcher, seed=0)
    for _ in range(60):
        trial = study.ask()
        study.tell(trial.id, float(space.encode([trial.configuration])[0].sum()))
    start = time.process_time()
    searcher.pool.route(searcher.tree)
    assert time.process_time() - start < 10
