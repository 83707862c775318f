'use strict';
// No result is lost. Preloaded into NNI's manager like guard.js.
//
// NNI 3.0 starts a trial, writes the experiment's profile to its database, and only then takes the trial into its own
// list. What a trial reports in between is dropped ("received non-existent trial job metrics"): on a busy disk that
// is the result of a short trial, or the first intermediate one of a long trial. With this file preloaded it is kept
// until the trial is in the list.

const { mend } = require('./mend.js');

mend(/nnimanager$/, 'NNIManager', keepResults);

const PATIENCE = 60000; // milliseconds, for a trial that never gets into the list: an earlier manager's, say
const POLL = 20; // well below the pause after which the manager looks for trials that have ended

function keepResults(manager) {
  const { onTrialJobMetrics } = manager;

  manager.onTrialJobMetrics = function (metric) {
    this.heldMetrics ??= new Map(); // trial -> promise of what it reported so far
    const held = this.heldMetrics.get(metric.id);
    if (held === undefined && this.trialJobs.has(metric.id)) {
      return onTrialJobMetrics.call(this, metric);
    }
    const taken = Promise.resolve(held).catch(() => {}) // in the order they came, whatever became of the earlier ones
      .then(() => listed(this.trialJobs, metric.id))
      .then(() => onTrialJobMetrics.call(this, metric))
      .finally(() => {
        if (this.heldMetrics.get(metric.id) === taken) {
          this.heldMetrics.delete(metric.id);
        }
      });
    this.heldMetrics.set(metric.id, taken);
    return taken;
  };
}

// Resolved when the manager has the trial in its list, or never will.
function listed(trialJobs, id) {
  const deadline = Date.now() + PATIENCE;
  return new Promise(resolve => {
    const timer = setInterval(() => {
      if (trialJobs.has(id) || Date.now() > deadline) {
        clearInterval(timer);
        resolve();
      }
    }, POLL);
  });
}
