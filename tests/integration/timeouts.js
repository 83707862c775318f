'use strict';
// Other patience than NNI's, for tests: with NNI_TIMEOUTS='{"10000": 120000}' what takes 10 s takes two minutes.
const instead = JSON.parse(process.env.NNI_TIMEOUTS || '{}');
const later = globalThis.setTimeout;
globalThis.setTimeout = (call, delay, ...rest) => later(call, instead[delay] ?? delay, ...rest);
