"""Records of a running or finished experiment: the journal is the truth, NNI's database adds times and statuses.

A trial of the journal finds its NNI trial by the parameter id the journal noted when it was handed out (``issued``),
else by its configuration. Without a journal, any NNI experiment is read from NNI's database alone. Where experts shaped
the metrics of a strategy that has a journal, the raw ones are in a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nni_strategies.report.history import ENDED, History, Job, read_history, sample_of
from nni_strategies.report.journal_events import read_events
from nni_strategies.report.locate import ExperimentFiles, locate
from nni_strategies.search.journal import Event
from nni_strategies.search.metrics import read_metric
from nni_strategies.space.parameters import canonical


@dataclass(frozen=True)
class TrialRecord:
    """One trial.

    Parameters
    ----------
    id
        Its number, from 0, in the order of proposals.
    configuration
        Label -> value.
    metric
        What it reported as ``default``, in the experiment's own direction; None without a result.
    metrics
        Everything it reported in the end.
    phase
        ``initial`` for a blind draw, ``search``, or ``import`` for a result from elsewhere.
    status
        ``finished``, ``failed``, ``stopped`` (by an assessor or a user), ``running`` or ``unfinished`` (the experiment
        ended first).
    failure
        Why it failed; None otherwise.
    nni_ids
        The NNI trials that ran it.
    sample
        The configuration as NNI has it: with a value for labels that are not used, too; None without such a trial.
    started, ended
        Seconds since the epoch; None where unknown.
    intermediates
        ``default`` of what it reported on the way.
    steps
        All of what it reported on the way, a mapping a report; empty where there was no number.
    """

    id: int
    configuration: Mapping[str, Any]
    metric: float | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    phase: str = "search"
    status: str = "running"
    failure: str | None = None
    nni_ids: tuple[str, ...] = ()
    sample: Mapping[str, Any] | None = None
    started: float | None = None
    ended: float | None = None
    intermediates: tuple[float, ...] = ()
    steps: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class ExperimentRecord:
    """One experiment.

    Parameters
    ----------
    id, name
        NNI's id, and the name in its configuration.
    maximize
        Whether a higher metric is better.
    algorithm
        The searcher, or NNI's tuner.
    config
        Its hyper-parameters.
    seed
        Of the search; None where unknown.
    trials
        In the order of proposals.
    started, ended
        Seconds since the epoch; `ended` is None while it runs.
    search_space
        NNI's search-space JSON; None for a model space.
    model_space
        ``model_symbol``, ``model_args`` and ``model_kwargs`` as NNI dumped them; None without a model space.
    code_directory
        Where its trials' own modules are; None where unknown.
    events
        The journal; empty without one.
    shaping
        The journal of what shaped the algorithm's metrics, where the algorithm has one of its own; else empty.
    journal
        Its file; None without one.
    directory
        The experiment's own folder; None where unknown.
    """

    id: str
    name: str
    maximize: bool
    algorithm: str
    config: Mapping[str, Any]
    seed: int | None
    trials: tuple[TrialRecord, ...]
    started: float | None = None
    ended: float | None = None
    search_space: Any = None
    model_space: Mapping[str, Any] | None = None
    code_directory: Path | None = None
    events: Sequence[Event] = ()
    shaping: Sequence[Event] = ()
    journal: Path | None = None
    directory: Path | None = None

    @property
    def finished(self) -> list[TrialRecord]:
        """The trials that have a metric, in the order their results came."""
        done = [trial for trial in self.trials if trial.metric is not None]
        return sorted(done, key=lambda t: (t.ended if t.ended is not None else float("inf"), t.id))

    @property
    def ranked(self) -> list[TrialRecord]:
        """The trials that have a metric, the best first, the earlier first among equals."""
        sign = -1.0 if self.maximize else 1.0
        return sorted(self.finished, key=lambda t: (sign * (t.metric or 0.0), t.id))


def read_experiment(
    experiment_id: str, directory: Path | str | None = None, home: Path | str | None = None
) -> ExperimentRecord:
    """Read a running or finished experiment by its id; see :func:`~nni_strategies.report.locate.locate`.

    Raises
    ------
    InvalidArgument
        No experiment has this id.
    DataMissing
        Its database is gone or cannot be read.
    JournalError
        Its journal cannot be read, or a line of it makes no sense.
    """
    files = locate(experiment_id, directory, home)
    events = read_events(files.journal) if files.journal else []
    shaping = read_events(files.shaping) if files.shaping else []
    if not events:
        files, events, shaping = replace(files, journal=files.shaping), shaping, []
    return combine(files, events, read_history(files.database), shaping)


def read_journal(path: Path) -> ExperimentRecord:
    """Read a search that left a journal and no more.

    Raises
    ------
    JournalError
        It cannot be read, or a line of it makes no sense.
    """
    events = read_events(path)
    header = events[0] if events else {}
    return ExperimentRecord(
        id=path.stem,
        name=path.stem,
        maximize=bool(header.get("maximize", True)),
        algorithm=str(header.get("algorithm", "unknown")),
        config=header.get("config", {}),
        seed=header.get("seed"),
        trials=tuple(journal_trials(events)),
        events=events,
        journal=path,
    )


def combine(
    files: ExperimentFiles, events: Sequence[Event], history: History, shaping: Sequence[Event] = ()
) -> ExperimentRecord:
    """Make one record of a journal (possibly empty), NNI's database and a journal of raw metrics (possibly empty)."""
    profile = history.profile
    header = events[0] if events else {}
    tuner = profile.get("tuner") or {}
    class_args = tuner.get("classArgs") or {}
    maximize = bool(header.get("maximize", class_args.get("optimize_mode", "maximize") != "minimize"))
    trials = journal_trials(events) if events else _history_trials(history)
    if events:
        trials = _with_raw(_with_jobs(trials, events, history.jobs), shaping)
    over = history.ended is not None
    models = [job.parameters for job in history.jobs if sample_of(job.parameters) and "model_symbol" in job.parameters]
    return ExperimentRecord(
        id=files.id,
        name=str(profile.get("experimentName") or files.id),
        maximize=maximize,
        algorithm=str(header.get("algorithm") or tuner.get("name") or tuner.get("className") or "unknown"),
        config=header.get("config", class_args),
        seed=header.get("seed", class_args.get("seed")),
        trials=tuple(replace(t, status="unfinished") if over and t.status == "running" else t for t in trials),
        started=history.started,
        ended=history.ended,
        search_space=profile.get("searchSpace") or None,
        model_space=models[0] if models else None,
        code_directory=Path(profile["trialCodeDirectory"]) if profile.get("trialCodeDirectory") else None,
        events=events,
        shaping=shaping,
        journal=files.journal,
        directory=files.directory,
    )


