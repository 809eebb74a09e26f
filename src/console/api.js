// The client of the public API. The access token lives in this module's memory and nowhere else; the refresh token is
// in a cookie that scripts cannot read.

import { base } from './route.js';

/** A server that does not answer for so long, in milliseconds, is as good as gone. */
const PATIENCE = 20000;
/** How long it may take to say that it is well, when that is all that it is asked. */
const HEALTH_PATIENCE = 5000;
const events = new EventTarget();
let token = null;
// Whose the access token is; another tab may sign somebody else in.
let owner = null;
let renewAt = 0;
let renewing = null;
let reachable = true;
// With `auto_login` a page of this machine needs no password, perhaps a secret of the program that shows it.
let alone = ['localhost', '127.0.0.1', '[::1]'].includes(location.hostname);
let launchSecret = null;

/** Hears of `signed-out` (with a reason), `refused`, `changed`, `down` and `back`; returns how to stop hearing. */
export function on(name, hear) {
  const listener = (event) => hear(event.detail);
  events.addEventListener(name, listener);
  return () => events.removeEventListener(name, listener);
}

function tell(name, detail) {
  events.dispatchEvent(new CustomEvent(name, { detail }));
}

/** A refusal: one sentence, or a sentence for each field, or a wait. */
export class Refused extends Error {
  constructor(status, body, retryAfter) {
    const detail = body?.detail;
    super(typeof detail === 'string' ? detail : detail?.message ?? `The server answers with an error (${status}).`);
    this.status = status;
    this.fields = {};
    this.retryAfter = status === 429 ? Math.max(1, Number(body?.retry_after ?? retryAfter) || 1) : 0;
    if (Array.isArray(detail)) {
      for (const fault of detail) this.fields[fault.loc.at(-1)] ??= spoken(fault.msg);
      // For whoever has no field to show it beside.
      this.message = detail.map((fault) => fault.msg.replace('Value error, ', '')).join(' ');
    }
  }
}

/** A validator's words as one says them to people. */
function spoken(text) {
  return text.replace('Value error, ', '')
    .replace(/^(Field required|String should have at least 1 character)$/, 'Please fill this in.')
    .replace(/^(String|Input|Field|Username|Password) should/, 'This should');
}

/** The server cannot be reached; what was asked did perhaps not arrive. */
export class Unreachable extends Error {
  constructor() {
    super('The server can’t be reached right now.');
  }
}

async function send(method, path, { query, json, form, headers = {}, signal } = {}) {
  const url = new URL(path, base);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== '' && value != null) url.searchParams.set(name, value);
  }
  let body;
  if (json !== undefined) {
    headers = { ...headers, 'content-type': 'application/json' };
    body = JSON.stringify(json);
  } else if (form) {
    body = new URLSearchParams(form);
  }
  const patience = AbortSignal.timeout(PATIENCE);
  const until = signal ? AbortSignal.any([signal, patience]) : patience;
  const response = await fetch(url, { method, headers, body, signal: until, cache: 'no-store' }).catch((error) => {
    if (error.name === 'AbortError') throw error;
    return null;
  });
  // A proxy answers for a server that is gone, but not in JSON.
  const isProxy = response?.status >= 502 && !response.headers.get('content-type')?.includes('json');
  if (response && !isProxy) return response;
  wentDown();
  throw new Unreachable();
}

/** What an answer says, unless it refuses. */
export async function read(response) {
  const body = await response.json().catch((error) => {
    if (error.name === 'AbortError') throw error;
    return null;
  });
  if (response.ok && body) return body;
  if (response.ok) {
    // It ended in the middle of its answer, or somebody else answered in its place.
    wentDown();
    throw new Unreachable();
  }
  throw new Refused(response.status, body, response.headers.get('retry-after'));
}

function wentDown() {
  if (!reachable) return;
  reachable = false;
  tell('down');
  const look = async (wait) => {
    // Perhaps somebody else answers in its place; and one that hangs is not up.
    const asked = fetch(new URL('health', base), { cache: 'no-store', signal: AbortSignal.timeout(HEALTH_PATIENCE) });
    const up = await asked.then((found) => found.ok && found.json()).then(Boolean, () => false);
    if (up) {
      reachable = true;
      tell('back');
    } else {
      setTimeout(look, wait, Math.min(wait * 1.5, 10000));
    }
  };
  setTimeout(look, 1000, 1000);
}

function keep(tokens) {
  token = tokens.access_token;
  const part = token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/');
  const { exp, iat, sub } = JSON.parse(atob(part));
  owner = sub;
  // By how long it lasts, as this machine's clock may be wrong.
  const seconds = exp - iat;
  renewAt = performance.now() + 1000 * Math.max(seconds / 2, seconds - 60);
}

/** A new access token by the refresh cookie; true when there is one. One request serves all who wait. */
export function renew() {
  renewing ??= send('POST', 'api/v1/refresh').then(read).then(
    (tokens) => { keep(tokens); return true; },
    (error) => {
      if (error instanceof Refused && error.status === 401) { token = null; return enter(); }
      throw error;
    },
  ).finally(() => { renewing = null; });
  return renewing;
}

/** Signs in without a password where the server lets this page; true when it did. */
async function enter() {
  if (!alone) return false;
  const headers = launchSecret ? { 'x-launch-secret': launchSecret } : {};
  try {
    keep(await send('GET', 'api/v1/auto_login', { headers }).then(read));
    return true;
  } catch (error) {
    if (!(error instanceof Refused) || error.status >= 500) throw error;
    alone = false;
    return false;
  }
}

/** Takes the secret with which `enter` is let in. */
export function knowLaunchSecret(secret) {
  launchSecret = secret;
}

export async function signIn(username, password) {
  keep(await send('POST', 'api/v1/login', { form: { username, password } }).then(read));
}

export async function signOut() {
  await send('POST', 'api/v1/logout', { headers: authorization() }).then(read).catch((error) => {
    // Without a session there is nothing to end.
    if (error.status !== 401) throw error;
  });
  token = null;
  owner = null;
  // Who leaves does not want to be back at once.
  alone = false;
}

export function authorization() {
  return token ? { authorization: `Bearer ${token}` } : {};
}

/** Asks without credentials. */
export async function open(method, path, options) {
  return read(await send(method, `api/v1/${path}`, options));
}

/** As `renew`, but for somebody who is signed in: nothing is done in the name of somebody else. */
async function renewSame() {
  const before = owner;
  const done = await renew();
  if (done && before && owner !== before) {
    tell('changed');
    throw new Refused(409, { detail: 'Somebody else was signed in by this browser meanwhile.' });
  }
  return done;
}

/** Asks as whoever is signed in; renews the token when it is old or refused, and tells when that no longer works. */
export async function call(method, path, options = {}) {
  if (token && performance.now() > renewAt) await renewSame();
  const ask = () => send(method, `api/v1/${path}`, { ...options, headers: { ...options.headers, ...authorization() } });
  let response = token ? await ask() : null;
  if (!response || response.status === 401) {
    const refusal = response && await response.clone().json().catch(() => null);
    if (!(await renewSame())) {
      tell('signed-out', refusal?.detail === 'Session has ended.' ? 'Your session was ended.' : 'Please sign in again.');
      throw new Refused(401, { detail: 'You are signed out.' });
    }
    response = await ask();
  }
  if (response.status === 403) tell('refused');
  return read(response);
}

/** As `call`, but hands over the answer as it came; for trying things out. */
export async function raw(method, path, options) {
  if (token && performance.now() > renewAt) await renew();
  return send(method, path, options);
}
