'use strict';
// Right parameters to right trials. Preloaded into NNI's manager: NODE_OPTIONS='--require "/path/to/pairing.js"'.
//
// NNI 3.0 puts the parameters of the trials it submits into one queue and hands its head to whichever trial asks
// first, while its database records the parameter each trial was submitted with (training_service/v3/compat.js).
// With two or more local trials at a time these two differ: rows of the web UI, /trial-jobs and export_data() show
// parameters with which the trial never ran. Here a trial gets the parameter it was submitted with, whenever it asks.
//
// NNI's files are not edited: the class is mended when the manager loads it.

const { isManager, mend } = require('./mend.js');

if (isManager) {
  process.env.NNI_STRATEGIES_MENDED = '1'; // inherited by the tuner's process, which asks for it
}

// NNI's class that submits trials to the training services "local" and "remote" (without reuse mode).
mend(/(^|\/)v3\/compat$/, 'V3asV1', service => {
  const { start, submitTrialJob } = service;

  // The parameter of a trial: a promise, since a trial may ask before NNI knows the trial's id.
  service.parameterOf = function (trialId) {
    this.parametersByTrial ??= new Map();
    if (!this.parametersByTrial.has(trialId)) {
      const deferred = {};
      deferred.promise = new Promise(resolve => { deferred.resolve = resolve; });
      this.parametersByTrial.set(trialId, deferred);
    }
    return this.parametersByTrial.get(trialId);
  };

  service.submitTrialJob = async function (form) {
    const job = await submitTrialJob.call(this, form);
    const parameter = form.hyperParameters.value;
    const position = this.parameters.indexOf(parameter);
    if (position >= 0) {
      this.parameters.splice(position, 1);
    }
    this.parameterOf(job.id).resolve(parameter);
    return job;
  };

  service.start = function () {
    const subscribe = this.v3.onRequestParameter;
    this.v3.onRequestParameter = answer => subscribe.call(this.v3, async trialId => {
      this.allocatedParameters.set(trialId, await this.parameterOf(trialId).promise);
      await answer(trialId); // sends what is allocated to the trial, before it looks at the queue
    });
    return start.call(this);
  };
});
