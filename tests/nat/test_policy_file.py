"""Files of policies: what comes back, what is refused, and that nothing is written half-way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from nni_strategies.errors import DataMissing, InvalidArgument
from nni_strategies.nat import policy_file
from nni_strategies.nat.policy.make import POLICIES, make_policy
from tests.nat.edge_spaces import nasbench201

VIEW = nasbench201()


def learned(name: str = "line_graph", hidden: int = 8, seed: int = 0) -> policy_file.Learned:
    return policy_file.Learned(make_policy(name, VIEW, seed, hidden), VIEW, name, hidden)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "policy.safetensors"


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_comes_back(name: str, path: Path):
    one = learned(name, 4)
    policy_file.save(path, one)
    other = policy_file.load(path, VIEW)
    assert (other.name, other.hidden, other.checksum) == (name, 4, one.checksum)
    operations = torch.randint(0, 5, (3, 6), generator=torch.Generator().manual_seed(0))
    sources = torch.tensor([[0, 0, 1, 0, 1, 2]]).repeat(3, 1)
    assert torch.equal(one.policy(operations, sources), other.policy(operations, sources))
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_the_checksum_is_of_the_weights():
    assert learned(seed=1).checksum == learned(seed=1).checksum != learned(seed=2).checksum


WHOLE = {"version": 1, "space": VIEW.space.hash, "operations": list(VIEW.operations), "name": "table", "hidden": 8}


@pytest.mark.parametrize(
    "change",
    [{"version": 2}, {"name": "tabel"}, {"name": ["table"]}, {"hidden": 0}, {"hidden": 1.5}, {"hidden": True},
     {"hidden": 1 << 40}, {"operations": "none"}, {"operations": [1]}, {"more": 1}],
)  # fmt: skip
def test_what_is_no_policy_is_refused(change: dict[str, Any], path: Path):
    path.parent.mkdir()
    save_file({"a": torch.zeros(1)}, path, {"policy": json.dumps({**WHOLE, **change})})
    with pytest.raises(InvalidArgument, match="a file of a policy that this version"):
        policy_file.load(path, VIEW)


@pytest.mark.parametrize("content", [b"", b"junk that is no safetensors file", None, "[" * 100_000])
def test_a_broken_file_is_refused(content: bytes | str | None, path: Path):
    policy_file.save(path, learned())
    if isinstance(content, str):
        save_file({"a": torch.zeros(1)}, path, {"policy": content})
    else:
        path.write_bytes(path.read_bytes()[:-10] if content is None else content)
    with pytest.raises(InvalidArgument, match=r"policy = .*a whole file"):
        policy_file.load(path, VIEW)


def test_other_weights_than_the_header_says_are_refused(path: Path):
    path.parent.mkdir()
    save_file({"a": torch.zeros(1)}, path, {"policy": json.dumps(WHOLE)})
    with pytest.raises(InvalidArgument, match="the weights of a table policy"):
        policy_file.load(path, VIEW)
    with pytest.raises(DataMissing, match="no policy at"):
        policy_file.load(path.with_name("none"), VIEW)


def test_a_write_that_fails_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch):
    policy_file.save(path, learned())
    before = path.read_bytes()

    def half(tensors: object, file: Path, metadata: object) -> None:
        file.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(policy_file, "save_file", half)
    with pytest.raises(OSError, match="no space"):
        policy_file.save(path, learned(seed=1))
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
