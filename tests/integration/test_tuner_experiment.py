"""StudyTuner in real experiments: every way a trial can fail, exhaustion, and wrong class arguments."""

from __future__ import annotations

import pytest

from nni_strategies.bridge.launch import mended_environment
from tests.integration.nni_experiment import evolution_config, poll, run_experiment

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(180)]

KINDS = ["good", "exit 1", "killed", "silent", "twice", "nan", "text", "no default"]
TRIAL = """
kind = parameters["kind"]
if kind == "exit 1":
    sys.exit(1)
elif kind == "killed":
    os.kill(os.getpid(), 9)
elif kind == "nan":
    report(float("nan"))
elif kind == "text":
    report("garbage")
elif kind == "no default":
    report({"accuracy": 1})
elif kind != "silent":
    report({"default": 1.0, "accuracy": 0.5})
    if kind == "twice":
        report({"default": 2.0})
"""


def test_failing_trials_then_exhaustion_ends_the_experiment_under_plain_nnictl(tmp_path):
    space = {"kind": {"_type": "choice", "_value": KINDS}}
    config = evolution_config(tmp_path, space, TRIAL, trialConcurrency=2, maxTrialNumber=50)
    with run_experiment(config, tmp_path, mended=False) as experiment:
        experiment.wait_for("DONE", deadline=120)
        assert len(experiment.trials()) == len(KINDS)
        assert experiment.rest.get("experiment")["params"]["maxTrialNumber"] == len(KINDS)
        kind_of = {e["trial"]: e["configuration"]["kind"] for e in experiment.journal("proposed")}
        # NNI calls an experiment done before its tuner has the last reports
        reported = {"good", "twice", "nan", "text", "no default"}

        def concluded() -> set[str]:
            return {kind_of[e["trial"]] for kind in ("finished", "failed") for e in experiment.journal(kind)}

        poll(lambda: reported <= concluded(), 20, "what was reported is in the journal")
        values = {kind_of[e["trial"]]: e["value"] for e in experiment.journal("finished")}
        # the two last ones may have ended after the last request, when no tuner is asked any more
        failed = {kind_of[e["trial"]] for e in experiment.journal("failed")}
        assert values == {"good": 1.0, "twice": 1.0}
        assert failed <= set(KINDS) - {"good", "twice"} and {"nan", "text", "no default"} <= failed
        # plain nnictl mixes up concurrent trials: said once, where nnictl and the terminal show it
        for log in ("dispatcher.log", "nnictl_stderr.log"):
            assert experiment.log(log).count("nni_strategies launch") == 1
        experiment.stop()
        lost = {kind_of[e["trial"]] for e in experiment.journal("failed")}
        assert lost == set(KINDS) - {"good", "twice"}  # settled when the tuner ends


def test_wrong_class_arguments_end_it_at_once_with_the_reason(tmp_path):
    space = {"a": {"_type": "choice", "_value": [1, 2]}}
    config = evolution_config(tmp_path, space, "report(1)", class_args={"populaton": 3})
    reason = "did you mean 'population'?"
    with pytest.raises(AssertionError, match="did you mean 'population'"):  # ours refuses it before a start
        run_experiment(config, tmp_path, mended=True)
    with run_experiment(config, tmp_path, mended=False) as experiment:
        experiment.wait_for("ERROR", deadline=60)
        assert experiment.trials() == []
        for log in ("dispatcher.log", "nnictl_stderr.log", "nnimanager.log"):
            assert reason in experiment.log(log)


def test_a_tuner_that_ends_at_its_start_is_noticed(tmp_path):
    config = evolution_config(tmp_path, {"a": {"_type": "choice", "_value": [1]}}, "report(1)")
    (tmp_path / "code" / "evolution_tuner.py").write_text("import os\nos._exit(3)")
    # not through `launch`, which would refuse the config before a start
    with run_experiment(config, tmp_path, mended=False, variables=mended_environment({})) as experiment:
        experiment.wait_for("ERROR", deadline=60)
        assert "ended before it was connected" in experiment.rest.get("check-status")["errors"][0]


