'use strict';
// Why an experiment ended with status ERROR. Preloaded into NNI's manager like guard.js.
//
// What a tuner reports as the reason stands in nnimanager.log only; the web UI, `nnictl` and /check-status say
// "Dispatcher stream error, tuner may have crashed." With this file preloaded they give the reason.
//
// NNI also gives up on a tuner that is not there after 10 s, be it that it ended at once or that the machine is busy.
// Here a manager waits as long as the tuner's process runs, two minutes at most.

const { mend } = require('./mend.js');

mend(/nnimanager$/, 'NNIManager', sayWhy);

const PATIENCE = 120000; // milliseconds
const POLL = 250;

function sayWhy(manager) {
  const { addEventListeners, criticalError, run } = manager;

  manager.run = function () {
    this.dispatcher.init = () => connected(this.dispatcher, this.dispatcherPid);
    return run.call(this);
  };

  manager.addEventListeners = function () {
    this.dispatcher.onError(error => { this.dispatcherReason = error.message; }); // before NNI's own listener
    return addEventListeners.call(this);
  };

  manager.criticalError = function (error) {
    if (error && /^Dispatcher stream error/.test(error.message) && this.dispatcherReason) {
      const gone = /^WsChannel terminated/.test(this.dispatcherReason);
      error.message = gone
        ? 'The tuner\'s process is gone: killed, or out of memory? `nnictl stop` and `nnictl resume` go on from here.'
        : this.dispatcherReason;
    }
    return criticalError.call(this, error);
  };
}

// Resolved when the tuner is connected, rejected when it never will be. `pid` is 0 for a tuner that is no child.
function connected({ connect }, pid) {
  const deadline = Date.now() + PATIENCE;
  return new Promise((resolve, reject) => {
    connect.promise.then(resolve, reject);
    const timer = setInterval(() => {
      const gone = pid > 0 && !isRunning(pid);
      if (connect.settled || gone || Date.now() > deadline) {
        clearInterval(timer);
        const what = gone ? 'ended before it was connected' : 'did not connect within two minutes';
        reject(new Error(`The tuner ${what}; dispatcher.log and nnictl_stderr.log say why.`)); // if not yet resolved
      }
    }, POLL);
  });
}

function isRunning(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
