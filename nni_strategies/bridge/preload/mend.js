'use strict';
// What the files preloaded into NNI's manager share: whether this process is that manager, and how a class of NNI's
// is mended when the manager loads it, without editing NNI's files.

const Module = require('module');
const path = require('path');

const script = process.argv[1] || '';

// Whether this process is NNI's manager; NODE_OPTIONS reaches other Node.js programs too.
exports.isManager = path.basename(script) === 'main.js' && path.basename(path.dirname(script)) === 'nni_node';

// Call `change(prototype)` when the manager loads the module that exports the class `name`, once.
exports.mend = function (request, name, change) {
  if (!exports.isManager) {
    return;
  }
  const load = Module._load;
  const mended = new WeakSet();
  Module._load = function (asked, ...rest) {
    const loaded = load.call(this, asked, ...rest);
    if (request.test(asked) && loaded && loaded[name] && !mended.has(loaded[name])) {
      mended.add(loaded[name]);
      change(loaded[name].prototype);
    }
    return loaded;
  };
};