def test_a_changed_space_is_refused_and_nothing_but_failures_ends_it_with_the_reason(tmp_path):
    space = {"x": {"_type": "uniform", "_value": [0, 1]}}
    config = evolution_config(tmp_path, space, "import no_such_module", trialConcurrency=4, maxTrialNumber=100)
    with run_experiment(config, tmp_path, mended=True) as experiment:
        poll(experiment.trials, 60, "the first trial")  # before the tuner is connected NNI does not answer this
        profile = experiment.rest.get("experiment")
        profile["params"]["searchSpace"] = {"y": space["x"]}
        experiment.rest.put("experiment?update_type=SEARCH_SPACE", profile)
        poll(lambda: "cannot change" in experiment.log("dispatcher.log"), 20, "the changed space is refused")
        restored = {"searchSpace": space}.items()
        poll(lambda: restored <= experiment.rest.get("experiment")["params"].items(), 20, "the space is put back")
        experiment.wait_for("ERROR", deadline=120)
        reason = experiment.rest.get("check-status")["errors"][0]  # which the web UI shows
        assert "20 trials in a row failed" in reason and "No module named 'no_such_module'" in reason
        assert len(experiment.trials()) < 30


SLOW_DISK = """
const Module = require('module'), load = Module._load;
Module._load = function (request, ...rest) {
  const loaded = load.call(this, request, ...rest);
  if (/nnimanager$/.test(request) && loaded.NNIManager && !loaded.NNIManager.slow) {
    loaded.NNIManager.slow = true;
    const manager = loaded.NNIManager.prototype, store = manager.storeExperimentProfile;
    manager.storeExperimentProfile = async function () {
      await new Promise(resolve => setTimeout(resolve, 1000));
      return store.call(this);
    };
  }
  return loaded;
};
"""


def test_results_that_come_before_a_slow_manager_knows_their_trial_are_kept(tmp_path):
    (tmp_path / "slow_disk.js").write_text(SLOW_DISK)
    space = {"x": {"_type": "randint", "_value": [0, 100]}}
    config = evolution_config(tmp_path, space, "report(parameters['x'])", trialConcurrency=1, maxTrialNumber=6)
    slow = {"NODE_OPTIONS": f'--require "{tmp_path / "slow_disk.js"}"'}
    with run_experiment(config, tmp_path, mended=True, variables=slow) as experiment:
        poll(lambda: experiment.journal("proposed"), 60, "the first proposal")
        profile = experiment.rest.get("experiment")
        profile["params"]["trialConcurrency"] = 3
        experiment.rest.put("experiment?update_type=TRIAL_CONCURRENCY", profile)
        experiment.wait_for("DONE", deadline=90)
        poll(lambda: len(experiment.journal("finished")) == 6, 20, "all results are in the journal")
        proposed = {e["trial"]: e["configuration"]["x"] for e in experiment.journal("proposed")}
        assert all(e["value"] == proposed[e["trial"]] for e in experiment.journal("finished"))
        assert [len(row["finalMetricData"]) for row in experiment.trials()] == [1] * 6


ASSESSOR = """
from nni.assessor import Assessor, AssessResult

class Strict(Assessor):
    def assess_trial(self, trial_job_id, trial_history):
        return AssessResult.Bad
"""
HALF_TRAINED = """
metric = {"parameter_id": record["parameter_id"], "trial_job_id": os.environ["NNI_TRIAL_JOB_ID"],
          "type": "PERIODICAL", "sequence": 0, "value": json.dumps({"default": 0.1})}
send({"type": "metric", "metric": json.dumps(metric)})
time.sleep(100)
"""


def test_trials_that_an_assessor_stops_are_no_sign_of_trouble(tmp_path):
    space = {"x": {"_type": "randint", "_value": [0, 100]}}
    config = evolution_config(tmp_path, space, HALF_TRAINED, trialConcurrency=2, maxTrialNumber=4)
    (tmp_path / "code" / "strict.py").write_text(ASSESSOR)
    config["assessor"] = {"codeDirectory": str(tmp_path / "code"), "className": "strict.Strict"}
    with run_experiment(config, tmp_path, mended=True) as experiment:
        experiment.wait_for("DONE", deadline=60)
        experiment.stop()  # which settles the last ones
        assert [e.get("stopped") for e in experiment.journal("failed")] == [True] * 4
        assert "assessor" in experiment.journal("failed")[0]["reason"]
