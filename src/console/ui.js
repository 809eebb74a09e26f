// What all pages are made of: fields, forms, dialogs, messages. Nothing here knows what they are for.

import { h, render, Fragment } from './vendor/preact.js';
import { useState, useEffect, useRef, useId, useCallback } from './vendor/hooks.js';
import htm from './vendor/htm.js';
import { on, Refused, Unreachable } from './api.js';

export const html = htm.bind(h);
export { render, Fragment, useState, useEffect, useRef, useId, useCallback };

const fullTime = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const dayOnly = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });
const count = new Intl.NumberFormat();

export const number = (n) => count.format(n);

/** A moment, short, with all of it to be seen on hovering. */
export function When({ at, never = '–', time }) {
  if (!at) return html`<span class="quiet">${never}</span>`;
  const date = new Date(at);
  return html`<time datetime=${at} title=${date.toString()}>${(time ? fullTime : dayOnly).format(date)}</time>`;
}

/** One labelled input with its hint and its fault. */
export function Field({ label, hint, error, type = 'text', options, ...rest }) {
  const id = useId();
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(' ') || undefined;
  const common = { id, 'aria-describedby': described, 'aria-invalid': error ? 'true' : undefined, ...rest };
  return html`<div class="field">
    <label for=${id}>${label}</label>
    ${options
      ? html`<select ...${common}>${options.map(([value, text]) => html`<option value=${value}>${text}</option>`)}</select>`
      : html`<input type=${type} ...${common} />`}
    ${hint && html`<p class="hint" id="${id}-hint">${hint}</p>`}
    ${error && html`<p class="fault" id="${id}-error">${error}</p>`}
  </div>`;
}

/** Runs `work` for a form and keeps what went wrong with it. */
export function useWork(work) {
  const [state, set] = useState({ busy: false, error: null, fields: {}, until: 0 });
  const run = async (...args) => {
    set((now) => ({ ...now, busy: true }));
    try {
      const result = await work(...args);
      set({ busy: false, error: null, fields: {}, until: 0 });
      return result;
    } catch (error) {
      if (!(error instanceof Refused || error instanceof Unreachable)) {
        set({ busy: false, error: 'Something went wrong on this page.', fields: {}, until: 0 });
        throw error;
      }
      const until = error.retryAfter ? Date.now() + error.retryAfter * 1000 : 0;
      set({ busy: false, error: error.message, fields: error.fields ?? {}, until });
      return undefined;
    }
  };
  return { ...state, run, clear: () => set({ busy: false, error: null, fields: {}, until: 0 }) };
}

/** How many seconds are left until then. */
function useCountdown(until) {
  const [now, tick] = useState(Date.now());
  useEffect(() => {
    if (!until) return undefined;
    tick(Date.now());
    const timer = setInterval(() => tick(Date.now()), 500);
    return () => clearInterval(timer);
  }, [until]);
  return until ? Math.max(0, Math.ceil((until - now) / 1000)) : 0;
}

/** A form with its message and its button, which waits as long as the server asks. */
export function Form({ work, submit, label, danger, disabled, onCancel, children, onDone, class: kind = '' }) {
  const form = useRef();
  const left = useCountdown(work.until);
  const send = async (event) => {
    event.preventDefault();
    if (work.busy || left) return;
    const values = Object.fromEntries(new FormData(form.current));
    const result = await work.run(values);
    if (result !== undefined) onDone?.(result, form.current);
  };
  useEffect(() => {
    if (Object.keys(work.fields).length) form.current.querySelector('[aria-invalid=true]')?.focus();
  }, [work.fields]);
  return html`<form ref=${form} onSubmit=${send} novalidate class=${kind} aria-label=${label}>
    ${children}
    <${Problem} text=${left ? null : work.until ? null : work.error} />
    ${left > 0 && html`<p class="problem" role="alert">Too many attempts. Please wait.</p>`}
    <div class="actions">
      ${onCancel && html`<button type="button" onClick=${onCancel}>Cancel</button>`}
      <button class=${danger ? 'danger' : 'primary'} disabled=${disabled} aria-disabled=${work.busy || left > 0 ? 'true' : undefined}>
        ${left ? `Wait ${left} s` : work.busy ? 'One moment…' : submit}
      </button>
    </div>
  </form>`;
}

/** Something went wrong, said at once. */
export function Problem({ text, children }) {
  return text || children ? html`<div class="problem" role="alert">${text}${children}</div>` : null;
}

