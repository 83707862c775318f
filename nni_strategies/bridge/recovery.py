"""What a resumed experiment still has to learn and to do: the journal beside NNI's own database.

A process can be killed between any two writes, so the two disagree in four ways, each mended by :func:`recover`:

* a result is in the database only: it is told to the study;
* a trial ended without a result, unseen: it is a failure;
* a proposal is in the journal only (NNI never started it, or started another in its place): it is issued again;
* a trial is unfinished in the database: NNI runs it again by itself, under its old parameter id.

A result belongs to the parameter id the trial reported. Those ids restart after a resume, so one may stand for
several proposals: then the trial's own record decides where it has that id, else the latest one issued before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nni_strategies.bridge.nni_record import STOPPED, Final, Job, Record
from nni_strategies.search.study import Study


@dataclass(frozen=True)
class Recovery:
    """What is to be done after a recovery.

    Parameters
    ----------
    reissue
        Proposals NNI never ran and will not run by itself, to be issued first, in this order.
    rerun
        NNI's trials that it runs again by itself -> the study's trial; None where it has none of ours.
    needless
        Those of `rerun` whose result is known already.
    jobs
        All trials in NNI's database.
    gained
        How many results the database had and the journal lacked.
    """

    reissue: tuple[int, ...] = ()
    rerun: Mapping[str, int | None] = field(default_factory=dict)
    needless: tuple[str, ...] = ()
    jobs: frozenset[str] = frozenset()
    gained: int = 0

    def waiting(self, study: Study) -> dict[str, int]:
        """Return those of `rerun` whose trial is still without an outcome."""
        return {job: trial for job, trial in self.rerun.items() if trial is not None and study.trials[trial].pending}


def recover(
    study: Study,
    record: Record,
    *,
    since: float = 0.0,
    received: Callable[[Mapping[str, Any], Any], Any] = lambda _, metric: metric,
) -> Recovery:
    """Bring a study that was replayed from its journal to what NNI's database knows.

    Parameters
    ----------
    study
        Told about every result and failure it lacks; what it has is never changed.
    record
        Read after the resumed manager took up its unfinished trials.
    since
        When this manager started. It runs again what it took up itself; what an earlier one took up and never came
        to start, NNI forgets.
    received
        From a configuration and the metric that its trial reported to what the study is told.
    """
    owners = _Owners(study, record)
    known = len(study.finished)
    with_result = set()
    for final in record.finals:
        with_result.add(final.job)
        trial = owners.of(final)
        if trial is not None:
            if study.trials[trial].value is None:
                study.tell(trial, received(study.trials[trial].configuration, final.metric))
        elif (parameters := owners.recorded(final.parameter_id)) is not None:
            configuration = study.space.flatten(parameters)
            study.import_result(configuration, received(configuration, final.metric))
    rerun: dict[str, int | None] = {}
    for job in record.jobs.values():
        trial = owners.of_job(job)
        if job.unfinished:
            if job.resumed_at is not None and job.resumed_at >= since:
                rerun[job.id] = trial
        elif job.id not in with_result and trial is not None and study.trials[trial].pending:
            _conclude(study, trial, job)
    running = set(rerun.values())
    return Recovery(
        reissue=tuple(trial.id for trial in study.pending if trial.id not in running),
        rerun=rerun,
        needless=tuple(job for job, trial in rerun.items() if trial is not None and not study.trials[trial].pending),
        jobs=frozenset(record.jobs),
        gained=len(study.finished) - known,
    )


def fail_ended_reruns(study: Study, recovery: Recovery, record: Record) -> None:
    """Make failures of the rerun trials that ended without a result: NNI tells a tuner their result, not their end."""
    reported = {final.job for final in record.finals}
    for job, trial in recovery.waiting(study).items():
        if not record.jobs[job].unfinished and job not in reported:
            _conclude(study, trial, record.jobs[job])


def _conclude(study: Study, trial: int, job: Job) -> None:
    conclude = study.stop if job.status in STOPPED else study.fail
    conclude(trial, f"NNI ended the trial as {job.status}, without a final result")


class _Owners:
    """Whose a result is."""

    def __init__(self, study: Study, record: Record) -> None:
        self._study = study
        self._record = record
        self._issued: dict[int, list[tuple[float, int]]] = defaultdict(list)
        for event in study.journal.events:
            if event["event"] == "issued":
                self._issued[event["parameter_id"]].append((event["time"], event["trial"]))
        self._recorded: dict[int | None, list[Mapping[str, Any]]] = defaultdict(list)
        for job in record.jobs.values():
            if job.parameters is not None:
                self._recorded[job.parameter_id].append(job.parameters)

    def of(self, final: Final) -> int | None:
        """Return the trial a result belongs to, or None when the journal has none."""
        job = self._record.jobs.get(final.job)
        if job is not None and job.parameter_id == final.parameter_id:
            return self.of_job(job)
        issued = self._issued.get(final.parameter_id, [])
        before = [trial for time, trial in issued if time <= final.time]
        return before[-1] if before else (issued[0][1] if len(issued) == 1 else None)

    def of_job(self, job: Job) -> int | None:
        """Return the trial whose parameters NNI recorded for `job`."""
        if job.parameters is None:
            return None
        return self._study.find(self._study.space.flatten(job.parameters))

    def recorded(self, parameter_id: int) -> Mapping[str, Any] | None:
        """Return the only parameters NNI recorded under an id, or None when it stands for several."""
        found = self._recorded.get(parameter_id, [])
        return found[0] if len(found) == 1 else None
