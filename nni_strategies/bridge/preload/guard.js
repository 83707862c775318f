'use strict';
// Who may talk to NNI's manager. Preloaded into it: NODE_OPTIONS='--require "/path/to/guard.js"'.
//
// NNI 3.0 listens on every interface, asks nobody for a password and serves any file of the user that runs it
// (GET /api/v1/nni/trial-file/ID/..%2f..%2fFILE). With this file preloaded
//   1. it listens on the addresses of NNI_GUARD_BIND only (comma separated; default 127.0.0.1; '*' for all);
//   2. paths that lead out of a folder are answered with 400;
//   3. requests under a foreign host name (DNS rebinding) are answered with 421, those of a foreign web page with 403;
//   4. whoever is not on this machine must present NNI_GUARD_TOKEN, as a bearer token or as the password that
//      a browser asks for; without a token set, nobody from outside gets in (401).
//
// Exceptions:
//   NNI_GUARD_PEERS  addresses of worker machines, let through to the trials' websockets without a token
//   NNI_GUARD_HOSTS  further names of this server, such as that of a reverse proxy
//   NNI_GUARD_TRUST  addresses that need no token (default: all of loopback)
//
// Limits: there is no TLS, so prefer `ssh -L` to a public address; other users of this machine count as trusted.

const crypto = require('crypto');
const http = require('http');
const net = require('net');

const { isManager } = require('./mend.js');

const addresses = names => (process.env[names] || '').split(',').map(name => name.trim()).filter(Boolean);
const bind = addresses('NNI_GUARD_BIND');
const peers = addresses('NNI_GUARD_PEERS');
const trusted = addresses('NNI_GUARD_TRUST');
const hosts = addresses('NNI_GUARD_HOSTS').map(name => name.toLowerCase());
const token = process.env.NNI_GUARD_TOKEN || '';

if (isManager && !globalThis.nniStrategiesGuard) {
  globalThis.nniStrategiesGuard = true;
  delete process.env.NNI_GUARD_TOKEN; // trials and tuner have no use for it
  if (bind.length === 0) {
    bind.push('127.0.0.1');
  }
  if (!bind.includes('*')) {
    restrictListening();
  }
  checkRequests();
}

// ---- 1. where to listen ------------------------------------------------------------------------------------

// Give every server that names no address the first of `bind`; the others pass their connections on to it.
function restrictListening() {
  const listen = net.Server.prototype.listen;
  net.Server.prototype.listen = function (...args) {
    const options = withoutAddress(args);
    if (options === null) {
      return listen.apply(this, args);
    }
    const more = bind.slice(1).map(host => {
      const server = net.createServer(socket => this.emit('connection', socket));
      server.on('error', error => this.emit('error', error)); // an address that cannot be had is not passed over
      return { host, server };
    });
    this.once('listening', () => {
      const { port } = this.address();
      more.forEach(({ host, server }) => listen.call(server, { port, host, ipv6Only: true }));
    });
    const close = this.close;
    this.close = function (...closeArgs) {
      more.filter(({ server }) => server.listening).forEach(({ server }) => server.close());
      return close.apply(this, closeArgs);
    };
    const callback = args.find(argument => typeof argument === 'function');
    return listen.call(this, { ...options, host: bind[0] }, callback);
  };
}

// The options of a call listen(...) that names a port but no address; null for any other call.
function withoutAddress(args) {
  const [first, second] = args;
  if (first !== null && typeof first === 'object') {
    return first.port !== undefined && !first.host ? first : null;
  }
  const isPort = typeof first === 'number' || /^\d+$/.test(String(first));
  return isPort && typeof second !== 'string' ? { port: Number(first) } : null;
}

// ---- 2. to 4. what to answer -------------------------------------------------------------------------------

function checkRequests() {
  const emit = http.Server.prototype.emit;
  http.Server.prototype.emit = function (event, request, response, ...rest) {
    const refusal = event === 'request' || event === 'upgrade' ? refuse(request) : null;
    if (refusal === null) {
      return emit.call(this, event, request, response, ...rest);
    }
    const [status, reason] = refusal;
    if (event === 'upgrade') { // then `response` is the bare socket
      response.end(`HTTP/1.1 ${status} ${reason}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    } else {
      const challenge = status === 401 ? { 'WWW-Authenticate': 'Basic realm="NNI", charset="UTF-8"' } : {};
      response.writeHead(status, { 'Content-Type': 'text/plain', Connection: 'close', ...challenge });
      response.end(`${reason}\n`);
    }
    return true;
  };
}

// Why a request is refused: [HTTP status, reason], or null where it is not.
function refuse(request) {
  const address = plainAddress(request.socket.remoteAddress);
  const local = isTrusted(address);
  if (leadsOut(request.url)) {
    return [400, 'Bad path'];
  }
  if (local && !isOurName(hostName(request.headers.host))) {
    return [421, 'Unexpected host name'];
  }
  if (isForeignPage(request)) {
    return [403, 'Request of another web page'];
  }
  if (local || holdsToken(request) || (peers.includes(address) && isTrialChannel(request))) {
    return null;
  }
  return [401, 'Token needed'];
}

// Whether a path could name a file outside the folder it is looked up in, however often it is encoded.
function leadsOut(url) {
  const encoded = url.split(/[?#]/)[0];
  let decoded;
  try {
    decoded = decodeURIComponent(encoded);
  } catch {
    return true;
  }
  const trialFile = /\/trial-file\/[^/]*\/(.*)/.exec(encoded);
  return /%[0-9a-f]{2}/i.test(decoded) // encoded twice
    || /[\0\\]/.test(decoded)
    || decoded.split('/').includes('..')
    || (trialFile !== null && decodeURIComponent(trialFile[1]).includes('/')); // a plain file name, nothing else
}

function plainAddress(address) {
  return (address || '').replace(/^::ffff:/, '');
}

function isTrusted(address) {
  return trusted.length > 0 ? trusted.includes(address) : address === '::1' || address.startsWith('127.');
}

// 'LocalHost:8080' -> 'localhost', '[::1]:8080' -> '::1'
function hostName(host) {
  return (host || '').toLowerCase().replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
}

// A page that points its own name at 127.0.0.1 still sends that name. No name at all comes from no browser.
function isOurName(name) {
  return ['', 'localhost', '::1'].includes(name) || /^127(\.\d+){3}$/.test(name) || bind.includes(name) || hosts.includes(name);
}

// A browser says in Origin which page sends a request: that has to be ours. Matters for websockets, which a page of
// any site may open.
function isForeignPage(request) {
  const origin = request.headers.origin;
  if (origin === undefined) {
    return false;
  }
  const own = origin.replace(/^https?:\/\//, '').toLowerCase();
  return own !== (request.headers.host || '').toLowerCase() && !hosts.includes(hostName(own));
}

// The websockets over which worker machines report: '/' (reuse mode) or '/platform/…'.
function isTrialChannel(request) {
  const isWebsocket = (request.headers.upgrade || '').toLowerCase() === 'websocket';
  return isWebsocket && /^\/(?:(?:[^/?]+\/)?platform\/.*)?(?:\?.*)?$/.test(request.url);
}

function holdsToken(request) {
  const [scheme, credentials = ''] = (request.headers.authorization || '').split(' ');
  const isBearer = scheme.toLowerCase() === 'bearer';
  const given = isBearer ? credentials : Buffer.from(credentials, 'base64').toString().replace(/^[^:]*:/, '');
  const digest = text => crypto.createHash('sha256').update(text).digest();
  return token !== '' && crypto.timingSafeEqual(digest(given), digest(token));
}
