'use strict';
// Why an experiment ended with status ERROR. Preloaded into NNI's manager like guard.js.
//
// What a tuner reports as the reason stands in nnimanager.log only; the web UI, `nnictl` and /check-status say
// "Dispatcher stream error, tuner may have crashed." With this file preloaded they give the reason.

const Module = require('module');
const path = require('path');

const script = process.argv[1] || '';
const isManager = path.basename(script) === 'main.js' && path.basename(path.dirname(script)) === 'nni_node';

if (isManager && !globalThis.nniStrategiesErrors) {
  globalThis.nniStrategiesErrors = true;
  const load = Module._load;
  Module._load = function (request, ...rest) {
    const loaded = load.call(this, request, ...rest);
    if (/nnimanager$/.test(request) && loaded && loaded.NNIManager && !loaded.NNIManager.saysWhy) {
      loaded.NNIManager.saysWhy = true;
      sayWhy(loaded.NNIManager.prototype);
    }
    return loaded;
  };
}

function sayWhy(manager) {
  const { addEventListeners, criticalError } = manager;

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
