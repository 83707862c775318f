"""experiments/rsa_cifar10_cell: what its options become, what it refuses, and, small, all of it on real NNI."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from nni_strategies.errors import DataMissing, InvalidArgument
from nni_strategies.rsa.teacher import load_teacher
from tests.experiments.search_scripts import (
    EXPERIMENTS,
    REFUSED,
    TINY,
    check_config,
    check_that_it_ends_with_two,
    loaded,
    on_a_machine_with_a_gpu,
    program,
    run,
    searched,
)
from tests.trial_code.test_cifar10_teacher import saved_images, saved_weights

FOLDER = EXPERIMENTS / "rsa_cifar10_cell"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]


@pytest.fixture(scope="module")
def search() -> Any:
    return loaded("rsa_cifar10_cell_search", FOLDER / "search.py")


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The options that make the search small, in a folder of its own."""
    monkeypatch.setenv("NNI_STRATEGIES_CACHE", str(tmp_path / "cache"))
    data = f"npz:{saved_images(tmp_path / 'small.npz')}"
    weights = str(saved_weights(tmp_path / "weights.th"))
    return ["--small", "--data", data, "--weights", weights, "--stimuli", "20"]


# -- options --------------------------------------------------------------------------------------


def test_by_default_it_is_for_a_machine_with_gpus(search, monkeypatch, tmp_path):
    words = ["--", "--amp", "--epochs", "3"]
    given, arguments = on_a_machine_with_a_gpu(search, words, tmp_path, monkeypatch)
    assert (given.space, given.teacher, given.strategy, given.gpus, given.trials) == ("pnas", "resnet56", "tpe", 1, 200)
    assert (given.stimuli, given.mode) == (250, "scaled")
    trial = search.train_nasnet.options(arguments)
    assert trial.data == f"npz:{tmp_path}/cifar10/cifar10_full_jpeg.npz"
    assert (trial.epochs, trial.width, trial.cells, trial.holdout, trial.amp) == (3, 16, 6, 5000, True)


@pytest.mark.parametrize(("space", "strategy"), [("pnas", "tpe"), ("layered", "lanas")])
def test_the_experiment_is_what_the_options_say(search, small, space, strategy):
    words = [*small, "--space", space, "--strategy", strategy, "--alpha", "0.5", "--trials", "7", "--", *TINY]
    given, arguments = search.read_options(words)
    experiment = search.experiment_of(given, arguments)
    check_config(experiment, 7)
    judged = experiment.evaluator.guide.judge
    assert (judged.mode, judged.alpha, judged.proxy_epochs, judged.every) == ("paper", 0.5, None, 1)
    inner = experiment.evaluator.evaluator
    assert inner.function is search.train_nasnet.evaluate_candidate
    assert inner.arguments["arguments"] == arguments
    assert type(experiment.model_space).__name__ == {"pnas": "PNAS", "layered": "LayeredConvSpace"}[space]
    assert type(experiment.strategy).__name__ == {"tpe": "HubTPE", "lanas": "LaNAS"}[strategy]
    assert len(search.nni.dump(experiment.evaluator)) < 4096  # more NNI refuses
    teacher = load_teacher(experiment.evaluator.teacher)
    assert teacher.n == 20 and teacher.spec.method == "cka"
    written = Path(experiment.evaluator.teacher).stat().st_mtime_ns
    again = search.experiment_of(given, arguments)
    assert again.evaluator.teacher == experiment.evaluator.teacher
    assert Path(again.evaluator.teacher).stat().st_mtime_ns == written  # built once


def test_a_teacher_of_your_own(search, small, tmp_path):
    kept = search.experiment_of(*search.read_options([*small, "--", *TINY])).evaluator.teacher
    words = [*small, "--teacher", kept, "--weights", "/nowhere", "--space", "layered"]
    assert search.experiment_of(*search.read_options([*words, "--", *TINY])).evaluator.teacher == kept
    gray = json.loads(Path(kept).read_text())
    gray["stimuli"] |= {"gray": True, "mean": [0.5], "std": [0.5]}
    (tmp_path / "gray.json").write_text(json.dumps(gray))
    with pytest.raises(InvalidArgument, match=r"--teacher = \[1, 32, 32\]: stimuli of a shape that candidates take"):
        words = [*small, "--teacher", str(tmp_path / "gray.json"), "--space", "layered", "--", *TINY]
        search.experiment_of(*search.read_options(words))


@pytest.mark.parametrize(
    ("words", "named"),
    [
        *REFUSED,
        (["--stimuli", "41", "--", *TINY], "--stimuli = 41: at most 40"),
        (["--stimuli", "2"], "--stimuli = 2"),
        (["--teacher", "resnet65", "--", *TINY], "did you mean 'resnet56'"),
        (["--teacher", "nowhere.json", "--", *TINY], "readable JSON file"),
        (["--weights", "nowhere.th", "--", *TINY], r"nowhere\.th is no file"),
        (["--teacher", "resnet56", "--", *TINY], "the weights of this network"),  # they are of ResNet-20
        (["--data", "imagenet:/"], "--data"),
        (["--combine", "P", "TSE", "--", *TINY], "combine"),  # not with the paper's sum
        (["--alpha", "nan", "--", *TINY], "alpha"),
        (["--resume", "nosuch"], '--resume = "nosuch": an experiment of --strategy lanas'),
        (["--resume", "nosuch", "--strategy", "lanas", "--", *TINY], "the id of a NAS experiment that began"),
    ],
)
def test_what_cannot_be_searched_is_refused(search, small, words, named):
    with pytest.raises((InvalidArgument, DataMissing), match=named):
        search.experiment_of(*search.read_options([*small, *words]))


