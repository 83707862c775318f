"""The contract's defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from nni_strategies.errors import InvalidArgument, JournalMismatch
from nni_strategies.search.baselines import LocalSearch, RandomSearch
from nni_strategies.search.searcher import SearcherConfig, Trial, UniformPrior
from nni_strategies.search.study import Study
from nni_strategies.search.testing import journal_of
from nni_strategies.search.testing_spaces import SPACES


def test_a_trial_is_pending_until_it_has_a_value_or_failed() -> None:
    assert Trial(0, {}).pending
    assert not Trial(0, {}, value=0.0).pending
    assert not Trial(0, {}, failure="x").pending


def test_the_uniform_prior_is_the_space_itself() -> None:
    space = SPACES["numbers"]
    ours = UniformPrior(space).sample_codes(np.random.default_rng(0), 5)
    np.testing.assert_array_equal(ours, space.sample_codes(np.random.default_rng(0), 5))


def test_a_searcher_has_its_own_defaults_and_says_what_it_is() -> None:
    assert RandomSearch(SPACES["flat"]).phase == "search"
    assert repr(LocalSearch(SPACES["flat"])) == "LocalSearch(LocalSearchConfig(n_init=1, first_improvement=True))"


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("space", ({"a": {"_type": "choice", "_value": [1]}},)),
        ("config", (SPACES["flat"], {"population": 3})),
    ],
)
def test_what_is_no_space_or_config_is_refused(field: str, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidArgument) as raised:
        RandomSearch(*arguments)
    assert raised.value.field == field


class _Peaked(UniformPrior):
    """A prior with a hyper-parameter."""

    def __init__(self, space: Any, weight: float) -> None:
        super().__init__(space)
        self.weight = weight

    def describe(self) -> Any:
        return {"prior": "peaked", "weight": self.weight}


class _Silent:
    """A prior of somebody who did not read that far."""

    def sample_codes(self, rng: np.random.Generator, n: int) -> Any:
        return SPACES["flat"].sample_codes(rng, n)

    def finished(self, trial: Trial) -> None:
        """Learn nothing."""


def test_a_searcher_describes_its_prior() -> None:
    space = SPACES["flat"]
    assert RandomSearch(space).describe() == {"algorithm": "random", "config": {}, "prior": "uniform"}
    assert RandomSearch(space, prior=_Peaked(space, 2.0)).describe()["prior"] == {"prior": "peaked", "weight": 2.0}
    assert RandomSearch(space, prior=_Silent()).describe()["prior"] == f"{__name__}._Silent"


def test_a_search_is_not_resumed_with_another_prior() -> None:
    space = SPACES["flat"]
    events = Study(RandomSearch(space, prior=_Peaked(space, 2.0))).journal.events
    Study(RandomSearch(space, prior=_Peaked(space, 2.0)), journal=journal_of(events))
    with pytest.raises(JournalMismatch, match=r"prior.weight: was 2.0, is 3.0"):
        Study(RandomSearch(space, prior=_Peaked(space, 3.0)), journal=journal_of(events))
    with pytest.raises(JournalMismatch, match=r'prior: was .*, is "uniform"'):
        Study(RandomSearch(space), journal=journal_of(events))


def test_what_is_no_prior_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="prior = 5"):
        RandomSearch(SPACES["flat"], prior=5)  # type: ignore[arg-type]


def test_configurations_are_json() -> None:
    @dataclass(frozen=True)
    class Config(SearcherConfig):
        a: int = 1
        b: tuple[float, ...] = (0.5,)

    assert Config().to_json() == {"a": 1, "b": (0.5,)}
