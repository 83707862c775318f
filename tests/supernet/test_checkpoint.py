"""A supernet's file: what it holds, what is refused, and that a kill leaves the old or the new one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from nni_strategies.errors import DataMissing, InvalidArgument
from nni_strategies.supernet import checkpoint as files
from nni_strategies.supernet.network import Supernet
from nni_strategies.supernet.training import ImageBatches, Recipe, train
from search_spaces.digits_cell_nas import DigitsCellSpace
from tests.supernet.spaces import Chain, Choosy

BATCHES = ImageBatches(torch.randn(8, 1, 8, 8), torch.arange(8) % 3, 4)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "supernet.safetensors"


def test_weights_come_back(path: Path):
    one, other = Supernet.built(Chain, 0), Supernet.built(Chain, 1)
    files.save(path, one, {"recipe": {"epochs": 3}}, epochs=3)
    header = files.load(path, other)
    assert all(torch.equal(a, b) for a, b in zip(one.network.parameters(), other.network.parameters(), strict=True))
    assert header["space"] == one.space.hash
    assert header["description"] == {"recipe": {"epochs": 3}}
    assert header["epochs"] == 3


def test_momenta_are_kept_until_the_end(path: Path):
    kept = []

    def look(epoch: int, loss: float) -> None:
        with safe_open(path, "pt") as file:
            kept.append(sum(name.startswith("momentum/") for name in file.keys()))  # noqa: SIM118

    train(Supernet.built(Chain), BATCHES, Recipe(epochs=2), checkpoint=path, after_epoch=look)
    assert kept[0] > 0 == kept[1]


def test_a_write_that_fails_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch):
    files.save(path, Supernet.built(Chain, 0))
    before = path.read_bytes()

    def half(tensors: object, file: Path, metadata: object) -> None:
        file.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(files, "save_file", half)
    with pytest.raises(OSError, match="no space"):
        files.save(path, Supernet.built(Chain, 1))
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("place", ["file/supernet.safetensors", "."])
def test_a_place_where_nothing_can_be_written_is_refused_before_the_training(place: str, tmp_path: Path):
    (tmp_path / "file").write_text("here")
    done: list[int] = []
    with pytest.raises(InvalidArgument, match=r"^checkpoint = "):
        train(
            Supernet.built(Chain), BATCHES, Recipe(epochs=1), checkpoint=tmp_path / place,
            after_epoch=lambda epoch, loss: done.append(epoch),
        )  # fmt: skip
    assert done == []


def test_another_space_or_size_is_refused_and_nothing_is_loaded(path: Path):
    files.save(path, Supernet.built(Chain))
    for supernet, told in (
        (Supernet.built(Choosy), "has no label 'listed'|has no 'width'|has no label 'named'"),
        (Supernet.built(DigitsCellSpace), "has no label"),
        (Supernet.built(lambda: Chain(channels=6)), r"width and depth: 'stem.weight' is \[4, 1, 3, 3\] in the file"),
        (Supernet.built(lambda: Chain(n_classes=4)), r"'classifier.weight' is \[3, 4\] in the file, \[4, 4\]"),
    ):
        before = {name: tensor.clone() for name, tensor in supernet.network.state_dict().items()}
        with pytest.raises(InvalidArgument, match=told):
            files.load(path, supernet)
        assert all(torch.equal(tensor, before[name]) for name, tensor in supernet.network.state_dict().items())


def test_other_values_of_a_label_are_named(path: Path):
    supernet = Supernet.built(Chain)
    files.save(path, supernet)
    with safe_open(path, "pt") as file:
        header = json.loads(file.metadata()["supernet"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    header["search_space"]["parameters"][0]["choices"].append("five")
    save_file(tensors, path, {"supernet": json.dumps({**header, "space": "another"})})
    with pytest.raises(InvalidArgument, match=r"'\w+' is .*five.* there"):
        files.load(path, supernet)


def test_another_training_is_refused(path: Path):
    train(Supernet.built(Chain), BATCHES, Recipe(epochs=1), checkpoint=path, about={"data": "a"})
    for recipe, about, told in ((Recipe(epochs=2), "a", "epochs = 2: recipe as in .*, 1,"),
                                (Recipe(epochs=1), "b", 'data = "b": about as in .*"a"')):  # fmt: skip
        with pytest.raises(InvalidArgument, match=told):
            train(Supernet.built(Chain), BATCHES, recipe, checkpoint=path, about={"data": about})


@pytest.mark.parametrize(
    "content",
    [b"", b"\x80\x04junk that is no safetensors file at all", None, "null", '{"version": 1}', "[" * 100_000,
     '{"version": 1, "space": "a", "search_space": [], "epochs": 1, "description": {}}',
     '{"version": 1, "space": "a", "search_space": {"parameters": [{}]}, "epochs": 1, "description": {}}'],
)  # fmt: skip
def test_what_is_no_supernet_is_refused(path: Path, content: bytes | str | None):
    if content is None:  # cut off
        files.save(path, Supernet.built(Chain))
        path.write_bytes(path.read_bytes()[:-10])
    elif isinstance(content, str):
        save_file({"a": torch.zeros(1)}, path, {"supernet": content})
    else:
        path.write_bytes(content)
    with pytest.raises(InvalidArgument, match=r"supernet = .*(whole file|this version)"):
        files.load(path, Supernet(Chain()))


def test_no_file_is_said_so(path: Path):
    with pytest.raises(DataMissing, match=r"no supernet at .*supernet\.safetensors"):
        files.load(path, Supernet(Chain()))
