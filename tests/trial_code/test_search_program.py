"""What search programs share: their options, and what is refused."""

from __future__ import annotations

import pytest
import torch

from nni_strategies.errors import InvalidArgument
from trial_code import search_program, train_nasnet

pytestmark = pytest.mark.timeout(60)  # nni.nas is imported


def read(*words: str, **more):
    parser = search_program.parser_of("A search.", trials=7, concurrency=2, gpus=1)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--depth", type=int, default=4)
    return search_program.parsed(parser, list(words), **more)


def test_options_and_what_follows_them():
    given, rest = read("--trials", "3", "--", "--epochs", "2", "--", "x")
    assert (given.trials, given.concurrency, given.gpus, given.seed) == (3, 2, 1, 0)
    assert given.port is None and given.resume is None
    assert rest == ["--epochs", "2", "--", "x"]
    assert read()[1] == []


def test_small_changes_defaults_only():
    small = {"trials": 2, "gpus": 0}
    given, _ = read("--small", "--trials", "5", small=small)
    assert (given.trials, given.gpus) == (5, 0)
    assert read("--", "--small", small=small)[0].trials == 7  # the training script's


@pytest.mark.parametrize("words", [["--trials", "0"], ["--concurrency", "0"], ["--gpus", "-1"], ["--depth", "1"]])
def test_numbers_that_are_too_small(words):
    with pytest.raises(InvalidArgument, match=f"{words[0]} = {words[1]}: an integer of at least"):
        read(*words, least={"depth": 2})


def test_gpus_that_are_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    search_program.check_gpus(read("--gpus", "1")[0])
    with pytest.raises(InvalidArgument, match="--gpus = 2: at most 1, which torch finds here"):
        search_program.check_gpus(read("--gpus", "2")[0])


@pytest.mark.parametrize("name", ["arch", "checkpoint"])
def test_what_all_candidates_would_share(name):
    given = train_nasnet.options(["--data", "npz:x", f"--{name}", "file"])
    with pytest.raises(InvalidArgument, match=f'--{name} = "file": absent'):
        search_program.seen_from_here(given)
    assert search_program.seen_from_here(train_nasnet.options(["--data", "npz:x"])).device == "cpu"
