"""Files of architectures, in all the forms that users have them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nni_strategies.errors import InvalidArgument
from nni_strategies.nat.genotypes import DartsGenotype, sample_of
from nni_strategies.nat.input_files import divided, read_architecture, read_inputs, the_only_one
from search_spaces.handcrafted_cells import CELLS

FLAT = {f"cell/edge_{i}_{j}": "nor_conv_3x3" for i, j in ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))}
GENOTYPES = """
from collections import namedtuple
Genotype = namedtuple('Genotype', 'normal normal_concat reduce reduce_concat')
ODD = Genotype(normal=[('skip_connect', 0)], normal_concat=[2], reduce=[], reduce_concat=[])
V2 = Genotype(normal=[('skip_connect', 1), ('none', 0)], normal_concat=[2],
              reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1)], reduce_concat=[2])
V1 = Genotype([('none', 1), ('none', 0)], [2], [('none', 0), ('none', 1)], [2])
BEST = V2
"""
V2 = {"normal/op_2_0": "skip_connect", "normal/input_2_0": [1], "normal/op_2_1": "none", "normal/input_2_1": [0],
      "reduce/op_2_0": "max_pool_3x3", "reduce/input_2_0": [0],
      "reduce/op_2_1": "max_pool_3x3", "reduce/input_2_1": [1]}  # fmt: skip


@pytest.mark.parametrize(
    "given",
    [
        FLAT,
        [FLAT],
        [{"parameter": FLAT, "value": 0.9, "trialJobId": "x"}],
        [{"parameter": {**FLAT, "_shown": "input 0"}, "value": 0.9}],
        {"sample": FLAT, "model_symbol": 1},
        {"configuration": FLAT, "metric": 0.9},
    ],
)
def test_all_forms_are_read(tmp_path: Path, given: Any) -> None:
    assert read_inputs(given) == [FLAT]
    file = tmp_path / "given.json"
    file.write_text(json.dumps(given))
    assert read_inputs(file) == read_inputs(str(file)) == [FLAT]
    file.write_text("\ufeff" + json.dumps(given))  # as editors on Windows write it
    assert read_inputs(file) == [FLAT]


@pytest.mark.parametrize("content", ["", "{", "3", "[]", "[3]", '"text"'])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "given.json"
    file.write_text(content)
    with pytest.raises(InvalidArgument, match="inputs"):
        read_inputs(file)


@pytest.mark.parametrize("given", [FLAT, [FLAT], [{"parameter": FLAT, "value": 0.9}], {"sample": FLAT}])
def test_the_only_one_is_found_in_all_forms(given: Any) -> None:
    assert the_only_one(given, "--arch") == FLAT


@pytest.mark.parametrize(
    ("given", "told"), [([], "0 architectures"), ([FLAT, FLAT], "2 architectures"), ([3], "3"), (3, "3")]
)
def test_several_or_none_are_not_one(given: Any, told: str) -> None:
    with pytest.raises(InvalidArgument, match=f"--arch = .*{told}"):
        the_only_one(given, "--arch")


def samples(given: Any) -> list[Any]:
    return [sample_of(one) for one in read_inputs(given)]


@pytest.fixture
def genotypes(tmp_path: Path) -> Path:
    file = tmp_path / "genotypes.py"
    file.write_text(GENOTYPES)
    return file


@pytest.mark.parametrize("name", ["V2", "BEST"])
def test_one_genotype_of_a_file_is_named(genotypes: Path, name: str) -> None:
    genotype = read_architecture(f"{genotypes}:{name}", "--arch")
    assert isinstance(genotype, DartsGenotype) and genotype.sample == V2
    assert samples(f"{genotypes}:{name}") == [V2]  # though another in the file is none of NNI's


def test_all_genotypes_of_a_file_are_inputs_each_once(genotypes: Path) -> None:
    genotypes.write_text("\n".join(line for line in GENOTYPES.splitlines() if not line.startswith("ODD")))
    assert samples(genotypes) == [V2, {label: "none" if "/op_" in label else V2[label] for label in V2}]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("", r"--arch = \"3 genotypes\": FILE:NAME of one of ODD, V2, V1, BEST"),
        (":V3", r"--arch = \"V3\": .*did you mean 'V[12]'"),
        (":ODD", r"--arch, ODD, normal, node 2 = \"1 edges\": 2"),
    ],
)
def test_none_or_several_or_one_that_is_none_of_nni_s(genotypes: Path, name: str, told: str) -> None:
    with pytest.raises(InvalidArgument, match=told):
        read_architecture(f"{genotypes}{name}", "--arch")


def test_json_is_an_architecture_without_a_genotype(tmp_path: Path) -> None:
    file = tmp_path / "in.json"
    file.write_text(json.dumps([{"parameter": FLAT, "value": 0.9}]))
    assert read_architecture(str(file), "--arch") == FLAT


def test_a_colon_in_a_file_s_own_name_is_none_of_ours(tmp_path: Path) -> None:
    file = tmp_path / "a.py:b"
    assert divided(str(file)) == (tmp_path / "a.py", "b")
    file.write_text(GENOTYPES)
    assert divided(str(file)) == (file, None)
    assert divided("genotypes.py") == (Path("genotypes.py"), None)
    assert divided(f"{'x' * 300}.py:b") == (Path(f"{'x' * 300}.py"), "b")
    assert divided("C:/x y.json") == (Path("C:/x y.json"), None)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"Genotype(", b"[" * 100_000, b"# Genotype(\nx = 1"])
def test_a_broken_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "broken"
    file.write_bytes(content)
    with pytest.raises(InvalidArgument, match="inputs"):
        read_inputs(file)
    with pytest.raises(InvalidArgument, match="--arch"):
        read_architecture(str(file), "--arch")
    with pytest.raises(InvalidArgument, match=r"--arch = .*nowhere"):
        read_architecture(str(tmp_path / "nowhere.json"), "--arch")
    with pytest.raises(InvalidArgument, match=r"--arch = .*xxx"):
        read_architecture(f"{'x' * 300}:NAME", "--arch")


def test_what_is_in_json_has_no_name(tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text(json.dumps(FLAT))
    for read in (read_inputs, lambda path: read_architecture(path, "inputs")):
        with pytest.raises(InvalidArgument, match='inputs = "V2": no name'):
            read(f"{tmp_path}/in.json:V2")


def test_the_published_cell_of_darts_in_its_authors_form(tmp_path: Path) -> None:
    text = """Genotype(
        normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1),
                ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)],
        normal_concat=range(2, 6),
        reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1),
                ('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)],
        reduce_concat=range(2, 6))"""
    file = tmp_path / "log.txt"
    file.write_text(text)
    assert samples(file) == [CELLS["DARTS"].sample]
