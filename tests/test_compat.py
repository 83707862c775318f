"""Compatibility: torchvision beside any torch, and the commands a resumed NAS experiment receives."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nni_strategies.compat import load_torchvision, tolerate_resume

pytestmark = pytest.mark.timeout(60)  # NNI and torch are imported, 6 s on an idle machine


def run(code: str, *, path: Path | None = None) -> str:
    """Run `code` in a fresh interpreter, with `path` first on its import path, and return what it printed."""
    if path is not None:
        code = f"import sys; sys.path.insert(0, {str(path)!r})\n{code}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_compat_imports_neither_torch_nor_nni():
    code = "import sys, nni_strategies.compat; print({'torch', 'torchvision', 'nni'} & set(sys.modules))"
    assert run(code) == "set()"


@pytest.mark.slow
def test_everything_but_the_compiled_operators_of_torchvision_works():
    first = load_torchvision()  # only this loads it in the tests, so here or before in the same way
    import torch
    import torchvision

    assert first is torchvision is load_torchvision()
    from torchvision import datasets, models, transforms
    from torchvision.models.feature_extraction import create_feature_extractor

    pipeline = transforms.Compose([transforms.RandomCrop(32, padding=4), transforms.ToTensor()])
    image, _ = datasets.FakeData(size=2, image_size=(3, 32, 32), transform=pipeline)[0]
    network = create_feature_extractor(models.resnet18(weights=None).eval(), ["layer1", "fc"])
    features = network(image[None])
    assert tuple(features["layer1"].shape) == (1, 64, 8, 8)
    assert tuple(features["fc"].shape) == (1, 1000)
    boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 1.0, 2.0], [5.0, 5.0, 6.0, 6.0]])
    assert torchvision.ops.box_iou(boxes, boxes)[0].tolist() == [1.0, 0.5, 0.0]
    try:
        assert torchvision.ops.nms(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.3).tolist() == [0, 2]
    except RuntimeError as error:  # without the native operators
        assert "C++ ops" in str(error)
    importlib.import_module("nni.nas.hub.pytorch")


def test_a_torchvision_that_imports_is_left_alone(tmp_path):
    (tmp_path / "torchvision.py").write_text("imports = globals().get('imports', 0) + 1")
    code = "from nni_strategies.compat import load_torchvision as load\n"
    code += "print(load().imports, load().imports, 'torch' in sys.modules)"
    assert run(code, path=tmp_path) == "1 1 False"


@pytest.mark.parametrize("failure", ["RuntimeError('no disk')", "ImportError('no torchvision here')"])
def test_another_failure_of_torchvision_is_not_hidden(tmp_path, failure):
    (tmp_path / "torchvision.py").write_text(f"raise {failure}")
    code = """
from nni_strategies.compat import load_torchvision
try:
    load_torchvision()
except Exception as error:
    print(repr(error), 'torch' in sys.modules)
"""
    assert run(code, path=tmp_path) == f"{failure} False"


def test_threads_may_load_torchvision_at_once():
    loaded: list[object] = []
    threads = [threading.Thread(target=lambda: loaded.append(load_torchvision())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loaded) == 4
    assert all(module is sys.modules["torchvision"] for module in loaded)


def test_a_resumed_nas_experiment_passes_over_the_commands_it_does_not_know():
    from nni.runtime.tuner_command_channel import TunerCommandChannel
    from nni.runtime.tuner_command_channel.command_type import RequestTrialJobs, TrialEnd
    from websockets.sync.server import serve

    ended = {"trial_job_id": "a", "event": "SUCCEEDED", "hyper_params": json.dumps({"parameter_id": 7})}
    resumed = [
        {"type": "FD", "content": json.dumps([{"parameter": {"x": 1}, "value": "0.5"}])},
        {"type": "AD", "content": json.dumps({"parameter_id": 3, "parameters": {}})},
        {"type": "GE", "content": "2"},
        {"type": "FD", "content": "[]"},
        {"type": "EN", "content": json.dumps(ended)},
    ]

    def manager(connection):
        for command in resumed:
            connection.send(json.dumps(command))
        connection.recv()  # the client's goodbye

    with serve(manager, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        channel = TunerCommandChannel(f"ws://127.0.0.1:{server.socket.getsockname()[1]}/tuner")
        tolerate_resume()
        tolerate_resume()  # twice is once
        channel.connect()
        try:
            assert channel.receive() == RequestTrialJobs(2)
            assert channel.receive() == TrialEnd(trial_job_id="a", parameter_ids=[7], event="SUCCEEDED")
        finally:
            channel.disconnect()
            server.shutdown()
