"""The conformance suite: what every searcher has to do, as tests to inherit (needs pytest).

    class TestMySearcher(SearcherConformance):
        @pytest.fixture
        def searcher(self):
            return MySearcher          # or lambda space: MySearcher(space, MyConfig(...))

The class has to be importable, and ``Config(**config.to_json())`` has to give the same configuration back.
Patterned on Optuna's ``pytest_samplers`` and Vizier's ``client_abc_testing``.
"""

from __future__ import annotations

import copy
import importlib.util
import inspect
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
import pytest

from nni_strategies.errors import SpaceExhausted
from nni_strategies.search.journal import Event, Journal
from nni_strategies.search.searcher import Searcher, Trial
from nni_strategies.search.study import Study
from nni_strategies.search.testing_spaces import SMALL_SPACES, SPACES, objective
from nni_strategies.space.parameters import Codes
from nni_strategies.space.search_space import Configuration, SearchSpace

MakeSearcher = Callable[[SearchSpace], Searcher]
Action = tuple[str, int]

ODD_METRICS: tuple[Any, ...] = (
    float("nan"), float("inf"), -float("inf"), None, "0.5", "bad", {}, {"accuracy": 1.0}, {"default": 0.7, "ms": 3},
    {"default": float("nan")}, np.float32(0.25), np.int64(3), np.array(0.5), np.array([1.0, 2.0]), True, [1.0], b"1",
    object(), 10**400, 1e308, -1e308, 5e-324,
)  # fmt: skip

_every_space = pytest.mark.parametrize("space_name", list(SPACES))
_every_small_space = pytest.mark.parametrize("space_name", list(SMALL_SPACES))