# -- TPE on the hub's space -----------------------------------------------------------------------


def test_nnis_tpe_needs_help_with_the_hubs_inputs_and_then_learns(search):
    from nni.nas.evaluator import FunctionalEvaluator
    from nni.nas.execution.sequential import SequentialExecutionEngine
    from nni.nas.hub.pytorch import PNAS
    from nni.nas.space import SimplifiedModelSpace

    space = search.nni.trace(PNAS)(width=(4,), num_cells=(3,), dataset="cifar")

    def run(strategy: Any) -> list[Any]:
        engine = Instant(max_model_count=60)
        strategy.initialize(SimplifiedModelSpace.from_model(space, FunctionalEvaluator(print)), engine)
        strategy.run()
        return engine.seen

    class Instant(SequentialExecutionEngine):
        """Values a sample without building its network: how many inputs are the cell's own."""

        seen: list[Any]

        def _run_single_model(self, model: Any) -> None:
            self.seen = [*getattr(self, "seen", []), model.sample]
            value = sum(values[0] < 2 for label, values in model.sample.items() if "/input_" in label)
            self.dispatch_model_event(search.FinalMetricEvent(model, {"default": value}))

    samples = run(search.HubTPE(optimize_mode="maximize", seed=0))
    assert len(samples) == 60
    assert all(space.check_contains(sample) is None for sample in samples)
    values = [sum(v[0] < 2 for label, v in sample.items() if "/input_" in label) for sample in samples]
    assert sum(values[-20:]) > sum(values[:20]) + 20
    with pytest.raises(NotImplementedError, match="CategoricalMultiple"):
        run(search.TPE(optimize_mode="maximize"))


# -- the whole of it ------------------------------------------------------------------------------


@pytest.mark.integration
@pytest.mark.timeout(400)
@pytest.mark.parametrize(("space", "strategy"), [("pnas", "tpe"), ("layered", "lanas")])
def test_from_start_to_a_retrained_network(search, small, tmp_path, monkeypatch, space, strategy):
    experiment = program(tmp_path, NNI_STRATEGIES_CACHE=str(tmp_path / "cache"))
    words = [*small, "--space", space, "--strategy", strategy]
    identity, scores = searched(experiment, FOLDER / "search.py", words)

    (database,) = tmp_path.glob(f"**/{identity}/db/nni.sqlite")
    with sqlite3.connect(database) as records:
        rows = records.execute("SELECT type, data FROM MetricData").fetchall()
    reported = [(kind, json.loads(json.loads(text))) for kind, text in rows]
    assert sorted(kind for kind, _ in reported) == ["FINAL"] * 2 + ["PERIODICAL"] * 4
    for _, metric in reported:
        assert metric["tg_ok"] == 1
        assert metric["default"] == pytest.approx(metric["P"] + metric["TG"])  # the paper's sum
        assert {"TSE", "params", "TG_onehot"} <= metric.keys()  # free signals, to compare the teacher with
    layers = [value for name, value in reported[0][1].items() if name.startswith("TG:")]
    assert reported[0][1]["TG"] == pytest.approx(sum(layers) / len(layers)) and len(layers) == 4

    run(experiment, "-m", "nni_strategies.cli", "report", identity, "-o", "found")
    best = json.loads((tmp_path / "found" / "best.json").read_text())
    assert f"{best['metric']:.4f}" == scores[0]
    network = loaded("best_py", tmp_path / "found" / "best.py").build()
    assert type(network).__name__ == {"pnas": "PNAS", "layered": "LayeredConvNet"}[space]
    assert parameters(network) == best["metrics"]["params"]

    finals: list[Any] = []
    monkeypatch.setattr(search.nni, "report_final_result", finals.append)
    found = ["--space", space, "--arch", str(tmp_path / "found" / "best.json"), "--data", small[2], *TINY]
    retrain = ["--preset", "retrain", "--epochs", "1", "--cells", "3", "--width", "4", "--auxiliary", "0"]
    search.train_guided_cifar10.main([*found, *retrain])
    assert finals[0]["params"] == best["metrics"]["params"]


def parameters(network: Any) -> int:
    return sum(weight.numel() for weight in network.parameters())


@pytest.mark.integration
def test_bad_input_ends_with_two_before_anything_starts(small, tmp_path):
    words = [*small, "--teacher", "resnet65"]
    check_that_it_ends_with_two(tmp_path, FOLDER / "search.py", words, 'error: --teacher = "resnet65": one of')
