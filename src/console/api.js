// The client of the public API. The access token is kept in memory only; the refresh token is in an HttpOnly cookie.

import { base } from './routing.js';
import { errors, session } from './texts.js';

/** Messages of the API that name no field, and the field that each is about. */
const FIELDS = {
  'This username is unavailable.': 'username',
  'Current password is incorrect': 'current_password',
  'Enter your current password, or sign in with a passkey': 'current_password',
  'You can\'t use your current password': 'password',
  'Incorrect code': 'code',
};
/** The API's message for a challenge that took too long or had too many wrong answers. */
const CHALLENGE_ENDED = 'This sign-in has expired; sign in again';

/** How long to wait for a response, in milliseconds. */
const TIMEOUT = 20000;
/** How long to wait for a health check, in milliseconds. */
const HEALTH_TIMEOUT = 5000;
const events = new EventTarget();
let token = null;
// The user of the access token. Another tab may sign another user in.
let tokenUser = null;
let renewAt = 0;
let renewing = null;
let online = true;
// With `auto_login`, a page on the server's own machine needs no password. It may need a launch secret.
let mayAutoLogin = ['localhost', '127.0.0.1', '[::1]'].includes(location.hostname);
let launchSecret = null;
// All tabs share the refresh cookie, so a sign-out in one ends them all.
const tabs = new BroadcastChannel(`usher ${base.pathname}`);

/** Listens for `signed-out` (with a reason), `forbidden`, `user-changed`, `users-changed`, `offline` or `online`; returns a function that stops. */
export function on(name, listen) {
  const listener = (event) => listen(event.detail);
  events.addEventListener(name, listener);
  return () => events.removeEventListener(name, listener);
}

function emit(name, detail) {
  events.dispatchEvent(new CustomEvent(name, { detail }));
}

/** An error response: one sentence, or one for each field, or a time to wait. */
export class ApiError extends Error {
  constructor(status, body, retryAfter) {
    const detail = body?.detail;
    super(typeof detail === 'string' ? detail : detail?.message ?? errors.status(status));
    this.status = status;
    this.fields = {};
    this.retryAfter = status === 429 ? Math.max(1, Number(body?.retry_after ?? retryAfter) || 1) : 0;
    this.challenge = body?.challenge && body;
    this.challengeEnded = detail === CHALLENGE_ENDED;
    if (FIELDS[detail]) this.fields[FIELDS[detail]] = detail;
    const about = typeof detail === 'string' && /^(Username|Password) /.exec(detail);
    if (about) this.fields[about[1].toLowerCase()] = readable(detail);
    if (Array.isArray(detail)) {
      for (const item of detail) this.fields[item.loc.at(-1)] ??= readable(item.msg);
      // For errors whose field is not on the page.
      this.message = detail.map((item) => item.msg.replace('Value error, ', '')).join(' ');
    }
  }
}

/** Rewrites a validation message for people. */
function readable(text) {
  return text.replace('Value error, ', '')
    .replace(/^(Field required|(String|Username|Password) should have at least 1 character)$/, errors.required)
    .replace(/^(String|Input|Field|Username|Password) should/, 'This should');
}

/** The server can't be reached. The request may or may not have arrived. */
export class NetworkError extends Error {
  constructor() {
    super(errors.unreachable);
  }
}

async function send(method, path, { query, json, form, headers = {}, signal, credentials, timeout = TIMEOUT } = {}) {
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
  const deadline = AbortSignal.timeout(timeout);
  const until = signal ? AbortSignal.any([signal, deadline]) : deadline;
  const response = await fetch(url, { method, headers, body, signal: until, credentials, cache: 'no-store' }).catch((error) => {
    if (error.name === 'AbortError') throw error;
    return null;
  });
  // A proxy answers for a server that is down, but not in JSON.
  const isProxy = response?.status >= 502 && !response.headers.get('content-type')?.includes('json');
  if (response && !isProxy) return response;
  goOffline();
  throw new NetworkError();
}

/** Returns the JSON body of a response; throws if it is an error. */
export async function read(response) {
  const body = await response.json().catch((error) => {
    if (error.name === 'AbortError') throw error;
    return null;
  });
  if (response.ok && body) return body;
  if (response.ok) {
    // The response was cut off, or it came from something else than the server.
    goOffline();
    throw new NetworkError();
  }
  throw new ApiError(response.status, body, response.headers.get('retry-after'));
}

function goOffline() {
  if (!online) return;
  online = false;
  emit('offline');
  const check = async (wait) => {
    // Reads the body, as something else may answer in the server's place.
    const response = fetch(new URL('health', base), { cache: 'no-store', signal: AbortSignal.timeout(HEALTH_TIMEOUT) });
    const healthy = await response.then((found) => found.ok && found.json()).then(Boolean, () => false);
    if (healthy) {
      online = true;
      emit('online');
    } else {
      setTimeout(check, wait, Math.min(wait * 1.5, 10000));
    }
  };
  setTimeout(check, 1000, 1000);
}

