"""What our searchers are measured against, behind one interface and driven in this process.

Peers: NNI's own TPE, Evolution and Random tuners, Optuna's multivariate TPE and its GP sampler (a development
dependency), and any of our searchers through a :class:`~nni_strategies.search.study.Study`. All maximise.

Categories are given to every peer as indices ``0 … k-1``, so that none profits or suffers from what the values
look like. Only flat spaces of categorical and bounded numerical parameters without constraints are understood.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from nni_strategies.errors import InvalidArgument, SpaceExhausted
from nni_strategies.search.searcher import Searcher
from nni_strategies.search.study import Study
from nni_strategies.space.parameters import Categorical, Numerical
from nni_strategies.space.search_space import Configuration, SearchSpace

_MOST_REPEATS = 1_000  # so many proposals in a row that were all seen before end a run


class Peer(Protocol):
    """An optimiser that maximises."""

    def ask(self) -> tuple[int, Configuration]:
        """Propose a configuration; the number is what :meth:`tell` wants back."""

    def tell(self, number: int, value: float) -> None:
        """Report the value of a proposal."""


PeerFactory = Callable[[SearchSpace, int], Peer]  # (space, seed)


@dataclass
class Run:
    """What one peer did on one objective.

    Parameters
    ----------
    values
        The objective at each query, in order; repeated proposals are answered from memory and are no queries.
    best
        The highest value so far, per query.
    seconds, cpu_seconds
        Time spent in ``ask`` and ``tell`` per query, repeats included: of the clock, and of the processors, which is
        the one to look at when the machine has other work.
    repeats
        How many proposals had been made before.
    configurations
        What was evaluated.
    """

    values: list[float] = field(default_factory=list)
    best: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    repeats: int = 0
    configurations: list[Configuration] = field(default_factory=list)

    def queries_until(self, value: float) -> float:
        """Return after how many queries `value` was reached, infinity when it was not."""
        return next((i + 1.0 for i, best in enumerate(self.best) if best >= value), float("inf"))


def search(
    peer: Peer,
    objective: Callable[[Configuration], float],
    n_queries: int,
    *,
    stop_at: float | None = None,
) -> Run:
    """Let `peer` make `n_queries` different evaluations, one at a time.

    Parameters
    ----------
    stop_at
        End as soon as this value is reached; None never does.
    """
    run, known, repeats_in_a_row, clock = Run(), {}, 0, _Clock()
    while len(run.values) < n_queries and repeats_in_a_row < _MOST_REPEATS:
        try:
            with clock:
                number, configuration = peer.ask()
        except SpaceExhausted:
            break
        key = SearchSpace.key(configuration)
        new = key not in known
        if new:
            known[key] = float(objective(configuration))
        with clock:
            peer.tell(number, known[key])
        if not new:
            run.repeats, repeats_in_a_row = run.repeats + 1, repeats_in_a_row + 1
            continue
        run.values.append(known[key])
        run.best.append(max(known[key], run.best[-1] if run.best else -np.inf))
        run.seconds.append(clock.seconds)
        run.cpu_seconds.append(clock.cpu_seconds)
        run.configurations.append(configuration)
        repeats_in_a_row, clock = 0, _Clock()
        if stop_at is not None and run.best[-1] >= stop_at:
            break
    return run


class _Clock:
    """Adds up the time spent in its ``with`` blocks."""

    def __init__(self) -> None:
        self.seconds = self.cpu_seconds = 0.0

    def __enter__(self) -> None:
        self._start, self._cpu_start = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._start
        self.cpu_seconds += time.process_time() - self._cpu_start


# -- ours -----------------------------------------------------------------------------------------


class StudyPeer:
    """One of our searchers in a study whose journal is in memory."""

    def __init__(self, searcher: Searcher, seed: int) -> None:
        self.study = Study(searcher, seed=seed)

    def ask(self) -> tuple[int, Configuration]:
        trial = self.study.ask()
        return trial.id, trial.configuration

    def tell(self, number: int, value: float) -> None:
        self.study.tell(number, value)


def ours(searcher_class: type[Searcher], **config: Any) -> PeerFactory:
    """Return the factory of one of our searchers; `config` are the fields of its configuration."""
    return lambda space, seed: StudyPeer(searcher_class(space, searcher_class.Config(**config)), seed)


# -- NNI ------------------------------------------------------------------------------------------


class NNITuner:
    """A built-in tuner of NNI, called as its dispatcher calls it."""

    def __init__(self, tuner: Any, space: SearchSpace, seed: int) -> None:
        _refuse_unknown(space)
        self._space, self._tuner, self._n = space, tuner, 0
        self._global_state = random.Random(seed).getstate()
        self._quietly(lambda: self._start(seed))

    def _start(self, seed: int) -> None:
        self._tuner.update_search_space(to_nni(self._space))
        if hasattr(self._tuner, "population"):
            # NNI's Evolution takes no seed: its first population is drawn again from a seeded generator.
            self._tuner.random_state = np.random.RandomState(seed)
            self._tuner.population = []
            for _ in range(self._tuner.population_size):
                self._tuner._random_generate_individual()

    def _quietly(self, call: Callable[[], Any]) -> Any:
        # Evolution also shuffles with the module-level generator of `random`: each tuner gets its own state.
        before = random.getstate()
        random.setstate(self._global_state)
        logging.disable(logging.WARNING)  # NNI logs a line an event
        try:
            return call()
        finally:
            logging.disable(logging.NOTSET)
            self._global_state = random.getstate()
            random.setstate(before)

    def ask(self) -> tuple[int, Configuration]:
        number, self._n = self._n, self._n + 1
        drawn = self._quietly(
            lambda: self._tuner.generate_multiple_parameters([number], st_callback=lambda *_: True)
        )
        if not drawn:
            raise SpaceExhausted("the tuner has no more trials")
        return number, from_indices(self._space, drawn[0])

    def tell(self, number: int, value: float) -> None:
        self._quietly(lambda: self._tuner.receive_trial_result(number, {}, value))
        self._quietly(lambda: self._tuner.trial_end(number, True))


def nni_tpe(space: SearchSpace, seed: int) -> Peer:
    """NNI's TPE tuner with its defaults."""
    from nni.algorithms.hpo.tpe_tuner import TpeTuner

    return NNITuner(TpeTuner(optimize_mode="maximize", seed=seed), space, seed)