/** A modal dialog; the browser keeps the focus inside and gives it back. */
export function Dialog({ title, onClose, children }) {
  const dialog = useRef();
  const id = useId();
  useEffect(() => {
    const shown = dialog.current;
    shown.showModal();
    // Closed before it is taken away: as long as it is open, nothing behind it can have the focus.
    return () => shown.close();
  }, []);
  return html`<dialog ref=${dialog} aria-labelledby=${id} onClose=${onClose} onCancel=${onClose}>
    <h2 id=${id}>${title}</h2>
    ${children}
  </dialog>`;
}

export function Badge({ kind, children }) {
  return html`<span class="badge ${kind}">${children}</span>`;
}

/** A person's picture if it is written out in full, else the first letter: fetching one would tell who looks. */
export function Avatar({ user, large }) {
  const picture = user.profile_image?.startsWith('data:image/') ? user.profile_image : null;
  const kind = large ? 'avatar large' : 'avatar';
  return picture
    ? html`<img class=${kind} src=${picture} alt="" />`
    : html`<span class=${kind} aria-hidden="true">${[...user.username][0]?.toUpperCase()}</span>`;
}

export function Pager({ skip, limit, total, go, what }) {
  const last = Math.min(skip + limit, total);
  const end = Math.max(0, Math.floor((total - 1) / limit) * limit);
  return html`<nav class="pager" aria-label="Pages of ${what}">
    <span>${total ? `${number(skip + 1)}–${number(last)} of ${number(total)}` : 'None'}</span>
    <span class="buttons">
      <button onClick=${() => go(0)} disabled=${skip === 0} aria-label="First page">«</button>
      <button onClick=${() => go(Math.max(0, skip - limit))} disabled=${skip === 0}>Previous</button>
      <button onClick=${() => go(skip + limit)} disabled=${last >= total}>Next</button>
      <button onClick=${() => go(end)} disabled=${last >= total} aria-label="Last page">»</button>
    </span>
  </nav>`;
}

let announce = () => {};
/** Says that something was done, to everybody: shown for a while, read out once. */
export const say = (text) => announce(text);

export function Notices() {
  const [text, set] = useState('');
  useEffect(() => {
    let timer;
    announce = (said) => {
      clearTimeout(timer);
      set(said);
      timer = setTimeout(set, 5000, '');
    };
    return () => clearTimeout(timer);
  }, []);
  return html`<div class="notices" role="status" aria-live="polite">${text && html`<p>${text}</p>`}</div>`;
}

/** Says that the server is gone, and that it is back. */
export function Connection() {
  const [down, set] = useState(false);
  useEffect(() => {
    const stop = [on('down', () => set(true)), on('back', () => { set(false); say('The server is back.'); })];
    return () => stop.forEach((end) => end());
  }, []);
  return html`<div role="alert">${down && html`<p class="banner">The server can’t be reached. Trying again…</p>`}</div>`;
}

/** Loads when `key` changes and when the server is back; keeps what it had until the new one is there. */
export function useLoad(load, key) {
  const [state, set] = useState({ value: null, error: null, loading: true });
  const [again, repeat] = useState(0);
  useEffect(() => {
    const control = new AbortController();
    set((now) => ({ ...now, loading: true }));
    load(control.signal).then(
      (value) => { if (!control.signal.aborted) set({ value, error: null, loading: false }); },
      (error) => {
        if (error.name === 'AbortError' || control.signal.aborted) return;
        set((now) => ({ ...now, error: error.message, loading: false }));
      },
    );
    return () => control.abort();
  }, [key, again]);
  const reload = useCallback(() => repeat((n) => n + 1), []);
  useEffect(() => on('back', reload), []);
  return { ...state, reload, put: (value) => set({ value, error: null, loading: false }) };
}

/** The page's heading, which has the focus when the page is gone to. */
export function Heading({ children, title }) {
  const heading = useRef();
  useEffect(() => {
    document.title = `${title} · usher`;
    if (document.activeElement === document.body || document.activeElement?.closest('nav')) heading.current.focus();
  }, [title]);
  return html`<h1 ref=${heading} tabindex="-1">${children ?? title}</h1>`;
}

/** Text that is to be taken away, with a button that does it. */
export function Copy({ text, label }) {
  const field = useRef();
  const [done, set] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Pages that came without HTTPS have no clipboard but this.
      field.current.select();
      document.execCommand('copy');
    }
    set(true);
    say('Copied.');
  };
  return html`<div class="copy">
    <input ref=${field} readonly value=${text} aria-label=${label} onFocus=${(event) => event.target.select()} />
    <button type="button" onClick=${copy}>${done ? 'Copied' : 'Copy'}</button>
  </div>`;
}
