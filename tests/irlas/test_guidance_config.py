"""The hyper-parameters of guidance: refused alike wherever they are given."""

from __future__ import annotations

from dataclasses import fields

import pytest

from nni_strategies.errors import InvalidArgument
from nni_strategies.irlas.guidance_config import GuidanceConfig
from nni_strategies.irlas.searcher import IRLASConfig
from nni_strategies.irlas.shaping_config import ShapedTunerConfig, ShapingConfig

CONFIGS = (GuidanceConfig, IRLASConfig, ShapingConfig, ShapedTunerConfig)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mode": "papr"}, "did you mean 'paper'"),
        ({"experts": ()}, "experts = "),
        ({"experts": "resnext"}, "experts = "),
        ({"experts": (1,)}, "experts = "),
        ({"lam": -0.1}, "lam = -0.1"),
        ({"lam": float("nan")}, "lam = "),
        ({"lam": "atuo"}, "lam = "),
        ({"schedule": "linar"}, "did you mean 'linear'"),
        ({"budget": 0}, "budget = 0"),
        ({"beta": -1.0}, "beta = "),
        ({"gate": 2}, "gate = 2"),
        ({"threshold": 2.0}, "threshold = 2"),
        ({"measure": "cosin"}, "did you mean 'cosine'"),
        ({"reduce": "men"}, "did you mean 'mean'"),
        ({"mode": "paper", "latency": {"term": "mnsa", "target": 1.0}}, "did you mean 'mnas'"),
        ({"mode": "paper", "latency": "json:no_such"}, "latency = "),
    ],
)
def test_what_is_refused(config, given, message):
    with pytest.raises(InvalidArgument, match=message):
        config(**given)


def test_what_differs():
    assert IRLASConfig(mode="none", latency={"term": "mnas", "target": 1.0}).latency_term() is not None
    for config in (ShapingConfig, ShapedTunerConfig):
        with pytest.raises(InvalidArgument, match="mode = "):
            config(mode="none")
        with pytest.raises(InvalidArgument, match="prior changes no metric"):
            config(latency={"term": "mnas", "target": 1.0})
    with pytest.raises(InvalidArgument, match="budget"):
        ShapingConfig(schedule="linear")
    assert IRLASConfig(schedule="linear").budget == 300


def test_all_have_the_same_fields():
    common = {field.name: field.default for field in fields(GuidanceConfig)}
    for config in CONFIGS:
        own = {field.name: field.default for field in fields(config)}
        assert {name: own[name] for name in common} == common | {"budget": own["budget"]}
