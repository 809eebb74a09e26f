// Addresses: the base path of the server, and the console page that an address names.

import { useEffect, useState } from './vendor/hooks.js';

/** The console's address, under any path that a proxy puts it at. This file is two folders below it. */
export const base = new URL('../../', import.meta.url);

const meta = (name) => document.querySelector(`meta[name="usher-${name}"]`)?.content;

/** The path that the server is configured for. */
export const configuredBase = meta('base');

/** The setting `signup`: `open`, `approval` or `closed`. */
export const signupMode = meta('signup') ?? 'closed';

/** The page that a link opened: `setup`, `reset`, `sign-out`, or nothing for the console. */
export const linkPage = location.pathname.slice(base.pathname.length);

/** Whether the browser sent a refresh token with this page, or the server needs no password. */
export const likelySignedIn = document.documentElement.dataset.visitor === 'known';

/** Reads a value from the address's fragment, and removes the fragment so that the history doesn't keep it. */
export function takeFromHash(name) {
  const value = new URLSearchParams(location.hash.slice(1)).get(name);
  if (value) history.replaceState(null, '', location.pathname);
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
