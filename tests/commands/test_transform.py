"""``nni_strategies transform``: NNI's exported architecture in, one that NNI builds out; what it says and refuses."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from nni_strategies.cli import build, main
from nni_strategies.errors import NNIStrategiesError
from nni_strategies.nat import policy_file
from nni_strategies.nat.counter import count
from nni_strategies.nat.genotypes import DartsGenotype, read_genotype
from nni_strategies.nat.moves_of_space import moves_of_space
from nni_strategies.nat.policy.make import make_policy
from nni_strategies.space.parameters import Categorical
from nni_strategies.space.search_space import SearchSpace
from nni_strategies.supernet import checkpoint
from nni_strategies.supernet.network import Supernet
from search_spaces.handcrafted_cells import CELLS
from tests.hub_spaces import hub

# isort: split
from nni.nas.hub.pytorch.nasnet import NDS
from nni.nas.space import model_context

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.timeout(120)]

SIZE = {"width": 8, "num_cells": 3}
SAMPLE = CELLS["DARTS"].sample


def dilated(configuration: dict[str, Any]) -> float:
    """How many operations are dilated convolutions, less those that are null."""
    operations = [value for label, value in configuration.items() if "/op_" in label]
    return sum(name.startswith("dil") for name in operations) - 1.5 * operations.count("none")


def no_number(configuration: dict[str, Any]) -> float:
    return math.nan


def triangle() -> SearchSpace:
    operations = ("none", "skip_connect", "conv_3x3")
    return SearchSpace(tuple(Categorical(f"cell/{i}_{j}", operations) for i, j in ((0, 1), (0, 2), (1, 2))))


def skips(configuration: dict[str, Any]) -> float:
    return float(list(configuration.values()).count("skip_connect"))


def batches() -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    return [(torch.randn(8, 3, 32, 32, generator=generator), torch.arange(8) % 10)]


def widened(operations: list[str] = ["none"]) -> NDS:  # noqa: B006  # nobody changes it
    return NDS([*hub.DARTS.DARTS_OPS, *operations], num_nodes_per_cell=4, dataset="cifar", **SIZE)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "in.json").write_text(json.dumps(SAMPLE))
    return tmp_path


def words(folder: Path, *more: object) -> list[str]:
    space = ["--space", "nni.nas.hub.pytorch:DARTS", "--space-kwargs", json.dumps(SIZE), "--widen", "none"]
    return ["transform", *space, "--arch", f"{folder}/in.json", "--out", f"{folder}/out.json", *map(str, more)]


SCORED = ("--scorer", f"{__name__}:dilated", "--queries", 5, "--k", 2)


def run(*arguments: Any) -> str:
    result = CliRunner().invoke(build(), words(*arguments))
    if result.exception is not None:
        raise result.exception
    return result.output


def test_the_hubs_cell_comes_out_as_nni_builds_it(files):
    said = run(files, *SCORED, "--queries", 20, "--result", files / "result.json", "--report", files / "page.html")
    after = json.loads((files / "out.json").read_text())
    with torch.device("meta"), model_context(after):
        network = widened()
    told = json.loads((files / "result.json").read_text())
    assert count(network, (3, 32, 32))._asdict() == told["cost_after"]
    with model_context(after):
        assert widened()(torch.randn(2, 3, 32, 32)).shape == (2, 10)
    for name in ("madds", "params"):
        before, cost = told["cost_before"][name], told["cost_after"][name]
        assert cost <= before and f"{before:,}" in said and f"{cost:,}" in said
    assert told["score_after"] == dilated(after) > dilated(SAMPLE) == told["score_before"]
    assert {k for k in SAMPLE if SAMPLE[k] != after[k]} == {change["label"] for change in told["changed"]}
    assert f"{len(told['changed'])} edges changed" in said
    assert {path.name for path in files.iterdir()} == {"in.json", "out.json", "result.json", "page.html"}
    assert all(change["label"] in (files / "page.html").read_text() for change in told["changed"])
    assert len(told["scores"]) == told["evaluations"] and max(told["scores"]) == told["score_after"]
    assert told["scores"][told["queried"]] == told["score_before"]  # the architecture itself comes after the queries


@pytest.mark.parametrize("mode", ["nominal", "live"])
def test_what_reaches_an_output_costs_no_more_either_on_request(files, mode: str):
    idle = SAMPLE | {label: "none" for label in SAMPLE if label.startswith("normal/op_")}
    for node in (3, 4, 5):  # they read node 2, which gets nothing, until one of its nulls becomes a skip
        idle |= {f"normal/op_{node}_0": "sep_conv_5x5", f"normal/input_{node}_0": [2]}
    idle |= {"normal/op_5_1": "skip_connect", "normal/input_5_1": [0]}
    (files / "in.json").write_text(json.dumps(idle))
    said = run(files, *SCORED, "--cost-mode", mode, "--result", files / "result.json")
    told = json.loads((files / "result.json").read_text())
    assert "of what reaches an output" in said
    assert told["live_before"]["madds"] < told["cost_before"]["madds"] >= told["cost_after"]["madds"]
    assert (told["live_after"]["madds"] > told["live_before"]["madds"]) == (mode == "nominal")


def test_what_nni_exports_is_read_and_several_are_refused(files):
    run(files, *SCORED)
    expected = (files / "out.json").read_text()
    (files / "in.json").write_text(json.dumps([{"parameter": SAMPLE, "value": 0.9, "id": "x"}]))
    run(files, *SCORED, "--force")
    assert (files / "out.json").read_text() == expected
    (files / "in.json").write_text(json.dumps([SAMPLE, SAMPLE]))
    with pytest.raises(NNIStrategiesError, match=r"--arch = .*2 architectures"):
        run(files, *SCORED, "--force")


def test_a_genotype_of_darts_comes_out_as_one(files):
    file, out = files / "genotypes.py", files / "found-2.py"
    concat = {"normal": (2, 3, 4, 5), "reduce": (2, 3, 4, 5)}
    file.write_text("A = 1\n" + DartsGenotype(SAMPLE, concat, frozenset({"all"})).text("V2"))
    run(files, *SCORED)
    expected = json.loads((files / "out.json").read_text())
    said = run(files, *SCORED, "--arch", f"{file}:V2", "--out", out, "--report", files / "page.html")
    assert str(out) in said
    found = read_genotype(out.read_text(), "found_2", "x")
    assert (found.sample, found.concat) == (expected, concat)
    run(files, *SCORED, "--arch", f"{file}:V2", "--out", files / "class.PY")
    assert read_genotype((files / "class.PY").read_text(), "class_", "x") == found
    loose = {"normal": (3, 4, 5), "reduce": (3, 4, 5)}  # node 2 is read by another, in both cells
    file.write_text(DartsGenotype(SAMPLE, loose, frozenset()).text("V2"))
    there = sorted(files.iterdir())
    with pytest.raises(NNIStrategiesError, match=r"architecture, concat = .*merge_op 'all'"):
        run(files, *SCORED, "--arch", f"{file}:V2", "--out", files / "loose.py")
    assert sorted(files.iterdir()) == there
    assert "genotypes.py:V2 transformed" in (files / "page.html").read_text()


def test_a_supernet_scores_and_a_policy_is_used_again(files):
    supernet = Supernet.built(widened)
    checkpoint.save(files / "supernet.safetensors", supernet)
    policy = files / "policy.safetensors"
    scored = ["--supernet", files / "supernet.safetensors", "--batches", f"{__name__}:batches"]
    run(files, *scored, "--queries", 4, "--k", 1, "--save-policy", policy)
    said = run(files, *scored, "--queries", 0, "--k", 2, "--policy", policy, "--force")
    assert "3 architectures scored" in said


@pytest.mark.parametrize(
    ("change", "more", "message"),
    [
        ({"normal/op_2_0": "sep_conv_9x9"}, (), r"SampleValidationError.*did you mean 'sep_conv_\dx\d'"),
        ({"normal/input_2_0": [2]}, (), r"architecture\[normal/input_2_0\]"),
        ({"normal/op_6_0": "none"}, (), "normal/op_6_0"),
        ({label: "none" for label in SAMPLE if "reduce/op" in label}, (), "the cell is dead"),
        ({}, ("--scorer", f"{__name__}:no_number"), "scorer = NaN: a finite number"),
        ({}, ("--scorer", f"{__name__}:dilate"), "did you mean 'dilated'"),
        ({}, ("--scorer", "nowhere:f"), "nowhere"),
        ({}, ("--rule", "nat+"), r"did you mean 'nat\+\+'"),
        ({}, ("--widen", "nul"), "widen"),
        ({}, ("--space-kwargs", '{"widht": 3}'), "widht"),
        ({}, ("--space-kwargs", "{"), "a JSON object"),
        ({}, ("--queries", "0"), "queries = 0"),
        ({}, ("--supernet", "s"), "--scorer"),
        ({}, ("--input-shape", "3,32,x"), "--input-shape"),
        ({}, ("--arch", "/nowhere.json"), "--arch"),
    ],
)
def test_bad_input_is_one_message_and_no_file(files, change, more, message):
    (files / "in.json").write_text(json.dumps({**SAMPLE, **change}))
    with pytest.raises(NNIStrategiesError, match=message):
        run(files, *SCORED, *more)
    assert {path.name for path in files.iterdir()} == {"in.json"}


def broken() -> SearchSpace:
    raise RuntimeError("no such space")


def failing(configuration: dict[str, Any]) -> float:
    raise RuntimeError("out of paper")


def test_bad_input_of_any_kind_is_exit_code_2_without_traceback(tmp_path, monkeypatch, capsys):
    """On a space of labels, so that many are tried: arguments, what the user's code does, and where results go."""
    edges = [f"cell/{i}_{j}" for i, j in ((0, 1), (0, 2), (1, 2))]
    (tmp_path / "in.json").write_text(json.dumps(dict.fromkeys(edges, "conv_3x3")))
    (tmp_path / "costs.json").write_text('{"conv_3x3": [9, 9]}')
    (tmp_path / "empty.json").write_text("")
    (tmp_path / "bytes.json").write_bytes(bytes(range(128, 256)))
    cell = "Genotype(normal=[('none', 0), ('none', 1)], reduce=[('none', 0), ('none', 1)])"
    (tmp_path / "cells.py").write_text(f"A = {cell}\nB = {cell}\n")
    monkeypatch.chdir(tmp_path)
    cell = SearchSpace(tuple(Categorical(f"cell/{i}_{j}", ("none", "conv_5x5")) for i, j in ((0, 1), (0, 2), (1, 2))))
    elsewhere = moves_of_space(cell, costs={"conv_5x5": [1, 1]}).transitions.view
    learned = policy_file.Learned(make_policy("lstm", elsewhere), elsewhere, "lstm", 64)
    policy_file.save(tmp_path / "other.policy", learned)
    there = sorted(path.name for path in tmp_path.iterdir())
    good = {"--space": f"{__name__}:triangle", "--arch": "in.json", "--out": "out.json", "--costs": "costs.json"}
    good |= {"--scorer": f"{__name__}:skips", "--queries": "5", "--k": "1"}
    for option, value, message in (
        ("--arch", "empty.json", "JSON, or Python that assigns genotypes"),
        ("--arch", "bytes.json", "a file of text"),
        ("--arch", "costs.json", "there is none for cell/0_1"),
        ("--arch", "cells.py", '"2 genotypes": FILE:NAME of one of A, B'),
        ("--arch", "cells.py:C", '"C": FILE:NAME of one of A, B'),
        ("--arch", "cells.py:A", "there is none for cell/0_1"),
        ("--out", "out.py", "only what --arch has as a genotype"),
        ("--costs", "empty.json", "a JSON object"),
        ("--space", f"{__name__}:broken", "no such space"),
        ("--space", f"{__name__}:skips", "--space-kwargs"),
        ("--space", f"{__name__}:dilated", "--space-kwargs"),
        ("--scorer", f"{__name__}:failing", "out of paper"),
        ("--scorer", f"{__name__}:no_number", "a finite number"),
        ("--out", "in.json/out.json", "--out"),
        ("--result", "out.json", "another option has this one"),
        ("--policy", "bytes.json", "a whole file of a policy"),
        ("--policy", "other.policy", "a policy of this space, which has no conv_5x5"),
        ("--seed", "-1", "seed = -1"),
        ("--op-classes", "[]", "--op-classes"),
    ):
        given = [word for pair in (good | {option: value}).items() for word in pair]
        monkeypatch.setattr("sys.argv", ["nni_strategies", "transform", *given])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr().err
        assert ended.value.code == 2 and said.startswith("error: ") and message in said, (option, value, said)
        assert "Traceback" not in said and sorted(path.name for path in tmp_path.iterdir()) == there


