// Addresses: where the server is, and which page of the console an address leads to. Nothing else knows either.

import { useEffect, useState } from './vendor/hooks.js';

/** Where the console is, under whatever path a proxy shows it: this file is two folders below. */
export const base = new URL('../../', import.meta.url);

/** Where the server thinks that the console is. */
export const told = document.querySelector('meta[name="usher-base"]').content;

/** Who may sign up, as the server's setting says: `open`, `approval` or `closed`. */
export const signUp = document.querySelector('meta[name="usher-signup"]')?.content ?? 'closed';

/** What the page was opened as: nothing, or the word of a one-time link (`setup`, `reset`). */
export const entry = location.pathname.slice(base.pathname.length);

/**
 * Whether somebody is probably signed in: the browser brought a refresh token when it asked for this page, or the server
 * needs no password.
 */
export const known = document.documentElement.dataset.visitor === 'known';

/** What a link carries under this name; taken out of the address at once, so that no history keeps it. */
export function take(name) {
  const value = new URLSearchParams(location.hash.slice(1)).get(name);
  if (value) history.replaceState(null, '', location.pathname);
  return value;
}

/** `#/users/ID?state=waiting` for a page and what is asked of it; what is empty, or as it is by itself, is left out. */
export function hashOf(page, query = {}, defaults = {}) {
  const kept = Object.entries(query).filter(([name, value]) => value && String(value) !== String(defaults[name] ?? ''));
  return `#/${page}${kept.length ? `?${new URLSearchParams(kept)}` : ''}`;
}

/** Goes to a page; `replace` leaves no step to come back to. */
export function go(hash, replace) {
  if (!replace) {
    location.hash = hash;
    return;
  }
  history.replaceState(null, '', hash);
  dispatchEvent(new HashChangeEvent('hashchange'));
}

/** `#/users/ID?state=waiting` as its parts. */
function route() {
  const [path, query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const [page = '', id] = path.split('/');
  return { page, id, query: Object.fromEntries(new URLSearchParams(query)) };
}

/** The parts of the address, as it changes. */
export function useRoute() {
  const [now, set] = useState(route());
  useEffect(() => {
    const changed = () => set(route());
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return now;
}
