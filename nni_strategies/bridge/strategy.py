"""StudyStrategy: a study as a multi-trial strategy of ``nni.nas``.

Thin by design: it maps models to the study's trials, submits while there is a place and a budget, and ends when
there is nothing left to propose. The rules NNI 3.0 forces:

* Results come on another thread, and what a callback raises kills it: nothing is raised, and metrics that NNI's own
  default handling would stumble over are kept from it.
* NNI writes its checkpoint only at start and stop, so the state is the journal, which lies beside that checkpoint
  (``<experiment>/checkpoint/journal.jsonl``); ``state_dict()`` is empty.
* NNI's engine keeps submitted models by weak reference and pairs the others wrongly: all are kept here, and
  :meth:`StudyStrategy.list_models` reads the journal.
* An end without a result is a failure only when the next proposal is due: a stop ends trials too, and those are
  to be run again.

Higher is better, always, as everywhere in ``nni.nas``.
"""

from __future__ import annotations

import inspect
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
from nni.nas.execution.event import FinalMetricEvent, IntermediateMetricEvent, ModelEventType, TrainingEndEvent
from nni.nas.space import ExecutableModelSpace, ModelStatus
from nni.nas.strategy.base import Strategy, StrategyStatus

from nni_strategies.bridge import nas_engine
from nni_strategies.bridge.class_args import read_class_args
from nni_strategies.bridge.exhaustion import end_experiment
from nni_strategies.bridge.named_prior import named_prior
from nni_strategies.bridge.nas_recovery import recover_experiment
from nni_strategies.bridge.open_study import count_runs, open_study
from nni_strategies.bridge.reruns import stop_needless
from nni_strategies.bridge.study_models import StudyModels
from nni_strategies.errors import InvalidArgument, NNIStrategiesError, SpaceExhausted
from nni_strategies.search.searcher import Prior, Searcher, Trial
from nni_strategies.search.study import Study
from nni_strategies.space.from_nni import ModelSpaceView
from nni_strategies.space.nni_usage import module_of
from nni_strategies.space.search_space import SearchSpace

_logger = logging.getLogger(__name__)

_POLL = 0.1  # seconds between two looks for a free place
_BUDGET_POLL = 1.0  # seconds between two questions to the manager
_UNANSWERED = 5  # questions in a row the manager may leave unanswered

_MIXED_PAIRS = (
    "NNI 3.0 records concurrent trials with each other's parameters: the rows of the web UI cannot be trusted in this "
    "experiment. The search learns from the right pairs, and export_top_models() gives them. To have them right "
    "everywhere take nni_strategies.bridge.experiment.NasExperiment in place of NNI's, or one trial at a time."
)


