"""pairing.js on NNI's own class, with a scripted training service whose trials ask in a chosen order."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from nni_strategies.bridge.launch import node_options
from tests.node_manager import NODE_FOLDER, run_manager

MANAGER = """
require('common/globals').initGlobals();
const { V3asV1 } = require(process.env.NODE_PATH + '/training_service/v3/compat');

const sent = [];
let ask;
const scripted = {
  init: async () => {}, start: async () => [{ id: 'env' }], uploadDirectory: async () => {},
  onMetric: () => {}, onTrialStart: () => {}, onTrialEnd: () => {}, onEnvironmentUpdate: () => {},
  onRequestParameter: callback => { ask = callback; },
  sendParameter: async (trial, parameter) => { sent.push([trial, parameter]); },
  createTrial: async () => `trial-${created++}`,
};
let created = 0;
const submit = (service, value) => service.submitTrialJob({ sequenceId: 0, hyperParameters: { value, index: 0 } });

(async () => {
  const service = new V3asV1({ platform: 'local', trialCommand: 'true', trialCodeDirectory: '/' });
  service.v3 = scripted;
  await service.start();
  SCENARIO
  console.log(JSON.stringify({ sent, queued: service.parameters, mended: process.env.NNI_STRATEGIES_MENDED }));
  process.exit(0);
})();
"""

ASK_IN_ANOTHER_ORDER = """
  for (const value of ['a', 'b', 'c']) await submit(service, value);
  for (const trial of ['trial-2', 'trial-0', 'trial-1']) await ask(trial);
"""
ASK_BEFORE_THE_ID_IS_KNOWN = """
  await submit(service, 'a');
  const early = [];
  scripted.createTrial = async () => {
    early.push(ask('trial-early'));
    await ask('trial-0');
    await new Promise(resolve => setTimeout(resolve, 50)); // NNI takes its time to start a trial
    return 'trial-early';
  };
  await submit(service, 'b');
  await Promise.all(early);
"""
ASK_TWICE = """
  await submit(service, 'a');
  await ask('trial-0');
  await submit(service, 'b');
  await ask('trial-0');
  await ask('trial-1');
"""
RESUMED = """
  service.parameters.push('of a trial that could not be created');
  scripted.createTrial = async (env, command, code, sequence, id) => id;
  await service.submitTrialJob({ id: 'old', envId: 'env', sequenceId: 4, hyperParameters: { value: 'o', index: 0 } });
  await ask('old');
"""


def run(folder: Path, scenario: str, *, mended: bool) -> dict[str, object]:
    return run_manager(folder, MANAGER.replace("SCENARIO", scenario), mended=mended, preload="pairing.js")


def test_every_trial_gets_the_parameter_it_was_submitted_with(tmp_path):
    outcome = run(tmp_path, ASK_IN_ANOTHER_ORDER, mended=True)
    assert dict(outcome["sent"]) == {"trial-0": "a", "trial-1": "b", "trial-2": "c"}
    assert outcome["queued"] == []
    assert outcome["mended"] == "1"


def test_stock_nni_gives_the_first_in_the_queue_to_whoever_asks_first(tmp_path):
    outcome = run(tmp_path, ASK_IN_ANOTHER_ORDER, mended=False)
    assert dict(outcome["sent"]) == {"trial-2": "a", "trial-0": "b", "trial-1": "c"}
    assert "mended" not in outcome


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        (ASK_BEFORE_THE_ID_IS_KNOWN, [["trial-0", "a"], ["trial-early", "b"]]),
        (ASK_TWICE, [["trial-0", "a"], ["trial-0", "a"], ["trial-1", "b"]]),
        (RESUMED, [["old", "o"]]),
    ],
)
def test_the_pairing_holds_for(tmp_path, scenario, expected):
    assert run(tmp_path, scenario, mended=True)["sent"] == expected


def test_other_node_programs_are_left_alone(tmp_path):
    script = tmp_path / "other.js"
    script.write_text("const load = require('module')._load; console.log(load.toString().includes('mended'))")
    command, environment = [NODE_FOLDER / "node", script], {"NODE_OPTIONS": node_options("")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.split() == ["false"]
