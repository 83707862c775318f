"""experiments/nat_darts_cifar10 and nat_resnet_cifar10: all steps in small, what they refuse, and the table."""

from __future__ import annotations

import importlib.util
import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nni_strategies.errors import DataMissing, InvalidArgument
from nni_strategies.nat.moves_of_space import moves_of_space
from nni_strategies.supernet import checkpoint
from tests.trial_code.test_cifar10_teacher import saved_images
from trial_code import nat_program, nat_table

ROOT = Path(__file__).resolve().parents[2] / "experiments"
TINY = ["--", "--max-steps", "1", "--batch-size", "4"]

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.timeout(180)]


def program(name: str) -> nat_program.Program:
    spec = importlib.util.spec_from_file_location(name, ROOT / name / "search.py")
    assert spec is not None and spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: nat_program.Program = module.PROGRAM
    return found


@pytest.fixture
def step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    data = f"npz:{saved_images(tmp_path / 'images.npz')}"
    folder = tmp_path / "run"
    monkeypatch.setattr(nat_program, "_SMALL_HOLDOUT", 40)

    def do(of: nat_program.Program, *words: str) -> None:
        first, *rest = words
        given = ["--small", "--data", data, "--device", "cpu", "--folder", str(folder), "--queries", "3", "--k", "1"]
        nat_program.run(of, *nat_program.read_options("", [first, *given, *rest]))

    return do


@pytest.mark.parametrize("name", ["nat_darts_cifar10", "nat_resnet_cifar10"])
def test_the_steps_end_with_a_table_of_both_networks(name, step, tmp_path):
    of = program(name)
    folder = tmp_path / "run"
    step(of, "retrain", "--network", "original", *TINY)  # it need not wait for the supernet
    with pytest.raises(DataMissing, match="supernet"):
        step(of, "transform")
    step(of, "supernet", *TINY)
    weights = (folder / nat_program.SUPERNET).read_bytes()
    step(of, "supernet", *TINY)  # at its end already
    assert (folder / nat_program.SUPERNET).read_bytes() == weights
    step(of, "transform")
    with pytest.raises(DataMissing, match="both networks"):
        step(of, "table")
    step(of, "retrain", "--network", "transformed", *TINY)
    step(of, "table")
    rows = [json.loads((folder / f"{network}-0.json").read_text()) for network in nat_table.NETWORKS]
    assert rows[1]["params"] <= rows[0]["params"] and rows[1]["madds"] <= rows[0]["madds"]
    found = json.loads((folder / "transform.json").read_text())
    assert found["scoring_images"] == found["checking_images"] == 20
    assert found["cost_before"] == {"madds": rows[0]["madds"], "params": rows[0]["params"]}
    assert found["score_after"] >= found["score_before"]
    text = (folder / "table.md").read_text()
    assert f"{rows[0]['params']:,}" in text and "no result" in text
    assert ("cells" in text) == of.sized
    step(of, "retrain", "--network", "transformed", "--seed", "1", "--epochs", "2", *TINY)
    with pytest.raises(InvalidArgument, match="transformed-1"):
        step(of, "table")


def test_a_supernet_of_the_outputs_alone_learns_no_other_paths(step, tmp_path, monkeypatch):
    of, learned = program("nat_darts_cifar10"), []
    train = nat_program.train

    def kept(supernet: Any, *given: Any, paths: Any, **more: Any) -> None:
        learned.extend(paths(supernet.space, np.random.default_rng(0), 200))
        train(supernet, *given, paths=paths, **more)

    monkeypatch.setattr(nat_program, "train", kept)
    step(of, "supernet", "--paths", "outputs", "--kept", "0.25", "--rule", "nat", *TINY)
    moves = moves_of_space(of.space(Namespace(width=4, cells=3), None), "nat", input_shape=(3, 32, 32))
    given = moves.configuration(moves.read(of.before))
    view, transitions = moves.transitions.view, moves.transitions
    parents, children = view.encode([given] * 200), view.encode(learned)
    assert transitions.valid(parents, children).all()
    assert len(set(children.keys())) > 190
    with pytest.raises(InvalidArgument, match='--rule = "cost": nat'):
        step(of, "transform", "--rule", "cost")
    with pytest.raises(InvalidArgument, match="paths"):  # another supernet than that of the file
        step(of, "supernet", *TINY)
    step(of, "transform", "--rule", "nat")
    for network in nat_table.NETWORKS:
        step(of, "retrain", "--network", network, *TINY)
    step(of, "table")
    assert "test accuracy alone" in (tmp_path / "run" / "table.html").read_text()
    told = (tmp_path / "run" / "table.md").read_text()
    assert "of them queries" in told and "what the original can become" in told and "25% of the edges kept" in told


@pytest.mark.parametrize("words", [("--kept", "1", "--paths", "outputs"), ("--kept", "0.5")])
def test_a_share_of_edges_that_is_no_share_or_of_the_whole_space_is_refused(step, words):
    with pytest.raises(InvalidArgument, match="--kept"):
        step(program("nat_darts_cifar10"), "supernet", *words, *TINY)


def test_a_supernet_that_is_not_at_its_end_is_refused(step, tmp_path, monkeypatch):
    of = program("nat_darts_cifar10")
    step(of, "supernet", *TINY)
    header = checkpoint.read_header(tmp_path / "run" / nat_program.SUPERNET)
    header["description"]["recipe"]["epochs"] = 9
    monkeypatch.setattr(checkpoint, "read_header", lambda path: header)
    with pytest.raises(InvalidArgument, match="9 epochs, of which 1 are done"):
        step(of, "transform")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["retrain"], "--network"),
        (["transform", "--k", "0"], "--k"),
        (["transform", "--", "--lr", "1"], "--"),
        (["supernet", "--", "--drop-path", "0.1"], "--drop-path"),
        (["retrain", "--network", "original", "--", "--holdout", "5"], "--holdout"),
        (["supernet", "--data", "npz:/nowhere"], "nowhere"),
        (["supernet", "--", "--holdout", "0"], "--holdout = 0: 4 at least"),  # or test images would choose
    ],
)
def test_bad_options_are_refused(step, words, message):
    with pytest.raises((InvalidArgument, DataMissing), match=message):
        step(program("nat_darts_cifar10"), *words)


@pytest.mark.parametrize(("n", "sizes"), [(1002, [251, 250]), (2000, [500, 500]), (5, [2])])
def test_no_half_has_a_batch_of_one(n: int, sizes: list[int]):
    class HeldOut:
        def valid_batches(self) -> Any:
            yield torch.arange(float(n))[:, None], torch.arange(n)

    first, second = nat_program.halves(HeldOut())  # type: ignore[arg-type]
    assert [len(labels) for _, labels in first] == sizes
    assert torch.equal(torch.cat([labels for _, labels in [*first, *second]]), torch.arange(n))


def test_a_resnet_has_a_size_of_its_own(step):
    with pytest.raises(InvalidArgument, match="--width"):
        step(program("nat_resnet_cifar10"), "supernet", "--", "--width", "8")
