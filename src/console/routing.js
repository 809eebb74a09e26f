// Addresses: the base path of the server, and the console page that an address names.

import { useEffect, useState } from './vendor/hooks.js';

/** The console's address, under any path that a proxy puts it at. This file is two folders below it. */
export const base = new URL('../../', import.meta.url);

const meta = (name) => document.querySelector(`meta[name="usher-${name}"]`)?.content;

/** The path that the server is configured for. */
export const configuredBase = meta('base');

/** The setting `signup`: `open`, `approval` or `closed`. */
export const signupMode = meta('signup') ?? 'closed';

/** The setting `password_min_length`. */
export const passwordMin = Number(meta('password-min') ?? 8);

/** The setting `self_deletion`. */
export const selfDeletion = meta('self-deletion') === 'true';

/** Whether second factors are `off`, `optional`, or `required` of some users. */
export const secondFactor = meta('second-factor') ?? 'off';

/** The domain that passkeys belong to; empty if they can't be used. */
export const passkeyDomain = meta('passkey-domain') ?? '';

/** The setting `site_name`, or the product's name. */
export const siteName = meta('site-name');

/** The server's version. */
export const version = meta('version');

/** Whether the server has no superuser yet, and the file that holds its setup link. */
export const needsSetup = document.documentElement.dataset.visitor === 'setup';
export const setupFile = meta('setup-file');

/** The page that a link opened: `setup`, `reset`, `sign-out`, or nothing for the console. */
export const linkPage = location.pathname.slice(base.pathname.length);

/** Whether the browser sent a refresh token with this page, or the server needs no password. */
export const likelySignedIn = document.documentElement.dataset.visitor === 'known';

/** The forms with unsaved input. */
const unsaved = new Set();
let shownHash = location.hash;
let askToDiscard = null;

/** Records whether a form has unsaved input. */
export function setUnsaved(form, dirty) {
  if (dirty) unsaved.add(form); else unsaved.delete(form);
}

/** Runs `leave` now, or after the user agreed to discard the unsaved input within an element. */
export function discardThen(leave, within = document) {
  const lost = [...unsaved].filter((form) => within.contains(form));
  if (!lost.length || !askToDiscard) leave();
  else askToDiscard(() => { lost.forEach((form) => unsaved.delete(form)); leave(); });
}

/** Sets the function that asks whether to discard unsaved input, or `null`. */
export function onDiscard(ask) {
  askToDiscard = ask;
}

addEventListener('beforeunload', (event) => { if (unsaved.size) event.preventDefault(); });
// Registered before the listeners of `useRoute`, so that it can stop the event.
addEventListener('hashchange', (event) => {
  const wanted = location.hash;
  if (unsaved.size && askToDiscard && wanted !== shownHash) {
    event.stopImmediatePropagation();
    history.replaceState(null, '', shownHash || location.pathname + location.search);
    discardThen(() => go(wanted, true));
  } else shownHash = wanted;
});

/** Reads a value from the address's fragment, and removes the fragment so that the history doesn't keep it. */
export function takeFromHash(name) {
  const value = new URLSearchParams(location.hash.slice(1)).get(name);
  if (value) {
    history.replaceState(null, '', location.pathname);
    shownHash = '';
  }
  return value;
}

/** Returns `#/users/ID?state=waiting`; leaves out empty and default values. */
export function hashOf(page, query = {}, defaults = {}) {
  const kept = Object.entries(query).filter(([name, value]) => value && String(value) !== String(defaults[name] ?? ''));
  return `#/${page}${kept.length ? `?${new URLSearchParams(kept)}` : ''}`;
}

/** Opens a page; with `replace` it takes the place of the current one in the history. */
export function go(hash, replace) {
  if (!replace) {
    location.hash = hash;
    return;
  }
  history.replaceState(null, '', hash);
  dispatchEvent(new HashChangeEvent('hashchange'));
}

/** Parses `#/users/ID?state=waiting`. */
function route() {
  const [path, query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const [page = '', id] = path.split('/');
  return { page, id, query: Object.fromEntries(new URLSearchParams(query)) };
}

/** The parsed address; follows its changes. */
export function useRoute() {
  const [now, set] = useState(route());
  useEffect(() => {
    const changed = () => set(route());
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return now;
}