def test_nothing_but_the_message_is_said(files):
    """In a process of its own, since NNI warns of new classes of torch when it is imported."""
    (files / "in.json").write_text("{}")
    program = [sys.executable, "-m", "nni_strategies.cli", *words(files, "--scorer", f"{__name__}:dilated")]
    done = subprocess.run(program, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: architecture") and len(done.stderr.splitlines()) == 1


def test_a_folder_is_no_file_to_write_over(files):
    (files / "out.json").mkdir()
    with pytest.raises(NNIStrategiesError, match=r"--out = .*a file; this is a folder"):
        run(files, *SCORED, "--force")


def test_queries_that_were_not_spent_are_mentioned(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.json").write_text(json.dumps({"cell/0_1": "none", "cell/0_2": "skip_connect", "cell/1_2": "none"}))
    (tmp_path / "costs.json").write_text('{"conv_3x3": [9, 9]}')
    given = ["--space", f"{__name__}:triangle", "--arch", "in.json", "--out", "best/out.json", "--costs", "costs.json"]
    given += ["--scorer", f"{__name__}:skips", "--queries", "7", "--k", "0"]  # 8 outputs, 5 of them alive
    result = CliRunner().invoke(build(), ["transform", *given], catch_exceptions=False)
    assert "2 queries were not spent" in result.output and "5 architectures scored" in result.output
    assert json.loads((tmp_path / "best" / "out.json").read_text()) == dict.fromkeys(
        ("cell/0_1", "cell/0_2", "cell/1_2"), "skip_connect"
    )


def test_a_misspelt_label_is_named_with_the_nearest(files):
    sample = {("normal/op2_0" if label == "normal/op_2_0" else label): value for label, value in SAMPLE.items()}
    (files / "in.json").write_text(json.dumps(sample))
    with pytest.raises(NNIStrategiesError, match=r"normal/op2_0.*did you mean 'normal/op_2_0'"):
        run(files, *SCORED)


def test_a_file_that_is_there_is_left_as_it_is(files):
    (files / "out.json").write_text("mine")
    with pytest.raises(NNIStrategiesError, match="--force"):
        run(files, *SCORED)
    assert (files / "out.json").read_text() == "mine"


def test_the_operation_is_added_once_and_to_cell_spaces_alone():
    from nni_strategies.errors import InvalidArgument
    from nni_strategies.nat.model_space.widen import widened as widen

    choosing = widen(hub.DARTS(), "none")
    assert choosing.op_candidates == [*hub.DARTS.DARTS_OPS, "none"]
    assert choosing.check_contains({**SAMPLE, "width": 24, "depth": 8}) is None
    assert widen(choosing, "none").op_candidates == choosing.op_candidates
    with pytest.raises(InvalidArgument, match="a cell space"):
        widen(hub.NasBench201(), "none")