def nni_random(space: SearchSpace, seed: int) -> Peer:
    """NNI's Random tuner (it drops duplicates)."""
    from nni.algorithms.hpo.random_tuner import RandomTuner

    return NNITuner(RandomTuner(seed=seed), space, seed)


def nni_evolution(space: SearchSpace, seed: int) -> Peer:
    """NNI's Evolution tuner with its default population of 32."""
    from nni.algorithms.hpo.evolution_tuner import EvolutionTuner

    return NNITuner(EvolutionTuner(optimize_mode="maximize"), space, seed)


def to_nni(space: SearchSpace) -> dict[str, Any]:
    """Return the space in NNI's JSON notation, categories as indices."""
    described: dict[str, Any] = {}
    for parameter in space.parameters:
        if isinstance(parameter, Categorical):
            described[parameter.label] = {"_type": "choice", "_value": list(range(parameter.size))}
            continue
        assert isinstance(parameter, Numerical)
        d = parameter.distribution
        if d.integer and d.kind == "uniform" and d.q in (None, 1):
            described[parameter.label] = {"_type": "randint", "_value": [int(d.a), int(d.b) + 1]}
        elif d.q is None:
            described[parameter.label] = {"_type": d.kind, "_value": [d.a, d.b]}
        else:
            described[parameter.label] = {"_type": f"q{d.kind}", "_value": [d.a, d.b, d.q]}
    return described


# -- Optuna ---------------------------------------------------------------------------------------


class OptunaPeer:
    """A sampler of Optuna in a study in memory, asked with fixed distributions."""

    def __init__(self, sampler: Any, space: SearchSpace) -> None:
        import optuna

        _refuse_unknown(space)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space, self._trials = space, {}
        self._distributions = to_optuna(space)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)

    def ask(self) -> tuple[int, Configuration]:
        trial = self._study.ask(fixed_distributions=self._distributions)
        self._trials[trial.number] = trial
        return trial.number, from_indices(self._space, trial.params)

    def tell(self, number: int, value: float) -> None:
        self._study.tell(self._trials.pop(number), value)


def optuna_tpe(space: SearchSpace, seed: int) -> Peer:
    """Optuna's TPE with ``multivariate=True``, otherwise its defaults."""
    import warnings

    from optuna.exceptions import ExperimentalWarning
    from optuna.samplers import TPESampler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return OptunaPeer(TPESampler(seed=seed, multivariate=True), space)


def optuna_gp(space: SearchSpace, seed: int) -> Peer:
    """Optuna's GP sampler, told that the objective is deterministic (needs torch)."""
    import warnings

    from optuna.exceptions import ExperimentalWarning
    from optuna.samplers import GPSampler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return OptunaPeer(GPSampler(seed=seed, deterministic_objective=True), space)


def to_optuna(space: SearchSpace) -> dict[str, Any]:
    """Return the space as Optuna's distributions, categories as indices."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    described: dict[str, Any] = {}
    for parameter in space.parameters:
        if isinstance(parameter, Categorical):
            described[parameter.label] = CategoricalDistribution(list(range(parameter.size)))
            continue
        assert isinstance(parameter, Numerical)
        d = parameter.distribution
        log = d.kind == "loguniform"
        if d.integer:
            described[parameter.label] = IntDistribution(int(d.a), int(d.b), log=log, step=int(d.q or 1))
        else:
            described[parameter.label] = FloatDistribution(d.a, d.b, log=log, step=None if log else d.q)
    return described


# -- both -----------------------------------------------------------------------------------------

PEERS: dict[str, PeerFactory] = {
    "NNI Random": nni_random,
    "NNI Evolution": nni_evolution,
    "NNI TPE": nni_tpe,
    "Optuna TPE (multivariate)": optuna_tpe,
    "Optuna GP": optuna_gp,
}


def from_indices(space: SearchSpace, drawn: dict[str, Any]) -> Configuration:
    """Put the values back in place of the categories' indices, and numbers on the space's grid."""
    configuration: Configuration = {}
    for parameter in space.parameters:
        value = drawn[parameter.label]
        if isinstance(parameter, Categorical):
            configuration[parameter.label] = parameter.choices[int(value)]
        else:
            configuration[parameter.label] = parameter.decode(np.array(parameter.encode(value)))
    return configuration


def _refuse_unknown(space: SearchSpace) -> None:
    for p in space.parameters:
        numerical = isinstance(p, Numerical) and p.distribution.kind in ("uniform", "loguniform")
        if p.condition is not None or not (isinstance(p, Categorical) or numerical):
            raise InvalidArgument(p.label, p.describe(), "a flat categorical or (log)uniform parameter, for peers")
    if space.constraints:
        raise InvalidArgument("constraints", len(space.constraints), "none: the peers know no constraints")