class StudyStrategy(Strategy):  # type: ignore[misc]  # NNI has no types
    """Base of this package's strategies: a subclass names its searcher.

    Parameters
    ----------
    seed
        Of the search, a non-negative integer; a random one (kept in the journal) when None.
    journal
        File to keep the search in, and to go on from when it exists. When None: beside the checkpoint of an
        experiment that has a manager, else in memory.
    prior
        Where blind draws come from: a prior, a function that makes one for the search space, or a name or
        ``{"name": ..., ...}`` (:mod:`.named_prior`).
    **config
        The fields of ``searcher_class.Config``.

    Attributes
    ----------
    study
        The search, once an experiment has started.
    problem
        Why the search gave up; None while it goes on and when it came to its end.

    Raises
    ------
    InvalidArgument
        An unknown name or a bad value, before any work starts.
    """

    searcher_class: ClassVar[type[Searcher]]

    def __init__(
        self,
        *,
        seed: int | None = 0,
        journal: Path | str | None = None,
        prior: Prior | Callable[[SearchSpace], Prior] | str | Mapping[str, Any] | None = None,
        **config: Any,
    ) -> None:
        super().__init__()
        if "optimize_mode" in config:
            allowed = "absent: nni.nas maximizes always; report the negated metric to minimize"
            raise InvalidArgument("optimize_mode", config["optimize_mode"], allowed)
        if journal is not None and not isinstance(journal, (str, Path)):
            raise InvalidArgument("journal", journal, "a path, or None")
        if isinstance(prior, (str, Mapping)):
            prior = named_prior(prior)
        if prior is not None and not callable(prior) and not hasattr(prior, "sample_codes"):
            raise InvalidArgument("prior", prior, "a Prior, a function that makes one for a search space, or None")
        self._args = read_class_args(self.searcher_class.Config, "maximize", seed, config)
        self._journal = journal
        self._prior = prior
        self.study: Study | None = None
        self.counts: Counter[str] = Counter()
        self._models: StudyModels | None = None
        self._module: Any = None
        self._ended: dict[int, str] = {}  # trial -> how NNI ended it; no result yet
        self._n_submitted = 0  # to this experiment, in all its runs
        self._issued: list[int] = []  # parameter ids of this run
        self._run_number = 0
        self.problem: str | None = None

    def keep_in(self, path: Path | str) -> None:
        """Keep the search in this file unless ``journal=`` named another; before the strategy is initialized."""
        if self._journal is None:
            self._journal = path

    @property
    def in_flight(self) -> int:
        """Number of submitted trials whose end is not known yet."""
        if self.study is None or self._models is None:
            return 0
        return sum(trial.id in self._models and trial.id not in self._ended for trial in self.study.pending)

    def look_at(self, model_space: Any) -> None:
        """See the model space before :meth:`make_searcher` gets the search space made of it: its class says more."""
        self._module = module_of(model_space)

    def make_searcher(self, space: SearchSpace) -> Searcher:
        """Build the algorithm; a subclass that wraps one overrides this."""
        return self.searcher_class(space, self._args.config, prior=self.make_prior(space))

    def make_prior(self, space: SearchSpace) -> Prior | None:
        """Return what ``prior=`` stands for in this search space."""
        prior: Any = self._prior
        if not callable(prior) or hasattr(prior, "sample_codes"):
            ready: Prior | None = prior
            return ready
        knows = "model_space" in inspect.signature(prior).parameters
        made: Prior = prior(space, self._module) if knows else prior(space)
        return made

    def extra_repr(self) -> str:
        """Say what the search is."""
        return f"seed={self._args.seed}, {self._args.config}"

    # -- NNI's life cycle -------------------------------------------------------------------------

    def _initialize(self, model_space: Any, engine: Any) -> Any:
        self.look_at(model_space)
        models = StudyModels(model_space, ModelSpaceView(model_space))
        path, folder = self._journal, nas_engine.checkpoint_folder(engine)
        if path is None and folder is not None:
            path = folder / "journal.jsonl"
        self.study = open_study(self.make_searcher(models.view.space), path, seed=self._args.seed)
        self._models = models
        return model_space

    def state_dict(self) -> dict[str, Any]:
        """Return nothing: the journal is the state, and it is durable at every moment."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Do nothing: the journal was replayed when the strategy was initialized."""

    def _run(self) -> None:
        study, models = self._opened()
        try:
            for kind, callback in (
                (ModelEventType.FinalMetric, self._on_final_metric),
                (ModelEventType.IntermediateMetric, self._on_intermediate_metric),
                (ModelEventType.TrainingEnd, self._on_training_end),
            ):
                self.engine.register_model_event_callback(kind, callback)
            if nas_engine.mixes_pairs(self.engine):
                _logger.warning(_MIXED_PAIRS)
            waiting = deque(self._resume(study, models))
            while self.wait_for_resource():
                self.settle()
                trial = study.trials[waiting.popleft()] if waiting else study.ask()
                if trial.pending and not self._submit(study, models, trial):
                    break
            self.settle()
        except SpaceExhausted as end:
            _logger.info("the search is complete: %s", end)
            experiment = nas_engine.experiment_of(self.engine)
            if experiment is not None:  # its status becomes DONE when the last trial ends
                end_experiment(nas_engine.rest_of(experiment), self._issued)
        except NNIStrategiesError as error:
            self._give_up(str(error))
        except Exception as error:
            self._give_up(repr(error), exc_info=True)
        self._close_when_done()

    def _cleanup(self) -> None:
        interrupted = self._status is not StrategyStatus.SUCCEEDED  # then nothing more is to be written
        if interrupted or (self.study is not None and not self.study.pending):
            self.close()

    def close(self) -> None:
        """Let go of the journal: what happens to trials from now on (a stop ends them) is not written down."""
        if self.study is not None:
            self.study.journal.close()

    def _give_up(self, problem: str, *, exc_info: bool = False) -> None:
        self.problem = problem
        _logger.error("the search ends early: %s", problem, exc_info=exc_info)

    def _close_when_done(self) -> None:
        if self._status is not StrategyStatus.RUNNING and self.study is not None and not self.study.pending:
            self.close()

    def wait_for_resource(self) -> bool:
        """Wait for a free place; False when the budget is spent or the manager is gone."""
        unanswered, asked = 0, -_BUDGET_POLL
        while True:
            idle = self.engine.idle_worker_available()
            if idle or time.monotonic() - asked >= _BUDGET_POLL:
                asked = time.monotonic()
                try:
                    if idle or not self.engine.budget_available():
                        return bool(idle and self.engine.budget_available() and self._within_maximum())
                    unanswered = 0
                except Exception as error:  # whatever the engine's connection raises
                    unanswered += 1
                    if unanswered >= _UNANSWERED:
                        self._give_up(f"the NNI manager does not answer ({error}); resume the experiment to go on")
                        return False
                    time.sleep(_BUDGET_POLL)
            time.sleep(_POLL)

    def _within_maximum(self) -> bool:
        maximum = nas_engine.most_trials(self.engine)
        return maximum is None or self._n_submitted < maximum

    # -- submitting -------------------------------------------------------------------------------

    def _opened(self) -> tuple[Study, StudyModels]:
        if self.study is None or self._models is None:
            raise RuntimeError("Strategy has not been initialized.")
        return self.study, self._models

    def _resume(self, study: Study, models: StudyModels) -> list[int]:
        """Bring the study up to what NNI knows; return the trials to submit again, in their order."""
        self._run_number = count_runs(study)
        study.note("run", run=self._run_number)
        concluded = [trial for trial in study.trials if not trial.pending]
        nas_engine.count_models(self.engine, len(concluded))
        experiment = nas_engine.experiment_of(self.engine)
        if experiment is None or not study.trials:
            return [trial.id for trial in study.pending]
        recovery, adopted = recover_experiment(study, models.view, experiment, self.engine)
        for parameter_id, trial_id in adopted.items():
            model = self._build(study, models, study.trials[trial_id])
            if model is not None:
                model.status = ModelStatus.Training
                nas_engine.adopt(self.engine, parameter_id, model)
        nas_engine.occupy(self.engine, len(recovery.rerun))
        stop_needless(nas_engine.rest_of(experiment), recovery.needless)
        # A trial that was run again may have ended before its model was adopted.
        recovery, _ = recover_experiment(study, models.view, experiment, self.engine, say=False)
        self._n_submitted = len(recovery.jobs)
        return list(recovery.reissue)

    @staticmethod
    def _build(study: Study, models: StudyModels, trial: Trial) -> Any:
        """Return the trial's model; None where the model space refuses it, which is the trial's failure."""
        try:
            return models.build(trial)
        except Exception as error:
            _logger.warning("trial %d cannot be built", trial.id, exc_info=True)
            study.fail(trial.id, f"the model space refuses the configuration: {error!r}")
            return None

    def _submit(self, study: Study, models: StudyModels, trial: Trial) -> bool:
        """Submit a trial; False when the engine takes no more."""
        model = self._build(study, models, trial)
        if model is None:
            return True
        try:
            self.engine.submit_models(model)
        except Exception as error:
            if study.trials[trial.id].pending and trial.id not in self._ended:
                self._give_up(f"the engine takes no more models: {error!r}")
                return False
            _logger.warning("trial %d failed", trial.id, exc_info=True)
            if study.trials[trial.id].pending:
                self._ended[trial.id] = f"failed: {error!r}"
            return True
        self._n_submitted += 1
        parameter_id = nas_engine.last_parameter_id(self.engine)
        if parameter_id is not None:
            self._issued.append(parameter_id)
            study.note("issued", trial=trial.id, run=self._run_number, parameter_id=parameter_id)
        return True

    # -- results, on the engine's thread ----------------------------------------------------------

    def _trial_of(self, model: Any) -> int | None:
        return None if self.study is None or self._models is None else self._models.trial_of(model, self.study)

    def _on_final_metric(self, event: FinalMetricEvent) -> None:
        try:
            trial_id = self._trial_of(event.model)
            if trial_id is None or self.study is None:
                self.counts["unknown results"] += 1
                return
            event.prevent_default()  # it raises for what is not a number
            self.study.tell(trial_id, event.metric)
            trial = self.study.trials[trial_id]
            if trial.value is not None:
                event.model.metrics.final = trial.value
                self._ended.pop(trial_id, None)
            self._close_when_done()
        except Exception:
            self._complain("a result could not be taken")

    def _on_intermediate_metric(self, event: IntermediateMetricEvent) -> None:
        metric = event.metric.get("default") if isinstance(event.metric, dict) else event.metric
        if not isinstance(metric, (int, float)):
            event.prevent_default()

    def _on_training_end(self, event: TrainingEndEvent) -> None:
        try:
            trial_id = self._trial_of(event.model)
            if trial_id is None or self.study is None:
                self.counts["unknown ends"] += 1
            elif self.study.trials[trial_id].pending and event.status is not ModelStatus.Interrupted:
                trained = event.status is ModelStatus.Trained
                reason = "ended well, but reported no final result" if trained else "failed, or was stopped"
                self._ended[trial_id] = f"the trial {reason}"
        except Exception:
            self._complain("the end of a trial could not be taken")

    def settle(self) -> None:
        """Make failures of the trials that ended without a result."""
        if self.study is not None:
            while self._ended:
                trial_id, reason = self._ended.popitem()
                self.study.fail(trial_id, reason)
        self._close_when_done()

    def _complain(self, what: str) -> None:
        self.counts[what] += 1
        if self.counts[what] == 1:
            _logger.warning("%s; the search goes on", what, exc_info=True)

    # -- what was found ---------------------------------------------------------------------------

    def list_models(self, sort: bool = True, limit: int | None = None) -> Iterator[ExecutableModelSpace]:
        """List the models of all runs of this search, from the journal.

        NNI's own list pairs models with other models' results in an experiment with concurrent trials.

        Parameters
        ----------
        sort
            Best first, only those with a result; else all, in the order of their proposals.
        limit
            How many at most.
        """
        if self.study is None or self._models is None:
            raise RuntimeError("Strategy has not been run.")
        trials = list(self.study.trials)
        if sort:
            trials = sorted(self.study.finished, key=lambda trial: (-(trial.value or 0.0), trial.id))
            if limit is not None and limit > len(trials):
                _logger.warning("Only %d models are trained, but %d top models are requested.", len(trials), limit)
        yield from self._models.with_results(trials[:limit])
