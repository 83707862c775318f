"""StudyTuner: a study as an NNI tuner.

Thin by design: it maps NNI's parameter ids to the study's trials, deals with the metric's direction, decides where
the journal lives, and ends the experiment when the space is exhausted or nothing works. The rules NNI 3.0 forces:

* A tuner that raises leaves its experiment hanging for ever (:mod:`.guarded_tuner`).
* ``trial_end`` and the final result come on two threads in either order. An end without a result is settled when
  NNI next asks for parameters: by then every result that was sent before has been received.
* On resume NNI asks for as many new trials as its concurrency, on top of those it runs again by itself. That many
  requests are left unanswered, so that a proposal is made when a place is free and the results are known.

Without an NNI manager the journal is in memory.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Mapping
from typing import Any, ClassVar

import nni

from nni_strategies.bridge.class_args import ClassArgs, read_class_args
from nni_strategies.bridge.dispatcher import Dispatcher
from nni_strategies.bridge.exhaustion import end_experiment, restore_search_space
from nni_strategies.bridge.guarded_tuner import GuardedTuner, never_raises, reporter
from nni_strategies.bridge.named_prior import MakePrior, named_prior
from nni_strategies.bridge.nni_record import read_record, stopped
from nni_strategies.bridge.open_study import count_runs, open_study
from nni_strategies.bridge.recovery import Recovery, fail_ended_reruns, recover
from nni_strategies.bridge.reruns import stop_needless
from nni_strategies.bridge.trial_output import last_words
from nni_strategies.errors import NNIStrategiesError, SpaceExhausted, TooManyFailures
from nni_strategies.nni_database import SHOWN, without_shown
from nni_strategies.search.searcher import Searcher, Trial
from nni_strategies.search.study import Study
from nni_strategies.space.from_json import space_from_json
from nni_strategies.space.search_space import SearchSpace

_logger = logging.getLogger(__name__)

MIXED_PAIRS = (
    "NNI 3.0 runs concurrent trials with each other's parameters and records the wrong ones: the rows of the web UI, "
    "nnictl's exports and its top trials cannot be trusted in this experiment. The search itself learns from the "
    "right pairs, and `nni_strategies report` shows them. To have them right everywhere, start experiments with "
    "`nni_strategies launch --config CONFIG`, or set trialConcurrency to 1."
)


class StudyTuner(GuardedTuner):
    """Base of this package's tuners: a subclass names its searcher.

    Parameters
    ----------
    optimize_mode
        ``maximize`` or ``minimize`` the ``default`` metric.
    seed
        Of the search, a non-negative integer; a random one (kept in the journal) when None.
    prior
        Where blind draws come from: a name, or ``{name: ..., ...}`` (:mod:`.named_prior`); uniform when None.
    **class_args
        The fields of ``searcher_class.Config``.

    Raises
    ------
    InvalidArgument
        Where no NNI manager runs the tuner. Under NNI the experiment ends with status ``ERROR`` instead.
    """

    searcher_class: ClassVar[type[Searcher]]

    def __init__(
        self, optimize_mode: str = "maximize", seed: int | None = None, prior: Any = None, **class_args: Any
    ) -> None:
        self.study: Study | None = None
        super().__init__()
        self._args: ClassArgs | None = None
        self._make_prior: MakePrior | None = None
        self._trials: dict[int, int] = {}  # NNI's parameter id -> the study's trial, of this run
        self._ended: dict[int, tuple[int, bool]] = {}  # trial -> its parameter id, and success; no result yet
        self._recovery = Recovery()
        self._reissue: list[int] = []
        self._withhold = 0
        self._run = 0
        self._search_space: Any = None
        self._warned = False
        with self._refusing():
            self._args = self.read_args(optimize_mode, seed, class_args)
            self._make_prior = named_prior(prior)

    def read_args(self, optimize_mode: Any, seed: Any, class_args: Mapping[str, Any]) -> ClassArgs:
        """Check the class arguments; a subclass that takes more than a configuration holds overrides this."""
        return read_class_args(self.searcher_class.Config, optimize_mode, seed, class_args)

    def make_searcher(self, space: SearchSpace) -> Searcher:
        """Build the algorithm; a subclass that wraps one overrides this."""
        prior = None if self._make_prior is None else self._make_prior(space)
        return self.searcher_class(space, self._args.config if self._args else None, prior=prior)

    # -- the search space -------------------------------------------------------------------------

    def update_search_space(self, search_space: Any) -> None:
        """Take the search space; one that differs from that of a running search is refused with a log.

        Raises
        ------
        InvalidSearchSpace, JournalError
            Where no NNI manager runs the tuner.
        """
        with self._refusing(), self._lock:
            if self._refusal is not None:
                return
            if self.study is not None:
                self._keep_space(self.study, search_space)
                return
            self.study = self._open(space_from_json(search_space))
            self._search_space = search_space

    def _keep_space(self, study: Study, search_space: Any) -> None:
        """Refuse another space, and give NNI back the one there is: it would resume with the other."""
        try:
            if space_from_json(search_space).hash == study.space.hash:
                return
        except NNIStrategiesError:
            pass
        self.counts["changed spaces"] += 1
        _logger.error("the search space of a running search cannot change: it goes on in the one it began with")
        if self._dispatcher is not None:
            restore_search_space(self._dispatcher.rest, self._search_space)

    def _open(self, space: SearchSpace) -> Study:
        assert self._args is not None  # a refusal came first
        path = None if self._dispatcher is None else self._dispatcher.journal
        study = open_study(self.make_searcher(space), path, seed=self._args.seed, maximize=self._args.maximize)
        self._run = count_runs(study)
        if self._dispatcher is not None:
            study.note("run", run=self._run)
            if self._dispatcher.resumed:
                self._recover(study, self._dispatcher)
        return study

    def _recover(self, study: Study, dispatcher: Dispatcher) -> None:
        try:
            self._recovery = recover(study, read_record(dispatcher.database), since=dispatcher.since)
        except (sqlite3.Error, OSError) as error:
            _logger.warning("%s cannot be read (%s): the journal alone is resumed", dispatcher.database, error)
            return
        self._reissue = list(self._recovery.reissue)
        self._withhold = len(self._recovery.rerun)
        stop_needless(dispatcher.rest, self._recovery.needless)
        _logger.info(
            "resumed: %d results, %d of them from NNI's database only; %d trials run again, %d proposals issued again",
            len(study.finished),
            self._recovery.gained,
            self._withhold,
            len(self._reissue),
        )

    # -- proposals --------------------------------------------------------------------------------

    def generate_multiple_parameters(self, parameter_id_list: list[int], **kwargs: Any) -> list[Any]:
        """Propose the parameters of several trials; fewer when there is a reason, never an exception under NNI."""
        report = reporter(kwargs)
        issued: list[Any] = []
        with self._lock:
            withheld = min(self._withhold, len(parameter_id_list))
            self._withhold -= withheld
            for parameter_id in parameter_id_list[: len(parameter_id_list) - withheld]:
                try:
                    issued.append(self._issue(parameter_id))
                except SpaceExhausted as error:
                    _logger.info("%s", error)
                    if self._dispatcher is not None:
                        end_experiment(self._dispatcher.rest, list(self._trials))
                    break
                except Exception as error:
                    if report is None:
                        raise
                    self._give_up(error, report, self._last_words(error))
                    break
        return issued

    def generate_parameters(self, parameter_id: int, **kwargs: Any) -> Any:
        """Propose the parameters of one trial, as NNI gives them to it.

        Raises
        ------
        nni.NoMoreTrialError
            The space is exhausted, or too many trials failed in a row.
        """
        try:
            return self._issue(parameter_id)
        except (SpaceExhausted, TooManyFailures) as error:
            raise nni.NoMoreTrialError(str(error)) from error

    def _issue(self, parameter_id: int) -> Any:
        with self._lock:
            if self._refusal is not None:
                raise self._refusal
            if self.study is None:
                raise NNIStrategiesError("no search space yet: call update_search_space first")
            self._settle(self.study)
            trial = self._next(self.study)
            self._trials[parameter_id] = trial.id
            self.study.note("issued", trial=trial.id, run=self._run, parameter_id=parameter_id)
            self._warn_of_mixed_pairs()
            parameters, told = self.study.space.nest(trial.configuration), self.shown(self.study, trial)
            return parameters if told is None else {**parameters, SHOWN: told}

    def shown(self, study: Study, trial: Trial) -> str | None:
        """Return a line that NNI's web UI shows beside a trial's parameters; a subclass may have one."""
        return None

    def _next(self, study: Study) -> Trial:
        while self._reissue:
            trial = study.trials[self._reissue.pop(0)]
            if trial.pending:
                return trial
        return study.ask()

    def _last_words(self, error: Exception) -> str:
        """Return what the trials that failed said, where they are why the search ends."""
        if isinstance(error, TooManyFailures) and self._dispatcher is not None:
            return last_words(self._dispatcher.folder)
        return ""

    # -- results ----------------------------------------------------------------------------------

    @never_raises
    def receive_trial_result(self, parameter_id: int, parameters: Any, value: Any, **kwargs: Any) -> None:
        """Take a trial's final result, in any form; late, repeated and unknown ones do no harm."""
        with self._lock:
            trial = self._trials.get(parameter_id)
            if self.study is None or trial is None:
                self.counts["unknown results"] += 1
                return
            self._ended.pop(trial, None)
            self.study.tell(trial, value)

    @never_raises
    def trial_end(self, parameter_id: int, success: bool, **kwargs: Any) -> None:
        """Note that a trial ended; without a result it is a failure as soon as none can come any more."""
        with self._lock:
            trial = self._trials.get(parameter_id)
            if self.study is None or trial is None:
                self.counts["unknown ends"] += 1
            elif self.study.trials[trial].pending:
                self._ended[trial] = parameter_id, bool(success)

    def _settle(self, study: Study) -> None:
        on_purpose = self._stopped()
        for trial, (parameter_id, success) in self._ended.items():
            if parameter_id in on_purpose:
                study.stop(trial, "the trial was stopped, by the assessor it seems")
                continue
            reason = "ended well, but reported no final result" if success else "failed, or was stopped"
            study.fail(trial, f"the trial {reason}")
        self._ended.clear()
        if self._dispatcher is not None and self._recovery.waiting(study):
            with contextlib.suppress(sqlite3.Error, OSError):  # locked, or being written: the next proposal asks again
                fail_ended_reruns(study, self._recovery, read_record(self._dispatcher.database))

    def _stopped(self) -> set[int]:
        """Return the parameter ids of trials that an assessor stopped: NNI tells a tuner that they failed."""
        lost = any(not success for _, success in self._ended.values())
        if self._dispatcher is None or not self._dispatcher.assesses or not lost:
            return set()
        try:
            return stopped(read_record(self._dispatcher.database))
        except (sqlite3.Error, OSError):  # then they count as failures
            return set()

    @never_raises
    def import_data(self, data: list[Mapping[str, Any]]) -> None:
        """Take results from elsewhere: a warm start, or a trial that NNI ran again after a resume.

        Only what the study lacks is filled in, matched on the configuration. What NNI exports of its own trials on
        resume is ignored: its pairing may be wrong, and the database was read with the right one.
        """
        with self._lock:
            if self.study is None:
                return
            for entry in data:
                self._import(self.study, entry)

    @never_raises
    def _import(self, study: Study, entry: Any) -> None:
        parameters = entry.get("parameter") if isinstance(entry, Mapping) else None
        if not isinstance(parameters, Mapping):
            self.counts["imports without parameters"] += 1
            return
        if str(entry.get("trialJobId")) in self._recovery.jobs:
            return
        configuration = study.space.flatten(without_shown(parameters))
        trial = study.find(configuration)
        if trial is None or study.trials[trial].value is None:
            study.import_result(configuration, entry.get("value"))

    # -- NNI's life cycle -------------------------------------------------------------------------

    def load_checkpoint(self) -> None:
        """Do nothing: the journal is replayed when the search space is known, which NNI sends next."""

    def save_checkpoint(self) -> None:
        """Do nothing: every event is in the journal before anyone acts on it."""

    @never_raises
    def _on_exit(self) -> None:
        with self._lock:
            if self.study is not None:
                self._settle(self.study)
        self._let_go()

    def _let_go(self) -> None:
        if self.study is not None:
            self.study.journal.close()

    def _warn_of_mixed_pairs(self) -> None:
        if self._warned or self._dispatcher is None or not self._dispatcher.mixes_pairs:
            return
        if self.study is not None and len(self.study.pending) > 1:
            self._warned = True
            _logger.warning(MIXED_PAIRS)
