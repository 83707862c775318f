"""MirrorStimuli: experts guide any multi-trial strategy of ``nni.nas``, ``Chain(strategy, MirrorStimuli(...))``.

``mode="prior"``, the default, changes no metric, but what NNI's ``Random`` and ``RegularizedEvolution`` draw at random
(:mod:`.guided_space`), and the first models of ``TPE``, ``GridSearch`` (:mod:`.prior_first`) and ``PolicyBasedRL``
(:mod:`.prior_policy`). ``mode="paper"`` changes every final metric on its way up to the strategy (:mod:`.reward`).
Either way S, the raw metric and the shaped one are kept, in ``checkpoint/mirror_stimuli.jsonl`` of an experiment that
has a manager (:mod:`.shaper`).

What NNI 3.0 makes necessary:

* A middleware's callbacks run before the strategy's, so an event whose metric is replaced reaches every strategy.
* NNI's engine keeps models by weak reference and reads collected ones from its database, with raw metrics: all are
  kept here, and :meth:`MirrorStimuli.list_models` lists those.
* ``Deduplication("replay")`` below would replay a shaped metric to be shaped again: refused.
* Strategies end before their last trials do, so callbacks stay until the last one has ended.
* A middleware is not told which strategy it serves: it looks at who initializes it.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, cast

import nni_strategies.bridge.torchvision_first  # noqa: F401  # nni.nas imports torchvision

# isort: split
from nni.nas.execution import Middleware
from nni.nas.execution.event import FinalMetricEvent, ModelEventType, TrainingEndEvent
from nni.nas.space import ModelStatus
from nni.nas.strategy import GridSearch, PolicyBasedRL
from nni.nas.strategy.hpo import HPOTunerStrategy
from nni.nas.strategy.middleware import Chain, Deduplication, FailureHandler, Filter, StrategyMiddleware

from nni_strategies.bridge import nas_engine
from nni_strategies.bridge.class_args import read_class_args
from nni_strategies.bridge.open_study import open_journal
from nni_strategies.bridge.strategy import StudyStrategy
from nni_strategies.errors import InvalidArgument, refuse_unknown
from nni_strategies.irlas.given_experts import names_of, read_experts
from nni_strategies.irlas.guided_space import GuidedDraws
from nni_strategies.irlas.latency_terms import Constraint, LatencyTerm, profiled
from nni_strategies.irlas.prior_first import GridWithPrior, TunerWithPrior
from nni_strategies.irlas.prior_policy import PolicyWithPrior
from nni_strategies.irlas.scoring import DEFAULT_EXPERTS, blocks_function
from nni_strategies.irlas.shaper import ShapedTrial, Shaper
from nni_strategies.irlas.shaping_config import ShapingConfig
from nni_strategies.search.journal import Journal
from nni_strategies.search.metrics import is_plain_number
from nni_strategies.search.searcher import Prior
from nni_strategies.space.from_nni import ModelSpaceView
from nni_strategies.space.nni_usage import module_of

_logger = logging.getLogger(__name__)

_FILE = "mirror_stimuli.jsonl"
_PATIENCE = 1000  # models in a row that are not trained, as NNI's Filter has it

Guided = GuidedDraws | TunerWithPrior | GridWithPrior | PolicyWithPrior


class MirrorStimuli(StrategyMiddleware):  # type: ignore[misc]  # NNI has no types
    """A middleware that guides the strategy above it by expert networks.

    Parameters
    ----------
    experts
        Names of built-in experts, files, graphs, networks, stimuli: see :func:`~.given_experts.read_experts`.
    latency
        As in :class:`~.shaping_config.ShapingConfig`, or a function (value, latency_ms) -> value itself.
    profiler
        A profiler of NNI, or a function of a sample: what it gives counts as ``latency_ms`` of trials that report none.
        For paper mode with a latency term, in the units of its target. Where the term is ``constraint``, models that it
        gives too much are not trained: they end as invalid.
    min_score
        Models of lower S are not trained: they end as invalid.
    journal
        File to keep everything in. When None: beside the checkpoint of an experiment that has a manager, else in
        memory.
    **options
        The fields of :class:`~.shaping_config.ShapingConfig`: ``mode``, ``lam``, …

    Attributes
    ----------
    shaper
        Scores and metrics of all trials, once an experiment has started.

    Raises
    ------
    InvalidArgument
        An unknown name or a bad value, at construction. When an experiment starts: a space whose topology cannot be
        read, a middleware below that would have metrics shaped twice, or a strategy that has experts itself.
    """

    def __init__(
        self,
        *,
        experts: Any = DEFAULT_EXPERTS,
        latency: LatencyTerm | Mapping[str, Any] | str | None = None,
        profiler: Any = None,
        min_score: float | None = None,
        journal: Path | str | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        if "optimize_mode" in options:
            allowed = "absent: nni.nas maximizes always; report the negated metric to minimize"
            raise InvalidArgument("optimize_mode", options["optimize_mode"], allowed)
        names = ["profiler", "min_score", "journal", *(f.name for f in fields(ShapingConfig))]
        refuse_unknown("MirrorStimuli", options, names, "arguments")
        if not callable(latency):
            options["latency"] = latency
        self._experts = read_experts(experts)
        options["experts"] = names_of(experts, self._experts)
        self.config = cast("ShapingConfig", read_class_args(ShapingConfig, class_args=options).config)
        if callable(latency) and self.config.mode == "prior":
            raise InvalidArgument("latency", latency, "absent: it is for mode='paper', prior changes no metric")
        if min_score is not None and not (is_plain_number(min_score) and -1 <= min_score <= 1):
            raise InvalidArgument("min_score", min_score, "a number in [-1, 1], or None")
        if journal is not None and not isinstance(journal, (str, Path)):
            raise InvalidArgument("journal", journal, "the path of a file, or None")
        self._latency_term = latency if callable(latency) else self.config.latency_term()
        if profiler is not None and self._latency_term is None:
            raise InvalidArgument("profiler", repr(profiler), "beside latency=, the term it is for")
        self._predicts = profiler if profiler is None or callable(profiler) else profiled(profiler)
        self._min_score, self._path = min_score, journal
        self.shaper: Shaper | None = None
        self._view: ModelSpaceView | None = None
        self._draws: Guided | None = None
        self._models: list[Any] = []  # all that were submitted, kept alive
        self._trials: dict[int, int] = {}  # id of a model -> trial
        self._running: set[int] = set()
        self._rejected_in_a_row = self._unpredicted = 0
        self._done = False

    def extra_repr(self) -> str:
        """Say how metrics or draws are shaped."""
        return str(self.config)

    # -- NNI's life cycle -------------------------------------------------------------------------

    def _initialize_engine(self, engine: Any) -> None:
        self._refuse_replays(engine)
        engine.register_model_event_callback(ModelEventType.FinalMetric, self._on_final_metric)
        engine.register_model_event_callback(ModelEventType.TrainingEnd, self._on_training_end)

    def _refuse_replays(self, below: Any) -> None:
        while isinstance(below, Middleware) and self.config.mode == "paper":
            name = type(below).__name__
            replays = isinstance(below, Deduplication) and below.action == "replay"
            punishes = isinstance(below, FailureHandler) and below.metric is not None
            rejects = isinstance(below, Filter) and below.metric_for_invalid is not None
            if replays or punishes or rejects:
                what = "replays shaped metrics, which would be shaped again" if replays else "sends a metric of its own"
                allowed = f"above MirrorStimuli: {name} {what}. Write Chain(strategy, {name}(...), MirrorStimuli(...))"
                raise InvalidArgument("Chain", name, allowed)
            if isinstance(below, MirrorStimuli):
                raise InvalidArgument("Chain", name, "one MirrorStimuli in paper mode: two would shape twice")
            below = below.engine

    def _initialize_model_space(self, model_space: Any) -> Any:
        strategy = self._strategy()
        if getattr(strategy, "shapes_itself", False):
            allowed = "one that has no experts itself: give its own arguments in place of a MirrorStimuli around it"
            raise InvalidArgument("strategy", type(strategy).__name__, allowed)
        self._view = view = ModelSpaceView(model_space)
        blocks_of = blocks_function(self.config.topology, module_of(model_space))
        shaper = Shaper(view.space, self.config, blocks_of, self._experts, latency_term=self._latency_term)
        path, folder = self._path, nas_engine.checkpoint_folder(self.engine)
        if path is None and folder is not None:
            path = folder / _FILE
        shaper.open(Journal() if path is None else open_journal(Path(path)))
        self.shaper = shaper
        if self.config.mode == "prior":
            self._draws = self._guided(strategy, model_space, view, shaper.prior)
            self._warn_of_no_draws(strategy)
        return super()._initialize_model_space(model_space)

    def _guided(self, strategy: Any, model_space: Any, view: ModelSpaceView, prior: Prior) -> Guided:
        if isinstance(strategy, HPOTunerStrategy):
            return TunerWithPrior(strategy, view, prior, self.config.n_initial)
        if isinstance(strategy, GridSearch):
            return GridWithPrior(strategy, model_space, view, prior, self.config.n_initial)
        if isinstance(strategy, PolicyBasedRL):
            return PolicyWithPrior(strategy, model_space, view, prior, self.config.n_initial)
        return GuidedDraws(model_space, view, prior)

    def _strategy(self) -> Any:
        """Return the strategy of the chain that initializes this middleware right now, None outside of a chain."""
        frame = inspect.currentframe()
        while frame is not None:
            caller = frame.f_locals.get("self")
            if isinstance(caller, Chain) and any(one is self for one in caller._middlewares):
                return caller._strategy
            frame = frame.f_back
        return None

    def _warn_of_no_draws(self, strategy: Any) -> None:
        if isinstance(strategy, StudyStrategy):
            name = type(strategy).__name__
            _logger.warning(
                "the expert prior has no effect around %s: write %s(prior=expert_prior()) instead, with "
                "nni_strategies.irlas.prior.expert_prior",
                name,
                name,
            )

    def _cleanup(self) -> None:
        if self._draws is not None:
            fresh = self.shaper is not None and len(self.shaper.trials) == len(self._models)
            if self._models and fresh and not self._draws.count:
                _logger.warning("the expert prior had no effect: the strategy drew nothing from the model space")
            self._draws.release()
        self._done = True
        if not self._running:
            self._stop_listening()
            self.engine.unregister_model_event_callback(ModelEventType.TrainingEnd, self._on_training_end)

    def _stop_listening(self) -> None:
        self.engine.unregister_model_event_callback(ModelEventType.FinalMetric, self._on_final_metric)
        self.close()

    def close(self) -> None:
        """Let go of the journal."""
        if self.shaper is not None:
            self.shaper.journal.close()

    def state_dict(self) -> dict[str, Any]:
        """Return the journal: JSON types only."""
        return {"events": list(self._opened()[0].journal.events)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what the journal lacks of a state.

        Raises
        ------
        JournalError
            It is the state of another search.
        """
        self._opened()[0].restore(state_dict["events"])

    def register_model_event_callback(self, event_type: Any, callback: Any) -> None:
        """Register with the engine too: its events are what this middleware shapes."""
        super().register_model_event_callback(event_type, callback)
        self.engine.register_model_event_callback(event_type, callback)

    def unregister_model_event_callback(self, event_type: Any, callback: Any) -> None:
        """Undo :meth:`register_model_event_callback`."""
        super().unregister_model_event_callback(event_type, callback)
        self.engine.unregister_model_event_callback(event_type, callback)

    # -- models -----------------------------------------------------------------------------------

    def _opened(self) -> tuple[Shaper, ModelSpaceView]:
        if self.shaper is None or self._view is None:
            raise RuntimeError("MirrorStimuli is not initialized: chain it with a strategy, and start an experiment")
        return self.shaper, self._view

    def submit_models(self, *models: Any) -> None:
        """Score models and hand them on, but for those of too low a score, and those predicted to be too slow."""
        shaper, _ = self._opened()
        for model in models:
            number = self._propose(model)
            reason = self._objection(shaper.trials[number])
            if reason is not None:
                self._rejected_in_a_row += 1
                shaper.fail(number, reason)
                self.dispatch_model_event(ModelEventType.TrainingEnd, status=ModelStatus.Invalid, model=model)
                continue
            self._rejected_in_a_row = 0
            self._running.add(number)
            self.engine.submit_models(model)
            parameter_id = nas_engine.last_parameter_id(self.engine)
            if parameter_id is not None:
                shaper.note("issued", trial=number, parameter_id=parameter_id)

    def _objection(self, trial: ShapedTrial) -> str | None:
        """Return why a model is not trained, or None."""
        if self._min_score is not None and trial.stimuli < self._min_score:
            return f"S = {trial.stimuli:.3f} is below min_score"
        term, predicted = self._latency_term, trial.latency_ms
        if isinstance(term, Constraint) and predicted is not None and predicted > term.limit:
            return f"its latency is predicted as {predicted:g}, above the limit"
        return None

    def _propose(self, model: Any, source: str | None = None) -> int:
        shaper, view = self._opened()
        configuration = view.configuration(model.sample)
        number = shaper.unfinished(configuration, set(self._trials.values()))  # of an earlier run
        if number is None:
            number = shaper.propose(configuration, source=source, latency_ms=self._predicted(model.sample))
        if id(model) not in self._trials:  # one that failed may be tried again
            self._models.append(model)
        self._trials[id(model)] = number
        return number

    def _predicted(self, sample: Mapping[str, Any]) -> float | None:
        if self._predicts is None:
            return None
        try:
            return float(self._predicts(dict(sample)))
        except Exception:  # a profiler may be somebody else's
            if not self._unpredicted:
                _logger.warning("no latency was predicted of %s", sample, exc_info=True)
            self._unpredicted += 1
            return None

    def budget_available(self) -> bool:
        """Whether the engine has a budget, and not only models of low scores come."""
        if self._rejected_in_a_row >= _PATIENCE:
            told = "%d models in a row were below min_score or predicted too slow: the search ends"
            _logger.warning(told, self._rejected_in_a_row)
            return False
        return bool(self.engine.budget_available())

    def wait_models(self, *models: Any) -> None:
        """Wait until models have ended, as the engine does."""
        self.engine.wait_models(*models)

    def list_models(self, status: ModelStatus | None = None) -> Iterator[Any]:
        """List the models of all runs of this search, each with the metric the strategy was told."""
        shaper, view = self._opened()
        known = set(self._trials.values())
        for trial in list(shaper.trials):
            if trial.id not in known and trial.shaped is not None and status in (None, ModelStatus.Trained):
                model = self.model_space.freeze(view.sample(trial.configuration))
                model.status, model.metrics.final = ModelStatus.Trained, trial.shaped
                yield model
        for model in list(self._models):
            if status is None or model.status == status:
                yield model

    def top(
        self, k: int, rank_by: Literal["raw", "shaped"] = "raw", max_latency_ms: float | None = None
    ) -> list[ShapedTrial]:
        """Return the best trials by their raw metric, or by the shaped one; see :meth:`.shaper.Shaper.top`."""
        return self._opened()[0].top(k, rank_by, max_latency_ms)

    # -- events, on the engine's thread -----------------------------------------------------------

    def _on_final_metric(self, event: FinalMetricEvent) -> None:
        try:
            number = self._trials.get(id(event.model))
            if number is None:  # a trial that a resumed manager runs again
                number = self._propose(event.model, "import")
            event.metric = self._opened()[0].conclude(number, event.metric)
        except Exception:
            _logger.exception("a metric was not shaped: %r", event.metric)

    def shape_recovered(self, configuration: Mapping[str, Any], metric: Any) -> Any:
        """Return what the strategy is told of a result that came while no strategy was there; shaped once."""
        shaper, _ = self._opened()
        known = dict(configuration)
        done = shaper.finished(known)
        if done is not None:
            return shaper.told(done, metric)
        number = shaper.unfinished(known)
        return shaper.conclude(shaper.propose(known, source="import") if number is None else number, metric)

    def _on_training_end(self, event: TrainingEndEvent) -> None:
        number = self._trials.get(id(event.model))
        if number is None or self.shaper is None:
            return
        ran = number in self._running  # an end may be told twice
        self._running.discard(number)
        if event.status not in (ModelStatus.Trained, ModelStatus.Interrupted):
            self.shaper.fail(number, "the trial failed, or was stopped")
        if self._done and ran and not self._running:
            self._stop_listening()  # but for this callback: the engine goes through the list of them right now
