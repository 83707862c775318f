from __future__ import annotations

import fcntl
import json
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas import latency
from nni_strategies.irlas.latency import Latency, LatencyMeter, folded

CALLS: list[tuple[bool, int]] = []


class Counting(nn.Module):
    """Notes each call; torch.fx cannot trace it."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if isinstance(x, torch.Tensor):  # what traces is none
            CALLS.append((self.training, torch.get_num_threads()))
        return self.norm(x) if x.sum() < 1e9 else x


def convolution(width: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU())


@pytest.fixture(autouse=True)
def forget_calls():
    CALLS.clear()


def meter(**settings: Any) -> LatencyMeter:
    return LatencyMeter(**{"input_shape": (3, 16, 16), "warmup": 2, "repeats": 5, **settings})


def test_calls_are_warmup_and_repeats_in_evaluation_mode(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(latency, "STEADY", float("inf"))
    found = meter(threads=1).measure(Counting())
    assert CALLS == [(False, 1)] * 7
    assert found.attempts == 1 and found.median_ms > 0


def test_what_is_unsteady_is_measured_three_times(monkeypatch: pytest.MonkeyPatch):
    measured = iter([[1.0, 2.0, 9.0], [1.0, 2.0, 2.5], [1.0, 2.0, 4.0]])
    monkeypatch.setattr(latency, "_cpu_times", lambda run, repeats: next(measured))
    assert meter().measure(Counting()) == Latency(2.0, 0.75, 3)


def test_the_first_steady_measurement_counts(monkeypatch: pytest.MonkeyPatch):
    measured = iter([[1.0, 2.0, 9.0], [2.0, 2.0, 2.1]])
    monkeypatch.setattr(latency, "_cpu_times", lambda run, repeats: next(measured))
    assert meter().measure(Counting()) == Latency(2.0, pytest.approx(0.05), 2)


def test_quartiles_are_numpys():
    import numpy as np

    times = [5.0, 1.0, 2.5, 8.0, 3.0, 3.5]
    low, middle, high = np.percentile(times, [25, 50, 75])
    assert latency._quartiles(times) == pytest.approx((middle, high - low))


def test_a_larger_convolution_takes_longer():
    small, large = (meter(input_shape=(3, 32, 32), repeats=9).measure(convolution(width)) for width in (8, 320))
    assert large.median_ms > 2 * small.median_ms


def test_the_model_stays_what_it_is():
    model = nn.Sequential(convolution(4), nn.Dropout(0.5))
    model.train()
    model[1].eval()
    with torch.no_grad():
        model(torch.randn(2, 3, 16, 16))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    threads = torch.get_num_threads()
    meter(channels_last=True, dtype="bfloat16").measure(model)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(value.dtype != torch.bfloat16 for value in model.parameters())
    assert torch.get_num_threads() == threads


def test_batch_norm_is_folded_and_nothing_else_changes():
    torch.manual_seed(0)
    model = convolution(4)
    for _ in range(3):
        model(torch.randn(8, 3, 16, 16))
    model.eval()
    made, images = folded(model), torch.randn(2, 3, 16, 16)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in made.modules())
    assert torch.allclose(made(images), model(images), atol=1e-5)


def test_what_cannot_be_folded_is_measured_as_it_is(caplog: pytest.LogCaptureFixture):
    model = Counting().eval()
    assert folded(model) is model
    assert "stay unfolded" in caplog.text
    caplog.clear()
    model.norm = nn.Identity()
    assert folded(model) is model
    assert caplog.text == ""


def test_the_cache_knows_model_settings_and_device(tmp_path: Path):
    cache = tmp_path / "sub" / "latencies.json"
    first = meter(cache=cache).measure(Counting(), key="a")
    n_calls = len(CALLS)
    assert meter(cache=cache).measure(Counting(), key="a") == first
    assert len(CALLS) == n_calls
    for other, key in ((meter(cache=cache), "b"), (meter(cache=cache, batch=2), "a"), (meter(cache=cache), None)):
        other.measure(Counting(), key=key)
        assert len(CALLS) > n_calls
        n_calls = len(CALLS)
    assert len(json.loads(cache.read_text())) == 3
    assert all(latency.device_name("cpu") in entry for entry in json.loads(cache.read_text()))
    assert list(cache.parent.iterdir()) == [cache]


def test_measurements_wait_for_each_other(monkeypatch: pytest.MonkeyPatch):
    """While the lock is held elsewhere, a measurement does not begin."""
    asked, stock = threading.Event(), fcntl.flock

    def watched(*arguments: Any) -> None:
        asked.set()
        stock(*arguments)

    measuring = threading.Thread(target=lambda: meter().measure(Counting()))
    with latency._alone():
        monkeypatch.setattr(latency.fcntl, "flock", watched)
        measuring.start()
        assert asked.wait(5.0)
        assert CALLS == []
    measuring.join(5.0)
    assert CALLS and not measuring.is_alive()


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"device": "gpu"}, "device"),
        ({"device": "cuda:99"}, "device"),
        ({"device": None}, "device"),
        ({"input_shape": 3}, "input_shape"),
        ({"input_shape": (3, 0)}, "input_shape"),
        ({"batch": 0}, "batch"),
        ({"repeats": 2}, "repeats"),
        ({"warmup": -1}, "warmup"),
        ({"threads": True}, "threads"),
        ({"dtype": "float23"}, "dtype"),
        ({"input_shape": (16,), "channels_last": True}, "channels_last"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], field: str):
    with pytest.raises(InvalidArgument, match=field):
        meter(**settings)


@pytest.mark.parametrize("text", ["[]", "{", '{"a": 1}', '{"a": {"median": 1}}'])
def test_a_file_that_is_no_cache_is_refused(tmp_path: Path, text: str):
    path = tmp_path / "latencies.json"
    path.write_text(text)
    with pytest.raises(InvalidArgument, match="cache"):
        meter(cache=path)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu():
    model = convolution(8)
    small, large = (meter(device="cuda", batch=n, input_shape=(3, 64, 64)).measure(model) for n in (1, 512))
    assert large.median_ms > 2 * small.median_ms > 0
    assert next(model.parameters()).device.type == "cpu"
