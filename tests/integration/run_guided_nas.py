"""A program that a user could have written: it runs or resumes a guided NAS experiment, and may be killed.

    python run_guided_nas.py '{"folder": …, "id": …, "trials": …, "strategy": …, "lightning": …, "teacher": …,
                               "options": …, "python": …, "port": …}'

At the end it prints one line of JSON: what ``run_or_resume`` returned, and a row a trial.
"""

from __future__ import annotations

import json
import sys

from nni_strategies import LaNAS, TeacherGuidedEvaluator
from nni_strategies.bridge.experiment import NasExperiment
from tests.rsa.small_space import SmallSpace, train_and_save

# isort: split
import nni
from nni.nas.evaluator import FunctionalEvaluator
from nni.nas.experiment.config import NasExperimentConfig
from nni.nas.strategy import TPE


def main() -> None:
    """Run the experiment that the argument describes."""
    wanted = json.loads(sys.argv[1])
    config = NasExperimentConfig("ts", "simplified", "local")
    config.experiment_working_directory = wanted["folder"]
    config.max_trial_number, config.trial_concurrency = wanted["trials"], 2
    config._trial_command_params = {"python": wanted["python"]}
    strategy = LaNAS(n_init=3, seed=0) if wanted["strategy"] == "LaNAS" else TPE(optimize_mode="maximize", seed=1)
    if wanted["lightning"]:
        import guided_space

        inner = guided_space.evaluator()
    else:
        inner = FunctionalEvaluator(train_and_save, rate=nni.choice("rate", [0.1, 0.3]))
    evaluator = TeacherGuidedEvaluator(evaluator=inner, teacher=wanted["teacher"], **wanted["options"])
    experiment = NasExperiment(SmallSpace(), evaluator, strategy, config, id=wanted["id"])
    ended = experiment.run_or_resume(wanted["port"])
    rows = []
    for job in experiment.list_trial_jobs():
        metrics = [metric.data for metric in job.finalMetricData or []]
        sample = job.hyperParameters[0].parameters["sample"]
        rows.append({"trial": job.trialJobId, "status": job.status, "sample": sample, "metrics": metrics})
    top = [[model.metric, model.sample] for model in experiment.export_top_models(3)]
    experiment.stop()
    print(json.dumps({"ended": ended, "rows": rows, "top": top}), flush=True)


if __name__ == "__main__":
    main()
