"""What a resumed NAS experiment still has to learn: :mod:`nni_strategies.bridge.recovery`, fed with samples.

NNI records a whole model for each trial; what identifies it is its ``sample``. Nothing of the record is unpickled.
"""

from __future__ import annotations

import functools
import logging
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nni_strategies.bridge.nas_engine import shape_recovered
from nni_strategies.bridge.nni_record import Job, Record, read_record
from nni_strategies.bridge.recovery import Recovery, recover
from nni_strategies.search.study import Study
from nni_strategies.space.from_nni import ModelSpaceView

_logger = logging.getLogger(__name__)


def recover_experiment(
    study: Study, view: ModelSpaceView, experiment: Any, engine: Any = None, *, say: bool = True
) -> tuple[Recovery, dict[int, int]]:
    """Tell the study what NNI's database knows and the journal does not.

    Parameters
    ----------
    experiment
        The resumed ``NasExperiment``, its manager already running.
    engine
        The strategy's: middlewares that change metrics change those of the database too.
    say
        Whether to log what was found.

    Returns
    -------
    tuple[Recovery, dict[int, int]]
        What is to be done, and the trials that NNI runs again by itself, as parameter id -> pending trial.
    """
    database = Path(experiment._checkpoint_directory).parent / "db" / "nni.sqlite"
    try:
        record = _with_configurations(read_record(database), view)
    except (sqlite3.Error, OSError) as error:
        _logger.warning("%s cannot be read (%s): the journal alone is resumed", database, error)
        return Recovery(reissue=tuple(trial.id for trial in study.pending)), {}
    recovery = recover(study, record, received=functools.partial(shape_recovered, engine))
    adopted = {}
    for job_id, trial_id in recovery.rerun.items():
        parameter_id = record.jobs[job_id].parameter_id
        if parameter_id is not None and trial_id is not None and study.trials[trial_id].pending:
            adopted[parameter_id] = trial_id
    if say:
        _logger.info(
            "resumed: %d results, %d of them from NNI's database only; %d trials run again, %d submitted again",
            len(study.finished),
            recovery.gained,
            len(recovery.rerun),
            len(recovery.reissue),
        )
    return recovery, adopted


def _with_configurations(record: Record, view: ModelSpaceView) -> Record:
    return replace(record, jobs={job_id: _with_configuration(job, view) for job_id, job in record.jobs.items()})


def _with_configuration(job: Job, view: ModelSpaceView) -> Job:
    sample = (job.parameters or {}).get("sample")
    if not isinstance(sample, Mapping):
        return replace(job, parameters=None)
    try:
        return replace(job, parameters=view.configuration(sample))
    except ValueError:  # values of another space
        return replace(job, parameters=None)
