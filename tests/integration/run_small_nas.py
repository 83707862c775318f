"""A program that a user could have written: it runs or resumes a NAS experiment, and may be killed at any moment.

    python run_small_nas.py '{"folder": …, "id": …, "trials": …, "concurrency": …, "seconds": …, "log": …, "port": …}'

At the end it prints one line of JSON: what ``run_or_resume`` returned, and all that NNI then shows and exports.
"""

from __future__ import annotations

import json
import sys

from nni_strategies.bridge.experiment import NasExperiment
from nni_strategies.bridge.strategy import StudyStrategy
from nni_strategies.search.baselines import RandomSearch

# isort: split
from nni.nas.evaluator import FunctionalEvaluator
from nni.nas.experiment import NasExperiment as StockNasExperiment
from nni.nas.experiment.config import NasExperimentConfig
from patient_nnictl import patience
from small_space import SmallSpace, TinySpace, evaluate, evaluate_badly


class Random(StudyStrategy):
    """Random search."""

    searcher_class = RandomSearch


def main() -> None:
    """Run the experiment that the argument describes."""
    wanted = json.loads(sys.argv[1])
    config = NasExperimentConfig("ts", "simplified", "local")
    config.experiment_working_directory = wanted["folder"]
    config.max_trial_number = wanted["trials"]
    config.trial_concurrency = wanted["concurrency"]
    space, function = (TinySpace, evaluate_badly) if wanted.get("bad") else (SmallSpace, evaluate)
    evaluator = FunctionalEvaluator(function, seconds=wanted["seconds"], log=wanted["log"])
    experiment_class = StockNasExperiment if wanted.get("stock") else NasExperiment
    if "python" in wanted:
        config._trial_command_params = {"python": wanted["python"]}
    experiment = experiment_class(space(), evaluator, Random(seed=7), config, id=wanted["id"])
    if wanted.get("stock"):  # whose run_or_resume looks for an experiment of this id anywhere; tests share one home
        with patience():
            ended = experiment.run(wanted["port"])
    else:
        ended = experiment.run_or_resume(wanted["port"])
    top = [[model.metric, model.sample] for model in experiment.export_top_models(3)]
    rows = []
    for job in experiment.list_trial_jobs():
        parameters = job.hyperParameters[0].parameters
        shown = {label: parameters.get(label) for label in parameters["sample"]}
        metrics = [metric.data.get("default") for metric in job.finalMetricData or []]
        rows.append({"status": job.status, "sample": parameters["sample"], "shown": shown, "metrics": metrics})
    exported = [[one.parameter["sample"], one.value] for one in experiment.export_data()]
    status = experiment.get_status()
    experiment.stop()
    told = {"ended": ended, "status": status, "top": top, "rows": rows, "exported": exported}
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