def journal_trials(events: Iterable[Event]) -> list[TrialRecord]:
    """Return the trials of a journal; times are those of proposal and result."""
    trials: dict[int, TrialRecord] = {}
    sign = 1.0
    for event in events:
        kind, number, time = event["event"], event.get("trial"), event.get("time")
        if kind == "header":
            sign = 1.0 if event.get("maximize", True) else -1.0
        elif kind == "proposed":
            phase = "import" if event.get("source") == "import" else event.get("phase", "search")
            trials[event["trial"]] = TrialRecord(event["trial"], event["configuration"], phase=phase, started=time)
        elif kind == "finished" and number in trials:
            trials[number] = replace(
                trials[number],
                metric=sign * event["value"],
                metrics=event.get("metrics", {}),
                status="finished",
                failure=None,
                ended=time,
            )
        elif kind == "failed" and number in trials:
            trials[number] = replace(
                trials[number],
                metrics=event.get("metrics", {}),
                status="stopped" if event.get("stopped") else "failed",
                failure=event.get("reason") or "failed",
                ended=time,
            )
    return list(trials.values())


def _with_jobs(trials: list[TrialRecord], events: Sequence[Event], jobs: Sequence[Job]) -> list[TrialRecord]:
    by_id = {trial.id: trial for trial in trials}
    by_key = {canonical(dict(trial.configuration)): trial.id for trial in reversed(trials)}
    issued: dict[int, list[tuple[float, int]]] = {}
    for event in events:
        if event["event"] == "issued" and event.get("parameter_id") is not None and event.get("trial") in by_id:
            issued.setdefault(event["parameter_id"], []).append((event.get("time", 0.0), event["trial"]))
    for job in jobs:
        last_seen = job.ended or float("inf")
        notes = issued.get(job.parameter_id, []) if job.parameter_id is not None else []
        number = next((trial for time, trial in reversed(notes) if time <= last_seen), None)
        sample = sample_of(job.parameters)
        if number is None and sample is not None:
            number = by_key.get(canonical(sample))
        if number is not None:
            by_id[number] = _with_job(by_id[number], job)
    return list(by_id.values())


def _with_raw(trials: list[TrialRecord], shaping: Sequence[Event]) -> list[TrialRecord]:
    """Put the metrics that trials reported in place of those that the algorithm was told."""
    raw = {canonical(dict(t.configuration)): t for t in journal_trials(shaping) if t.metric is not None}
    found = [raw.get(canonical(dict(trial.configuration)), trial) for trial in trials]
    return [
        replace(trial, metric=one.metric, metrics=one.metrics) if trial.metric is not None else trial
        for trial, one in zip(trials, found, strict=True)
    ]


def _with_job(trial: TrialRecord, job: Job) -> TrialRecord:
    failed = trial.status == "running" and job.status in ENDED and job.final is None
    return replace(
        trial,
        nni_ids=(*trial.nni_ids, job.id),
        sample=sample_of(job.parameters) or trial.sample,
        started=job.started if job.started is not None else trial.started,
        ended=job.ended if job.ended is not None else trial.ended,
        intermediates=_values(job.intermediates) or trial.intermediates,
        steps=_steps(job.intermediates) or trial.steps,
        status=_lost(job) if failed else trial.status,
        failure=f"NNI: {job.status}" if failed else trial.failure,
    )


def _lost(job: Job) -> str:
    return "stopped" if job.status == "EARLY_STOPPED" and job.final is None else "failed"


def _history_trials(history: History) -> list[TrialRecord]:
    trials: list[TrialRecord] = []
    for job in history.jobs:
        outcome = read_metric(job.final) if job.final is not None else None
        ended = job.status in ENDED
        failure = outcome.failure if outcome is not None else (f"NNI: {job.status}" if ended else None)
        value = outcome.value if outcome is not None else None
        trials.append(
            TrialRecord(
                id=len(trials),
                configuration=sample_of(job.parameters) or {},
                metric=value,
                metrics=outcome.metrics if outcome is not None else {},
                status="finished" if value is not None else (_lost(job) if failure else "running"),
                failure=failure,
                nni_ids=(job.id,),
                started=job.started,
                ended=job.ended,
                intermediates=_values(job.intermediates),
                steps=_steps(job.intermediates),
            )
        )
    return trials


def _values(metrics: Iterable[Any]) -> tuple[float, ...]:
    outcomes = [read_metric(metric) for metric in metrics]
    return tuple(outcome.value for outcome in outcomes if outcome.value is not None)


def _steps(metrics: Iterable[Any]) -> tuple[Mapping[str, Any], ...]:
    return tuple(read_metric(metric).metrics for metric in metrics)
