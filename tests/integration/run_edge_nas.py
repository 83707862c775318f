"""A program that a user could have written: a NAS experiment of NNI's own strategies or ours, guided by MirrorStimuli.

    python run_edge_nas.py '{"folder": …, "id": …, "trials": …, "strategy": …, "options": …, "python": …,
                            "gate": …, "port": …}'

At the end it prints one line of JSON: what ``run_or_resume`` returned, NNI's rows, and what the chain lists.
"""

from __future__ import annotations

import json
import sys

from nni_strategies import MirrorStimuli
from nni_strategies.bridge.experiment import NasExperiment
from nni_strategies.bridge.strategy import StudyStrategy
from nni_strategies.search.baselines import RegularizedEvolution as EvolutionSearcher

# isort: split
from edge_space import EdgeSpace, evaluate_with_latency
from nni.nas.evaluator import FunctionalEvaluator
from nni.nas.experiment.config import NasExperimentConfig
from nni.nas.strategy import TPE, GridSearch, Random, RegularizedEvolution
from nni.nas.strategy.middleware import Chain


class Ours(StudyStrategy):
    """Regularized evolution as a strategy of this package."""

    searcher_class = EvolutionSearcher


STRATEGIES = {
    "Random": lambda: Random(seed=5),
    "GridSearch": lambda: GridSearch(seed=5),
    "RegularizedEvolution": lambda: RegularizedEvolution(population_size=4, sample_size=2, mutation_prob=0.3, seed=5),
    "TPE": lambda: TPE(optimize_mode="maximize", seed=5),
    "ours": lambda: Ours(population=4, sample=2, seed=5),
}


def main() -> None:
    """Run the experiment that the argument describes."""
    wanted = json.loads(sys.argv[1])
    config = NasExperimentConfig("ts", "simplified", "local")
    config.experiment_working_directory = wanted["folder"]
    config.max_trial_number, config.trial_concurrency = wanted["trials"], 2
    config._trial_command_params = {"python": wanted["python"]}
    stimuli = MirrorStimuli(**wanted["options"])
    strategy = Chain(STRATEGIES[wanted["strategy"]](), stimuli)
    evaluator = FunctionalEvaluator(evaluate_with_latency, gate=wanted.get("gate", ""))
    experiment = NasExperiment(EdgeSpace(), evaluator, strategy, config, id=wanted["id"])
    ended = experiment.run_or_resume(wanted["port"])
    rows = []
    for job in experiment.list_trial_jobs():
        metrics = [metric.data for metric in job.finalMetricData or []]
        rows.append({"sample": job.hyperParameters[0].parameters["sample"], "metrics": metrics})
    told = {
        "ended": ended,
        "rows": rows,
        "models": [[model.metric, model.sample] for model in strategy.list_models(sort=False)],
        "exported": [[model.metric, model.sample] for model in experiment.export_top_models(3)],
        "best": [[trial.raw, trial.configuration] for trial in stimuli.top(3)],
    }
    experiment.stop()
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
