from __future__ import annotations

import json
import os
import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nni_strategies.compat import load_torchvision
from nni_strategies.errors import InvalidArgument
from nni_strategies.report.best import best_json, best_program, write_atomically, write_best
from nni_strategies.report.records import ExperimentRecord, TrialRecord

SAMPLE = {
    "cell/0_1": "conv_1x1",
    "cell/0_2": "none",
    "cell/1_2": "skip_connect",
    "cell/0_3": "conv_3x3",
    "cell/1_3": "none",
    "cell/2_3": "avg_pool_3x3",
}


def record(model_space: dict[str, Any] | None, configuration: dict[str, Any], **fields: Any) -> ExperimentRecord:
    trials = (
        TrialRecord(0, {}, metric=0.1, status="finished"),
        TrialRecord(1, configuration, metric=0.5, metrics={"default": 0.5, "params": 7}, status="finished"),
    )
    return ExperimentRecord("abcd1234", "x", True, "LaNAS", {}, 3, trials, model_space=model_space, **fields)


def test_best_json(make_record, tmp_path: Path) -> None:
    (path,) = write_best(make_record([0.3, 0.1, None], maximize=False), tmp_path)
    content = json.loads(path.read_text())
    assert (content["trial"], content["metric"], content["optimize_mode"]) == (1, 0.1, "minimize")
    assert content["configuration"]["cell.edge_0_1"] == "skip_connect"
    assert (content["experiment"], content["nni_trials"], content["metrics"]["params"]) == ("abcd1234", ["J1"], 100)
    with pytest.raises(InvalidArgument, match="at least one finished trial"):
        write_best(make_record([None]), tmp_path)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_atomically(tmp_path / "best.json", "old")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["best.json"]


def test_lone_surrogates_are_written_as_escapes(tmp_path: Path) -> None:
    path = write_atomically(tmp_path / "best.py", "é\ud800")
    assert path.read_bytes() == "é".encode() + b"\\ud800"


@pytest.mark.slow
@pytest.mark.timeout(90)  # nni.nas and torch are imported
def test_best_py_rebuilds_a_model_of_the_hub(tmp_path: Path) -> None:
    load_torchvision()
    import nni
    import torch
    from nni.nas.evaluator import FunctionalEvaluator
    from nni.nas.hub.pytorch import NasBench201
    from nni.nas.space import SimplifiedModelSpace

    space = NasBench201(stem_out_channels=4, num_modules_per_stack=1, num_labels=7)
    proposed = SimplifiedModelSpace.from_model(space, FunctionalEvaluator(nni.trace(max))).freeze(SAMPLE)
    written = json.loads(nni.dump(proposed))  # what NNI writes into its database
    paths = write_best(record(written, SAMPLE), tmp_path)
    assert [path.name for path in paths] == ["best.json", "best.py"]
    model = runpy.run_path(str(paths[1]))["build"]()
    wanted = space.freeze(SAMPLE)
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    assert shapes == {name: value.shape for name, value in wanted.state_dict().items()}
    assert model.eval()(torch.zeros(2, 3, 8, 8)).shape == (2, 7)


def test_best_py_has_the_labels_that_are_not_used_too() -> None:
    space = {"model_symbol": {"__nni_type__": "path:my_space.Net"}}
    whole = {"depth": 1, "layer0": "conv", "layer1": "pool"}
    of_nni = record(space, {"depth": 1, "layer0": "conv"})
    best = replace(of_nni.trials[1], sample=whole)
    program = best_program(replace(of_nni, trials=(of_nni.trials[0], best)))
    assert f"CONFIGURATION = {whole}" in str(program)
    assert best_json(of_nni)["configuration"] == {"depth": 1, "layer0": "conv"}


def test_a_module_beside_the_trials_is_found(tmp_path: Path) -> None:
    (tmp_path / "my_space.py").write_text("")
    space = {"model_symbol": {"__nni_type__": "path:my_space.Net"}, "model_args": [3], "model_kwargs": {"k": [1, 2]}}
    program = best_program(record(space, {"op": "conv"}, code_directory=tmp_path))
    assert program is not None
    assert f"sys.path += ['{tmp_path}']" in program
    assert "MODULE, CLASS = 'my_space', 'Net'" in program
    assert "ARGUMENTS = [3]" in program
    compile(program, "best.py", "exec")
    elsewhere = best_program(record(space, {"op": "conv"}, code_directory=tmp_path / "none"))
    assert "sys.path += []" in str(elsewhere)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"model_symbol": {"__nni_type__": "bytes:gASVDAAA"}}, "can be imported"),
        ({"model_symbol": {"__nni_type__": "path:__main__.Net"}}, "__main__"),
        ({"model_symbol": {"__nni_type__": "path:a.b; import os"}}, "can be imported"),
        ({"model_symbol": "path:a.Net", "model_args": [{"__nni_type__": "bytes:gA"}]}, "literals"),
        ({"model_symbol": "path:a.Net", "model_kwargs": {"x": float("nan")}}, "literals"),
        ({}, "can be imported"),
    ],
)
def test_what_cannot_be_written_down_is_refused(space: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=message):
        write_best(record(space, {"op": "conv"}), tmp_path)
    assert json.loads((tmp_path / "best.json").read_text())["metric"] == 0.5


def test_no_model_space_no_program(make_record) -> None:
    assert best_program(make_record([0.5])) is None