@pytest.mark.timeout(120)
class SearcherConformance:
    """Inherit it, override the fixture `searcher`; lower the counts for a searcher that is slow by nature.

    A searcher that cannot do with any space brings its own, under the same names.
    """

    spaces: ClassVar[Mapping[str, SearchSpace]] = SPACES
    small_spaces: ClassVar[Mapping[str, SearchSpace]] = SMALL_SPACES
    n_trials: ClassVar[int] = 60
    n_repeated: ClassVar[int] = 30
    n_without_duplicate: ClassVar[int] = 500
    n_imported: ClassVar[int] = 1000
    n_threads: ClassVar[int] = 8
    n_per_thread: ClassVar[int] = 100

    @pytest.fixture
    def searcher(self) -> MakeSearcher:
        """Return what makes the searcher under test for a space."""
        raise NotImplementedError("override the fixture `searcher`")

    # -- proposals --------------------------------------------------------------------------------

    @_every_space
    def test_proposes_points_of_the_space(self, searcher: MakeSearcher, space_name: str) -> None:
        """At any length of history, itself: not rescued by the study."""
        study = Study(searcher(self.spaces[space_name]), seed=1)
        perform(study, script(self.n_trials, concurrency=1))
        assert_well_behaved(study)
        assert study.counts["fallbacks"] <= self.n_trials // 10

    @pytest.mark.parametrize("n", [0, 1, 2, None])
    def test_goes_on_after_imported_results(self, searcher: MakeSearcher, n: int | None) -> None:
        """Results that it never proposed are learned from like others."""
        space, n = self.spaces["flat"], self.n_imported if n is None else n
        study = Study(searcher(space))
        for configuration in space.decode(space.sample_codes(np.random.default_rng(7), n)):
            study.import_result(configuration, objective(space, configuration))
        for _ in range(5):
            assert study.ask().pending
        assert_well_behaved(study)

    def test_does_not_repeat_itself(self, searcher: MakeSearcher) -> None:
        """No duplicate while unseen points remain."""
        study = Study(searcher(self.spaces["flat"]), seed=2)
        perform(study, script(self.n_without_duplicate, concurrency=1))
        keys = {study.space.key(trial.configuration) for trial in study.trials}
        assert len(keys) == len(study.trials) == self.n_without_duplicate
        assert_well_behaved(study)

    @_every_small_space
    @pytest.mark.parametrize("told", [True, False], ids=["told", "pending"])
    def test_exhausts_a_finite_space(self, searcher: MakeSearcher, space_name: str, told: bool) -> None:
        """Every point once, then :class:`SpaceExhausted`, again and again."""
        space = self.small_spaces[space_name]
        study = Study(searcher(space), seed=3)
        points = {space.key(configuration) for configuration in space.enumerate()}
        for _ in range(len(points)):
            trial = study.ask()
            if told:
                study.tell(trial.id, objective(space, trial.configuration))
        assert {space.key(trial.configuration) for trial in study.trials} == points
        for _ in range(2):
            with pytest.raises(SpaceExhausted):
                study.ask()
        assert_well_behaved(study)

    def test_initial_draws_come_from_the_prior(self, searcher: MakeSearcher) -> None:
        """While its phase is ``initial``."""
        space = self.spaces["flat"]
        made = searcher(space)
        made.prior = _Biased(space)
        study = Study(made, seed=4)
        perform(study, script(self.n_trials, concurrency=1))
        drawn = [trial for trial in study.trials if trial.phase == "initial"]
        assert all(trial.configuration["op_0"] == "skip" for trial in drawn)
        assert_well_behaved(study)

    # -- determinism ------------------------------------------------------------------------------

    @_every_space
    def test_same_seed_same_sequence(self, searcher: MakeSearcher, space_name: str) -> None:
        """And another one from another seed; also where all values are equal."""
        space = self.spaces[space_name]

        def sequence(seed: int, value: float | None = None) -> list[Configuration]:
            study = Study(searcher(space), seed=seed)
            perform(study, script(self.n_repeated, concurrency=2), value)
            return [trial.configuration for trial in study.trials]

        first = sequence(5)
        assert sequence(5) == first != sequence(6)
        assert sequence(5, 0.5) == sequence(5, 0.5)

    def test_same_sequence_in_another_process(self, searcher: MakeSearcher) -> None:
        """With another hash seed, and the configuration rebuilt from JSON."""
        made = searcher(self.spaces["flat"])
        ours = {name: proposals(searcher(space)) for name, space in self.spaces.items()}
        source = inspect.getsourcefile(type(made)) or ""
        arguments = [type(made).__module__, type(made).__qualname__, source, json.dumps(made.config.to_json())]
        if self.spaces is not SPACES:
            arguments += [type(self).__module__, type(self).__qualname__, inspect.getsourcefile(type(self)) or ""]
        run = subprocess.run(
            [sys.executable, "-m", __name__, *arguments],
            env={**os.environ, "PYTHONHASHSEED": str(np.random.default_rng().integers(1, 2**32))},
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        assert json.loads(run.stdout) == json.loads(json.dumps(ours))

    def test_proposing_leaves_no_trace(self, searcher: MakeSearcher) -> None:
        """The state depends on events alone: propose is not called when a journal is replayed."""
        study = Study(searcher(self.spaces["nested"]), seed=6)
        for _ in range(4):
            perform(study, script(10, concurrency=2, first=len(study.trials)))
            first = study.searcher.propose(np.random.default_rng(8))
            study.searcher.propose(np.random.default_rng(9))
            assert study.searcher.propose(np.random.default_rng(8)) == first

    @_every_space
    def test_replaying_the_journal_goes_on_as_if_uninterrupted(self, searcher: MakeSearcher, space_name: str) -> None:
        """From the start, after one event, within a batch, in between and at the end."""
        space, actions = self.spaces[space_name], script(self.n_trials // 2, concurrency=3)
        study = Study(searcher(space), seed=7)
        perform(study, actions)
        events = study.journal.events
        for cut in (0, 1, 2, len(actions) // 2, len(actions) - 4, len(actions)):
            resumed = Study(searcher(space), seed=7, journal=journal_of(events[: 1 + cut]))
            perform(resumed, actions[cut:])
            assert [_timeless(e) for e in resumed.journal.events] == [_timeless(e) for e in events], f"cut at {cut}"

    @_every_small_space
    def test_replaying_an_exhausted_search_is_exhausted(self, searcher: MakeSearcher, space_name: str) -> None:
        """And resuming it close to its end ends at the same points."""
        space = self.small_spaces[space_name]
        actions = script(len(list(space.enumerate())), concurrency=1)
        study = Study(searcher(space), seed=8)
        perform(study, actions)
        for cut in (len(actions), max(0, len(actions) - 6)):
            resumed = Study(searcher(space), seed=8, journal=journal_of(study.journal.events[: 1 + cut]))
            perform(resumed, actions[cut:])
            assert resumed.trials == study.trials
            with pytest.raises(SpaceExhausted):
                resumed.ask()

    def test_a_deep_copy_goes_on_alike(self, searcher: MakeSearcher) -> None:
        """And says what it is."""
        study = Study(searcher(self.spaces["nested"]), seed=9)
        perform(study, script(30, concurrency=2))
        twin = copy.deepcopy(study.searcher)
        rngs = (np.random.default_rng(1), np.random.default_rng(1))
        assert twin.propose(rngs[0]) == study.searcher.propose(rngs[1])
        assert type(twin).__name__ in repr(twin)

    # -- results ----------------------------------------------------------------------------------

    def test_takes_results_in_any_order(self, searcher: MakeSearcher) -> None:
        """Late, twice, after a failure, of unknown trials, and never."""
        study, rng = Study(searcher(self.spaces["nested"]), seed=10), np.random.default_rng(0)
        for _ in range(self.n_trials // 4):
            batch = [study.ask() for _ in range(4)]
            for i in rng.permutation(4)[:3]:
                trial = batch[i]
                if rng.random() < 0.3:
                    study.fail(trial.id, "ended before its result came")
                study.tell(trial.id, objective(study.space, trial.configuration))
                study.tell(trial.id, 0.0)
                study.fail(trial.id, "trial_end after its result came")
            study.tell(10_000, 1.0)
            study.tell(-1, 1.0)
        assert len(study.finished) == 3 * (self.n_trials // 4)
        assert all(trial.value == objective(study.space, trial.configuration) for trial in study.finished)
        assert_well_behaved(study)

    def test_survives_odd_metrics(self, searcher: MakeSearcher) -> None:
        """NaN, infinities, strings, arrays, extremes: a value or a failure, and the search goes on."""
        study = Study(searcher(self.spaces["flat"]), seed=11, max_consecutive_failures=100)
        perform(study, script(20, concurrency=1))
        for metric in ODD_METRICS * 2:
            study.tell(study.ask().id, metric)
        perform(study, script(20, concurrency=1, first=len(study.trials)))
        assert_well_behaved(study)

    @pytest.mark.parametrize("rate", [0.3, 1.0])
    def test_survives_failing_trials(self, searcher: MakeSearcher, rate: float) -> None:
        """Some of them, or all."""
        study = Study(searcher(self.spaces["nested"]), seed=12, max_consecutive_failures=1000)
        rng = np.random.default_rng(0)
        for _ in range(self.n_trials):
            trial = study.ask()
            if rng.random() < rate:
                study.fail(trial.id, "exit code 1")
            else:
                study.tell(trial.id, objective(study.space, trial.configuration))
        assert_well_behaved(study)

    def test_threads_share_one_study(self, searcher: MakeSearcher) -> None:
        """No exception, no lost result, no id twice."""
        study = Study(searcher(self.spaces["flat"]), seed=13)
        errors: list[BaseException] = []
        ids: list[int] = []

        def work() -> None:
            try:
                for _ in range(self.n_per_thread):
                    trial = study.ask()
                    ids.append(trial.id)
                    study.tell(trial.id, objective(study.space, trial.configuration))
            except BaseException as error:  # shown below, by the test's own thread
                errors.append(error)

        threads = [threading.Thread(target=work) for _ in range(self.n_threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors
        assert sorted(ids) == list(range(self.n_threads * self.n_per_thread))
        assert len(study.finished) == len(ids)
        assert_well_behaved(study)


class _Biased:
    """A prior that knows what the first choice should be."""

    def __init__(self, space: SearchSpace) -> None:
        self._space = space

    def sample_codes(self, rng: np.random.Generator, n: int) -> Codes:
        codes = self._space.sample_codes(rng, n)
        codes[:, 0] = 1.0
        return codes

    def finished(self, trial: Trial) -> None:
        """Ignore it."""


def script(n_trials: int, concurrency: int, first: int = 0) -> list[Action]:
    """Return a fixed interleaving of ``("ask", id)`` and ``("tell", id)`` of so many trials."""
    rng, asked = np.random.default_rng(n_trials), 0
    actions: list[Action] = []
    pending: list[int] = []
    while asked < n_trials or pending:
        if asked < n_trials and (not pending or (len(pending) < concurrency and rng.random() < 0.7)):
            pending.append(first + asked)
            actions.append(("ask", first + asked))
            asked += 1
        else:
            actions.append(("tell", pending.pop(int(rng.integers(len(pending))))))
    return actions


def perform(study: Study, actions: Iterable[Action], value: float | None = None) -> None:
    """Carry out a :func:`script`, with `value` or the objective's as results."""
    for action, trial_id in actions:
        if action == "ask":
            assert study.ask().id == trial_id
        else:
            configuration = study.trials[trial_id].configuration
            study.tell(trial_id, objective(study.space, configuration) if value is None else value)


def journal_of(events: Iterable[Event]) -> Journal:
    """Return a journal in memory that holds `events`."""
    journal = Journal()
    journal.events = copy.deepcopy(list(events))
    return journal


def assert_well_behaved(study: Study) -> None:
    """Assert that the study never had to step in for a searcher that raised or left the space."""
    assert not study.counts["searcher errors"]
    assert not study.counts["invalid"]
    for trial in study.trials:
        study.space.validate(trial.configuration)


def proposals(searcher: Searcher) -> list[Configuration]:
    """Return the configurations of a short search."""
    study = Study(searcher, seed=14)
    perform(study, script(20, concurrency=2))
    return [trial.configuration for trial in study.trials]


def _timeless(event: Event) -> Event:
    return {key: value for key, value in event.items() if key != "time"}


def _propose_in_this_process(module: str, name: str, source: str, config: str, *suite: str) -> None:
    searcher_class = _imported(module, name, source)
    spaces: Mapping[str, SearchSpace] = _imported(*suite).spaces if suite else SPACES
    made = searcher_class.Config(**json.loads(config))
    json.dump({key: proposals(searcher_class(space, made)) for key, space in spaces.items()}, sys.stdout)


def _imported(module: str, name: str, source: str) -> Any:
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError:  # a test file
        spec = importlib.util.spec_from_file_location(module, source)
        assert spec is not None and spec.loader is not None
        found = sys.modules[module] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(found)
    for part in name.split("."):
        found = getattr(found, part)
    return found


if __name__ == "__main__":
    _propose_in_this_process(*sys.argv[1:])
