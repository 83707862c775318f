"""What a shaper notes of architectures that cannot be read, and of trials that report twice."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from nni_strategies.errors import TopologyUnreadable
from nni_strategies.irlas.experts import load_experts
from nni_strategies.irlas.scoring import blocks_function
from nni_strategies.irlas.shaper import Shaper
from nni_strategies.irlas.shaping_config import ShapingConfig
from search_spaces.nasbench201 import search_space

UNREADABLE = "avg_pool_3x3"


def fussy(configuration):
    """Read what has no pooling on its first edge."""
    if configuration["cell.edge_0_1"] == UNREADABLE:
        raise TopologyUnreadable("pooling comes first")
    return blocks_function(None)(configuration)


@pytest.fixture
def shaper() -> Shaper:
    config = ShapingConfig()
    return Shaper(search_space(), config, fussy, load_experts(config.experts))


def test_what_a_prior_read_says_nothing_of_what_is_proposed(shaper: Shaper):
    rng = np.random.default_rng(1)
    said: Counter[tuple[bool, bool]] = Counter()
    for _ in range(60):  # each draw reads up to 64 candidates, many of which cannot be read
        (configuration,) = shaper.space.decode(shaper.prior.sample_codes(rng, 1))
        trial = shaper.trials[shaper.propose(configuration)]
        said[configuration["cell.edge_0_1"] == UNREADABLE, trial.readable] += 1
    assert said[True, False] and said[False, True]
    assert not said[True, True] and not said[False, False]


def test_a_second_report_does_not_count_twice_in_the_gate(shaper: Shaper, monkeypatch: pytest.MonkeyPatch):
    learned: list[float | None] = []
    monkeypatch.setattr(shaper.prior, "finished", lambda trial: learned.append(trial.value))
    plain = dict.fromkeys(shaper.space.labels, "nor_conv_3x3")
    number = shaper.propose(plain)
    shaper.conclude(number, 0.5)
    shaper.conclude(number, 0.6)
    assert learned == [0.5]
    assert shaper.trials[number].raw == 0.6
