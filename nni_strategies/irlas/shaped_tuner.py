"""MirrorStimuliTuner: experts guide any tuner of NNI, ``tuner: {name: MirrorStimuli, classArgs: {base_tuner: TPE}}``.

``mode="prior"``, the default: the first `n_initial` trials come from the expert prior, with its gate (:mod:`.prior`);
their results are handed to the base tuner by ``import_data``, then it proposes. ``mode="paper"``: the base tuner
proposes from the first trial on and is told A + lam S (:mod:`.reward`). What NNI's tuners make of ``import_data``: TPE
learns from it, and so do Anneal, GP, Metis, SMAC and DNGO where what they need is installed; GridSearch and Batch do
not try the same again; Random, Evolution and PBT ignore it, and a warning says so.

The raw metric, S and the shaped one are in ``<experiment>/checkpoint/journal.jsonl`` (:mod:`.shaper`); a resumed search
reads them there, and shapes only what it lacks of what NNI imports. What NNI 3.0 makes necessary otherwise is that of
:mod:`nni_strategies.bridge.tuner`: nothing is raised under NNI, and the end of a trial may overtake its result.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from nni_strategies.bridge.class_args import read_class_args
from nni_strategies.bridge.exhaustion import restore_search_space
from nni_strategies.bridge.guarded_tuner import GuardedTuner, never_raises, reporter
from nni_strategies.bridge.open_study import open_journal
from nni_strategies.bridge.tuner import StudyTuner
from nni_strategies.errors import NNIStrategiesError
from nni_strategies.irlas.base_tuner import give_prior, learns_from_imports, make_base
from nni_strategies.irlas.given_experts import names_of, read_experts
from nni_strategies.irlas.scoring import DEFAULT_EXPERTS, blocks_function
from nni_strategies.irlas.shaper import ShapedTrial, Shaper
from nni_strategies.irlas.shaping_config import ShapedTunerConfig
from nni_strategies.search.journal import Journal
from nni_strategies.search.metrics import is_plain_number
from nni_strategies.space.from_json import space_from_json
from nni_strategies.space.search_space import Configuration, SearchSpace

_logger = logging.getLogger(__name__)

_TRIES = 64  # draws from the prior for a point that was not tried

_NNI_CALLS = (
    "update_search_space",
    "generate_multiple_parameters",
    "generate_parameters",
    "receive_trial_result",
    "trial_end",
    "import_data",
    "load_checkpoint",
    "save_checkpoint",
    "_on_exit",
)


class MirrorStimuliTuner(GuardedTuner):
    """A tuner around another, guided by expert networks.

    Parameters
    ----------
    optimize_mode
        ``maximize`` or ``minimize`` the ``default`` metric; always given.
    seed
        Of the draws from the prior, and of a base tuner that takes one; random (kept in the journal) when None.
    **class_args
        The fields of :class:`~.shaping_config.ShapedTunerConfig`; ``experts`` may be whatever
        :func:`~.given_experts.read_experts` reads.

    Attributes
    ----------
    base
        The tuner that is guided.
    shaper
        Scores and metrics of all trials, once the search space is known.

    Raises
    ------
    InvalidArgument
        Where no NNI manager runs the tuner. Under NNI the experiment ends with status ``ERROR`` instead.
    """

    def __init__(self, optimize_mode: str | None = None, seed: int | None = None, **class_args: Any) -> None:
        self.shaper: Shaper | None = None
        self.base: Any = None
        super().__init__()
        self._search_space: Any = None
        self._trials: dict[int, int] = {}  # NNI's parameter id -> trial, of this run
        self._drawn: set[int] = set()  # trials from the prior
        self._ended: set[int] = set()  # parameter ids whose end came before a result
        self._given_up: set[int] = set()  # of these, those that the base tuner was told to have ended without one
        self._seed = 0
        with self._refusing():
            self._read(optimize_mode, seed, class_args)

    def _read(self, optimize_mode: Any, seed: Any, class_args: Mapping[str, Any]) -> None:
        mode = "maximize" if optimize_mode is None else optimize_mode  # make_base refuses None, with more to say
        given = class_args.get("experts", DEFAULT_EXPERTS)
        self._experts = read_experts(given)
        args = read_class_args(ShapedTunerConfig, mode, seed, {**class_args, "experts": names_of(given, self._experts)})
        self.config = config = cast("ShapedTunerConfig", args.config)
        self._given_seed, self._maximize = args.seed, args.maximize
        self._blocks_of = blocks_function(config.topology)
        self.base = base = make_base(config.base_tuner, config.base_args, optimize_mode, args.seed)
        self._accept_customized = getattr(base, "_accept_customized", False)
        if isinstance(base, StudyTuner):  # it then does all that NNI asks for
            give_prior(base, config, self._blocks_of, self._experts)
            for method in _NNI_CALLS:
                setattr(self, method, getattr(base, method))
        elif config.mode == "prior" and config.n_initial and not learns_from_imports(base):
            _logger.warning(
                "%s ignores imported results: it will know nothing of the first %d trials, which come from the prior",
                config.base_tuner,
                config.n_initial,
            )

    def prepare(self, space: SearchSpace) -> None:
        """Find what is wrong with a search space before an experiment starts; raises InvalidArgument."""
        if isinstance(self.base, StudyTuner):
            self.base.make_searcher(space)
        else:
            self._make_shaper(space)

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
            space = space_from_json(search_space)
            if self.shaper is None:
                self._open(space, search_space)
            elif space.hash != self.shaper.space.hash:
                self.counts["changed spaces"] += 1
                _logger.error("the search space of a running search cannot change: its stimuli are frozen")
                if self._dispatcher is not None:
                    restore_search_space(self._dispatcher.rest, self._search_space)

    def _make_shaper(self, space: SearchSpace) -> Shaper:
        return Shaper(
            space,
            self.config,
            self._blocks_of,
            self._experts,
            maximize=self._maximize,
            latency_term=self.config.latency_term(),
        )

    def _open(self, space: SearchSpace, search_space: Any) -> None:
        shaper = self._make_shaper(space)
        journal = Journal() if self._dispatcher is None else open_journal(self._dispatcher.journal)
        kept = journal.header.get("seed") if journal.header else secrets.randbelow(2**31)
        self._seed = int(kept or 0) if self._given_seed is None else self._given_seed
        shaper.open(journal, seed=self._seed)
        self._drawn = {event["trial"] for event in journal.events if event.get("phase") == "initial"}
        self.base.update_search_space(search_space)
        self.shaper, self._search_space = shaper, search_space
        told = [_result(shaper, trial) for trial in shaper.trials if trial.shaped is not None]
        if told:
            _logger.info("resumed: %d results", len(told))
            self.base.import_data(told)

    # -- proposals --------------------------------------------------------------------------------

    def generate_multiple_parameters(self, parameter_id_list: list[int], **kwargs: Any) -> list[Any]:
        """Propose the parameters of several trials; fewer when the base tuner has no more."""
        report = reporter(kwargs)
        with self._lock:
            try:
                shaper = self._opened()
                self._settle()
                drawn = self._draw(shaper, parameter_id_list)
                rest = parameter_id_list[len(drawn) :]
                proposed = self.base.generate_multiple_parameters(rest, **kwargs) if rest else []
                for parameter_id, parameters in zip(rest, proposed, strict=False):
                    self._trials[parameter_id] = shaper.propose(shaper.space.flatten(parameters))
                    shaper.note("issued", trial=self._trials[parameter_id], parameter_id=parameter_id)
                return [*drawn, *proposed]
            except Exception as error:
                if report is None:
                    raise
                self._give_up(error, report)
                return []

    def generate_parameters(self, parameter_id: int, **kwargs: Any) -> Any:
        """Propose the parameters of one trial.

        Raises
        ------
        nni.NoMoreTrialError
            The base tuner has no more.
        """
        with self._lock:
            shaper = self._opened()
            self._settle()
            drawn = self._draw(shaper, [parameter_id])
            if drawn:
                return drawn[0]
            parameters = self.base.generate_parameters(parameter_id, **kwargs)
            self._trials[parameter_id] = shaper.propose(shaper.space.flatten(parameters))
            return parameters

    def _opened(self) -> Shaper:
        if self._refusal is not None:
            raise self._refusal
        if self.shaper is None:
            raise NNIStrategiesError("no search space yet: call update_search_space first")
        return self.shaper

    def _draw(self, shaper: Shaper, parameter_ids: list[int]) -> list[Any]:
        """Propose what is left of the initial trials; fewer where the prior finds nothing new."""
        drawn: list[Any] = []
        while self.config.mode == "prior" and len(drawn) < len(parameter_ids):
            if len(self._drawn) >= self.config.n_initial:
                break
            configuration = self._unseen(shaper)
            if configuration is None:
                break
            trial = shaper.propose(configuration, phase="initial")
            shaper.note("issued", trial=trial, parameter_id=parameter_ids[len(drawn)])
            self._drawn.add(trial)
            self._trials[parameter_ids[len(drawn)]] = trial
            drawn.append(shaper.space.nest(configuration))
        return drawn

    def _unseen(self, shaper: Shaper) -> Configuration | None:
        seen = {shaper.space.key(trial.configuration) for trial in shaper.trials}
        rng = np.random.default_rng([self._seed, len(shaper.trials)])
        for _ in range(_TRIES):
            (configuration,) = shaper.space.decode(shaper.prior.sample_codes(rng, 1))
            if shaper.space.key(configuration) not in seen:
                return configuration
        return None

    # -- results ----------------------------------------------------------------------------------

    @never_raises
    def receive_trial_result(self, parameter_id: int, parameters: Any, value: Any, **kwargs: Any) -> None:
        """Take a trial's final result, and hand it on shaped."""
        with self._lock:
            shaper = self._opened()
            if parameter_id not in self._trials:  # a customized trial, or one that the base tuner sent by itself
                self._trials[parameter_id] = shaper.propose(shaper.space.flatten(parameters), source="import")
            trial = self._trials[parameter_id]
            shaped = shaper.conclude(trial, value)
            try:
                if trial in self._drawn:
                    if shaper.trials[trial].shaped is not None:
                        self.base.import_data([_result(shaper, shaper.trials[trial])])
                else:
                    self._hand_on(shaper, trial, parameter_id, parameters, shaped, **kwargs)
            finally:
                if parameter_id in self._ended:
                    self._ended.discard(parameter_id)
                    self.base.trial_end(parameter_id, True)

    def _hand_on(
        self, shaper: Shaper, trial: int, parameter_id: int, parameters: Any, shaped: Any, **kwargs: Any
    ) -> None:
        """Tell the base tuner of the result of a trial that it proposed."""
        if parameter_id not in self._given_up:
            self.base.receive_trial_result(parameter_id, parameters, shaped, **kwargs)
        elif shaper.trials[trial].shaped is not None:  # it has forgotten the id
            self._given_up.discard(parameter_id)
            self.base.import_data([_result(shaper, shaper.trials[trial])])

    @never_raises
    def trial_end(self, parameter_id: int, success: bool, **kwargs: Any) -> None:
        """Note that a trial ended; the base tuner learns of it after the result, which may come later."""
        with self._lock:
            trial = self._trials.get(parameter_id)
            shaper = self._opened()
            has_result = trial is not None and shaper.trials[trial].raw is not None
            if trial is not None and not has_result and not success:
                shaper.fail(trial, "the trial failed, or was stopped")
            if trial in self._drawn:
                return
            if success and not has_result and trial is not None:
                self._ended.add(parameter_id)
            else:
                self.base.trial_end(parameter_id, success, **kwargs)

    def _settle(self) -> None:
        """Tell the base tuner of ends whose result would have come by now."""
        for parameter_id in sorted(self._ended):
            self._opened().fail(self._trials[parameter_id], "the trial ended well, but reported no final result")
            self.base.trial_end(parameter_id, True)
        self._given_up |= self._ended
        self._ended.clear()

    @never_raises
    def import_data(self, data: list[Mapping[str, Any]]) -> None:
        """Take results from elsewhere: a warm start, what NNI knows on resume, or a trial it ran again.

        What the journal has is left out: it is right, and was handed on shaped when the search space came.
        """
        with self._lock:
            shaper = self._opened()
            known = {shaper.space.key(trial.configuration): trial for trial in shaper.trials}
            told = []
            for entry in data:
                value = entry.get("value")
                metric = value.get("default") if isinstance(value, Mapping) else value
                configuration = shaper.space.flatten(entry["parameter"])
                if not is_plain_number(metric) or not shaper.space.contains(configuration):
                    self.counts["imports left out"] += 1
                    continue
                key = shaper.space.key(configuration)
                if key in known and known[key].raw is not None:
                    continue
                number = known[key].id if key in known else shaper.propose(configuration, source="import")
                shaper.conclude(number, value)
                known[key] = shaper.trials[number]
                told.append({"parameter": entry["parameter"], "value": known[key].shaped})
            if told:
                self.base.import_data(told)

    # -- NNI's life cycle -------------------------------------------------------------------------

    @never_raises
    def load_checkpoint(self) -> None:
        """Let the base tuner load its own; the journal is replayed when the search space comes."""
        if self.base is not None:
            self.base.load_checkpoint()

    @never_raises
    def save_checkpoint(self) -> None:
        """Let the base tuner save its own; the journal is durable already."""
        if self.base is not None:
            self.base.save_checkpoint()

    @never_raises
    def _on_exit(self) -> None:
        if self.base is not None:
            self.base._on_exit()
        self._let_go()

    @never_raises
    def _on_error(self) -> None:
        if self.base is not None:
            self.base._on_error()

    def _let_go(self) -> None:
        if isinstance(self.base, StudyTuner):
            self.base._let_go()
        elif self.shaper is not None:
            self.shaper.journal.close()


def _result(shaper: Shaper, trial: ShapedTrial) -> dict[str, Any]:
    """Return a result in the form of NNI's ``import_data``."""
    return {"parameter": shaper.space.nest(trial.configuration), "value": trial.shaped}
