"""results.js on NNI's own manager class: what a trial reports before the manager has it in its list."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.node_manager import run_manager

MANAGER = """
require('common/globals').initGlobals();
const { NNIManager } = require(process.env.NODE_PATH + '/core/nnimanager');

const stored = [], sent = [], logged = [];
const manager = Object.create(NNIManager.prototype);
manager.trialJobs = new Map();
manager.log = { debug: () => {}, warning: text => { logged.push(text); } };
manager.dataStore = { storeMetricData: async (trial, data) => {
  if (data === 'unstorable') throw new Error('the database is full');
  stored.push([trial, data]);
} };
manager.dispatcher = { sendCommand: (kind, data) => { sent.push(data); } };
const report = (id, data) => manager.onTrialJobMetrics({ id, data });

(async () => {
  SCENARIO
  console.log(JSON.stringify({ stored, sent, logged }));
  process.exit(0);
})();
"""

BEFORE_IT_IS_LISTED = """
  const early = [report('a', 1), report('a', 2), report('b', 3)];
  manager.trialJobs.set('a', {});
  early.push(report('a', 4)); // listed by now, and yet after what is held
  manager.trialJobs.set('b', {});
  await Promise.all(early);
  await report('a', 5);
"""
AFTER_ONE_THAT_FAILED = """
  const failing = report('a', 'unstorable').catch(error => { logged.push(error.message); });
  const next = report('a', 2);
  manager.trialJobs.set('a', {});
  await Promise.all([failing, next]);
"""


def run(folder: Path, scenario: str, *, mended: bool) -> dict[str, object]:
    return run_manager(folder, MANAGER.replace("SCENARIO", scenario), mended=mended, preload="results.js")


@pytest.mark.parametrize("mended", [True, False])
def test_a_result_is_kept_until_its_trial_is_listed(tmp_path, mended):
    outcome = run(tmp_path, BEFORE_IT_IS_LISTED, mended=mended)
    if mended:
        assert sorted(outcome["stored"]) == [["a", 1], ["a", 2], ["a", 4], ["a", 5], ["b", 3]]
        assert [data for data in outcome["sent"] if data != 3] == [1, 2, 4, 5]
        assert outcome["logged"] == []
    else:  # what NNI 3.0 does
        assert outcome["sent"] == [4, 5]
        assert outcome["logged"] == ["NNIManager received non-existent trial job metrics:"] * 3


def test_a_result_that_cannot_be_stored_does_not_hold_the_next(tmp_path):
    outcome = run(tmp_path, AFTER_ONE_THAT_FAILED, mended=True)
    assert outcome["sent"] == [2]
    assert outcome["logged"] == ["the database is full"]
