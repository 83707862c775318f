'use strict';
// What a resumed manager runs again. Preloaded into NNI's manager like guard.js.
//
// NNI 3.0 runs every trial again that has no end in its database, also one that was killed between its final result
// and its exit; and it forgets a trial that an earlier resume took up and was killed before starting it. With this
// file preloaded the first is a success, and the second is taken up.

const { mend } = require('./mend.js');

mend(/nnimanager$/, 'NNIManager', resumeRight);

function resumeRight(manager) {
  const { addRecoveredTrialJob, resumeExperiment } = manager;

  manager.resumeExperiment = async function (readonly) {
    if (!readonly) {
      await endReported(this.dataStore);
    }
    return resumeExperiment.call(this, readonly);
  };

  manager.addRecoveredTrialJob = function (jobs) {
    const takenUp = jobs.map(job => (job.status === 'ADD_RESUMED' ? { ...job, status: 'WAITING' } : job));
    return addRecoveredTrialJob.call(this, takenUp);
  };
}

// A trial that reported its final result succeeded.
async function endReported(dataStore) {
  const reported = new Set((await dataStore.getMetricData(undefined, 'FINAL')).map(metric => metric.trialJobId));
  for (const job of await dataStore.listTrialJobs()) {
    if (['WAITING', 'RUNNING', 'ADD_RESUMED'].includes(job.status) && reported.has(job.trialJobId)) {
      await dataStore.storeTrialJobEvent('SUCCEEDED', job.trialJobId, '', undefined);
    }
  }
}