function store(tokens) {
  token = tokens.access_token;
  const part = token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/');
  const { exp, iat, sub } = JSON.parse(atob(part));
  tokenUser = sub;
  // Uses the token's lifetime, as the browser's clock may be wrong.
  const seconds = exp - iat;
  renewAt = performance.now() + 1000 * Math.max(seconds / 2, seconds - 60);
}

// With this header, the server uses a cookie of the console's own. Langflow's clients in the same browser keep theirs.
const CONSOLE = { 'x-usher-console': '1' };

/** Gets a new access token with the refresh cookie; returns whether it worked. Concurrent callers share one request. */
export function renew() {
  renewing ??= send('POST', 'api/v1/refresh', { headers: CONSOLE }).then(read).then(
    (tokens) => { store(tokens); return true; },
    (error) => {
      if (error instanceof ApiError && error.status === 401) { token = null; return autoLogin(); }
      throw error;
    },
  ).finally(() => { renewing = null; });
  return renewing;
}

/** Signs in without a password if the server allows it; returns whether it worked. */
async function autoLogin() {
  if (!mayAutoLogin) return false;
  const headers = launchSecret ? { ...CONSOLE, 'x-launch-secret': launchSecret } : CONSOLE;
  try {
    store(await send('GET', 'api/v1/auto_login', { headers }).then(read));
    return true;
  } catch (error) {
    if (!(error instanceof ApiError) || error.status >= 500) throw error;
    mayAutoLogin = false;
    return false;
  }
}

function forget() {
  token = null;
  tokenUser = null;
  // Automatic sign-in would undo the sign-out.
  mayAutoLogin = false;
}

tabs.onmessage = () => {
  if (!token) return;
  forget();
  emit('signed-out', session.signedOut);
};

/** Sets the launch secret for automatic sign-in. */
export function setLaunchSecret(secret) {
  launchSecret = secret;
}

/** Signs in. An error with a `challenge` asks for a second factor. */
export async function signIn(username, password) {
  store(await send('POST', 'api/v1/login', { headers: CONSOLE, form: { username, password } }).then(read));
}

/** Signs in with an answer to a challenge; `how` is `second-factor` or `passkey`. */
export async function answerChallenge(how, json) {
  store(await send('POST', `api/v1/login/${how}`, { headers: CONSOLE, json }).then(read));
}

/** Proves again who is signed in. The session goes on with new tokens. */
export async function signInAgain(json) {
  if (token && performance.now() > renewAt) await renewSameUser();
  store(await send('POST', 'api/v1/login/again', { headers: { ...CONSOLE, ...authorization() }, json }).then(read));
}

export async function signOut() {
  await send('POST', 'api/v1/logout', { headers: { ...CONSOLE, ...authorization() } }).then(read).catch((error) => {
    // The session has already ended.
    if (error.status !== 401) throw error;
  });
  forget();
  tabs.postMessage('signed-out');
}

/** Forgets a session that the server has ended, and tells all tabs. */
export function leave(reason) {
  forget();
  tabs.postMessage('signed-out');
  emit('signed-out', reason);
}

export function authorization() {
  return token ? { authorization: `Bearer ${token}` } : {};
}

/** Sends a request without credentials. */
export async function requestAnonymously(method, path, options) {
  return read(await send(method, `api/v1/${path}`, options));
}

/** Renews the token; throws if it then belongs to another user. */
async function renewSameUser() {
  const before = tokenUser;
  const done = await renew();
  if (done && before && tokenUser !== before) {
    emit('user-changed');
    throw new ApiError(409, { detail: errors.otherUser });
  }
  return done;
}

let askAgain = null;

/** Sets the function that asks the user to sign in again and returns whether they did, or `null`. */
export function onSignInAgain(ask) {
  askAgain = ask;
}

/**
 * Sends a request as the signed-in user. Renews the token when it is old or refused, and asks the user to sign in again
 * where the server requires it. With `blob`, the body is a file instead of JSON.
 */
export async function request(method, path, { blob, ...options } = {}) {
  if (token && performance.now() > renewAt) await renewSameUser();
  const attempt = () => send(method, `api/v1/${path}`, { ...options, headers: { ...options.headers, ...authorization() } });
  let response = token ? await attempt() : null;
  if (!response || response.status === 401) {
    const refusal = response && await response.clone().json().catch(() => null);
    if (!(await renewSameUser())) {
      emit('signed-out', refusal?.detail === 'Session has ended.' ? session.ended : session.signInAgain);
      throw new ApiError(401, { detail: errors.signedOut });
    }
    response = await attempt();
  }
  if (response.status === 403) {
    const refusal = await response.clone().json().catch(() => null);
    if (!refusal?.reauthenticate) emit('forbidden');
    else if (askAgain && await askAgain()) response = await attempt();
  }
  const body = blob && response.ok ? await response.blob() : await read(response);
  if (method !== 'GET' && path.startsWith('users/')) emit('users-changed');
  return body;
}

/** Returns the result of the server's health check, whether or not it is healthy. */
export async function healthCheck(signal) {
  return (await send('GET', 'health_check', { signal })).json();
}

/** Sends a request to any path and returns the unread response. */
export async function rawRequest(method, path, options) {
  if (token && performance.now() > renewAt) await renew();
  return send(method, path, options);
}
