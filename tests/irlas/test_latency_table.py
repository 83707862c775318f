from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.latency import LatencyMeter
from nni_strategies.irlas.latency_table import LatencyTable, Layer, kendall_tau, layers_of
from search_spaces.digits_cell import INPUT_SHAPE, LABELS, DigitsNet

METER = LatencyMeter(input_shape=INPUT_SHAPE, warmup=1, repeats=3)


class Net(nn.Module):
    def __init__(self, *names: str) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, 2, 1)
        layers = {"conv": nn.Conv2d(4, 4, 3, 1, 1), "pool": nn.MaxPool2d(3, 1, 1)}
        layers["dw"] = nn.Conv2d(4, 4, 5, 1, 2, groups=4)
        self.body = nn.Sequential(*(layers[name] for name in names))
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.body(torch.relu(self.stem(x))))


STEM = Layer("conv3", 1, 4, (8, 8), 2)
CONV, POOL = Layer("conv3", 4, 4, (4, 4)), Layer("maxpool3", 4, 4, (4, 4))
DEPTHWISE = Layer("dwconv5", 4, 4, (4, 4), 1, 4)


def test_layers_are_listed_as_often_as_they_are_passed():
    assert layers_of(Net("conv", "pool", "conv", "dw"), METER) == [STEM, CONV, POOL, CONV, DEPTHWISE]


def test_latencies_add_up():
    table = LatencyTable({STEM: 1.0, CONV: 10.0, POOL: 100.0})
    assert table.of(Net("conv", "pool", "conv"), METER) == 121.0
    with pytest.raises(InvalidArgument, match="dwconv5"):
        table.of(Net("dw"), METER)


def test_each_kind_of_layer_is_measured_once(monkeypatch: pytest.MonkeyPatch):
    measured: list[tuple[int, ...]] = []
    stock = LatencyMeter._measured

    def watched(meter: LatencyMeter, model: nn.Module):
        measured.append((meter.batch, *meter.input_shape))
        return stock(meter, model)

    monkeypatch.setattr(LatencyMeter, "_measured", watched)
    table = LatencyTable.measured([Net("conv", "pool"), Net("conv", "conv", "dw")], METER)
    assert set(table.milliseconds) == {STEM, CONV, POOL, DEPTHWISE}
    assert measured == [(1, 1, 8, 8), (1, 4, 4, 4), (1, 4, 4, 4), (1, 4, 4, 4)]
    assert all(value > 0 for value in table.milliseconds.values())


def test_networks_of_the_digits_space_are_covered_by_their_operations():
    light, heavy = (dict.fromkeys(LABELS, name) for name in ("avg_pool_3x3", "nor_conv_3x3"))
    table = LatencyTable.measured([DigitsNet(light), DigitsNet(heavy)], METER)
    mixed = DigitsNet({**light, LABELS[0]: "nor_conv_3x3"})
    assert table.of(DigitsNet(light), METER) < table.of(mixed, METER) < table.of(DigitsNet(heavy), METER)


class Odd(nn.Module):
    def __init__(self, layer: nn.Module, by_name: bool = False) -> None:
        super().__init__()
        self.layer, self.by_name = layer, by_name

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.flatten(2)
        if isinstance(self.layer, nn.MultiheadAttention):
            return self.layer(x, x, x)[0]
        return self.layer(input=x) if self.by_name else self.layer(x)[0]


@pytest.mark.parametrize(
    ("layer", "by_name"),
    [(nn.MultiheadAttention(64, 1), False), (nn.LSTM(64, 4), False), (nn.Linear(64, 4), True)],
    ids=["attention", "lstm", "by name"],
)
def test_what_is_no_layer_of_one_tensor_is_refused(layer: nn.Module, by_name: bool):
    with pytest.raises(InvalidArgument, match=type(layer).__name__):
        LatencyTable.measured([Odd(layer, by_name)], METER)


def test_a_network_of_half_precision_has_the_same_layers():
    assert layers_of(Net("conv").half(), METER) == [STEM, CONV]


def test_the_model_stays_in_training_mode():
    model = Net("conv")
    layers_of(model, METER)
    assert model.training and not model.stem._forward_hooks
    assert torch.equal(model.norm.running_mean, torch.zeros(4))


def test_a_table_is_stored_as_json(tmp_path: Path):
    table = LatencyTable({STEM: 1.5, POOL: 0.25})
    table.save(tmp_path / "table.json")
    assert LatencyTable.load(tmp_path / "table.json") == table
    (tmp_path / "other.json").write_text('[{"kind": "conv3"}]')
    with pytest.raises(InvalidArgument, match="path"):
        LatencyTable.load(tmp_path / "other.json")


def test_kendall_tau_of_known_rankings():
    assert kendall_tau([1, 2, 3, 4], [10, 20, 30, 40]) == 1.0
    assert kendall_tau([1, 2, 3, 4], [4, 3, 2, 1]) == -1.0
    assert kendall_tau([1, 2, 3], [1, 3, 2]) == pytest.approx(1 / 3)
