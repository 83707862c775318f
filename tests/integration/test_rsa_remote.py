"""A guided trial on another machine: it finds the teacher by its path, and knows nothing of other trials."""

from __future__ import annotations

import getpass
import json
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from nni_strategies.rsa.history import FILE
from tests.integration.guided_trial import network, performance
from tests.integration.nni_experiment import REPOSITORY, run_experiment
from tests.integration.rsa_runs import HERE, LAYERS, check_tg, final_metrics, make_teacher
from tests.integration.test_remote import Server, server  # noqa: F401  # a fixture

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(400)]


def test_a_remote_trial_reports_the_papers_sum(tmp_path: Path, server: Server) -> None:  # noqa: F811
    teacher = make_teacher(tmp_path / "teacher")
    code = tmp_path / "code"
    code.mkdir()
    (code / "guided_trial.py").write_bytes((HERE / "guided_trial.py").read_bytes())
    wanted = shlex.quote(json.dumps({"teacher": teacher, "options": {"mode": "scaled"}}))
    fields = {
        "searchSpace": {"width": {"_type": "choice", "_value": [5]}, "seed": {"_type": "choice", "_value": [0, 1]}},
        "trialCommand": f"PYTHONPATH={REPOSITORY} OMP_NUM_THREADS=1 {sys.executable} guided_trial.py {wanted}",
        "trialCodeDirectory": str(code),
        "trialConcurrency": 1,
        "maxTrialNumber": 1,
        "maxTrialDuration": "5m",
        "nniManagerIp": "127.0.0.1",
        "tuner": {"name": "TPE", "classArgs": {"optimize_mode": "maximize", "seed": 0}},
        "trainingService": {
            "platform": "remote",
            "reuseMode": True,
            "machineList": [
                {
                    "host": "127.0.0.1",
                    "port": server.port,
                    "user": getpass.getuser(),
                    "sshKeyFile": str(server.key),
                    "pythonPath": str(Path(sys.executable).parent),
                }
            ],
        },
    }
    with run_experiment(fields, tmp_path) as experiment:
        experiment.wait_for("DONE", deadline=300)
        (row,) = experiment.trials()
        ((trial, shown),) = final_metrics(experiment.rest).items()
        parameters = json.loads(row["hyperParameters"][0])["parameters"]
    assert {"default", "P", "TG", *(f"TG:{name}" for name in LAYERS)} <= set(shown)
    assert shown["P"] == pytest.approx(performance(5, 2))
    assert shown["alpha"] == 1.0  # among trials that see each other the first one reports P alone
    assert shown["default"] == pytest.approx(shown["P"] + shown["TG"])
    there = Path("/tmp/nni-experiments") / experiment.id  # where NNI has a machine keep its trials
    assert [*tmp_path.rglob(FILE), *there.rglob(FILE)] == []
    check_tg(teacher, network(parameters), there, trial, shown)
    shutil.rmtree(there)
