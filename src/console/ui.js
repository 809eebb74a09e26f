// What all pages are made of: fields, forms, dialogs, messages. Nothing here knows what they are for.

import { h, render, Fragment } from './vendor/preact.js';
import { useState, useEffect, useRef, useId } from './vendor/hooks.js';
import htm from './vendor/htm.js';
import { on } from './api.js';
import { useCountdown } from './work.js';

export const html = htm.bind(h);
export { render, Fragment, useState, useEffect, useRef };

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long' });
const minute = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const dayOnly = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });
const count = new Intl.NumberFormat();
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufefc]/;

export const number = (n) => count.format(n);

/** A name within a sentence: not too long, and kept from turning the words around it. */
export function short(name) {
  const letters = [...name];
  const cut = letters.length > 40 ? `${letters.slice(0, 38).join('')}…` : name;
  return RIGHT_TO_LEFT.test(cut) ? `\u2068${cut}\u2069` : cut;
}

/** A moment in local time, short, with all of it to be seen on hovering. */
export function When({ at, never = '–', time }) {
  if (!at) return html`<span class="quiet">${never}</span>`;
  const date = new Date(at);
  return html`<time datetime=${at} title=${exact.format(date)}>${(time ? minute : dayOnly).format(date)}</time>`;
}

/** A name as somebody typed it, in its own direction; a long one is cut off by the style and seen on hovering. */
export function Name({ text }) {
  return html`<bdi class="name" title=${text.length > 20 ? text : undefined}>${text}</bdi>`;
}

export function Logo() {
  return html`<svg class="logo" aria-hidden="true"><use href="#logo" /></svg>`;
}

export function Brand() {
  return html`<div class="brand"><${Logo} />usher</div>`;
}

/** One labelled input with its hint and its fault; what is typed into one for a password can be looked at. */
export function Field({ label, hint, error, type = 'text', options, field, describedby, ...rest }) {
  const id = useId();
  const own = useRef();
  const input = field ?? own;
  const [open, setOpen] = useState(false);
  useEffect(() => { if (rest.autofocus) input.current.focus(); }, []);
  const described = [hint && `${id}-hint`, error && `${id}-error`, describedby].filter(Boolean).join(' ');
  const common = { id, ref: input, 'aria-describedby': described || undefined, 'aria-invalid': error ? 'true' : undefined, ...rest };
  let control;
  if (options) {
    control = html`<select ...${common}>${options.map(([value, text]) => html`<option value=${value}>${text}</option>`)}</select>`;
  } else if (type === 'password') {
    control = html`<div class="secret"><input type=${open ? 'text' : 'password'} autocapitalize="none" spellcheck=${false} ...${common} />
      <button type="button" onClick=${() => setOpen(!open)} aria-label="${open ? 'Hide' : 'Show'} what is typed: ${label}">${open ? 'Hide' : 'Show'}</button></div>`;
  } else control = html`<input type=${type} dir=${type === 'text' ? 'auto' : undefined} ...${common} />`;
  return html`<div class="field">
    <label for=${id}>${label}</label>
    ${control}
    ${hint && html`<p class="hint" id="${id}-hint">${hint}</p>`}
    ${error && html`<p class="fault" id="${id}-error">${error}</p>`}
  </div>`;
}

function wait(seconds) {
  return seconds < 100 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
}

/** The faults of fields that a form does not have, else that there are some; or what else went wrong. */
function whatIsWrong({ error, fields, until }, form) {
  if (until) return null;
  const names = Object.keys(fields);
  const elsewhere = names.filter((name) => !form?.elements[name]);
  if (!names.length) return error;
  return elsewhere.length ? elsewhere.map((name) => fields[name]).join(' ') : 'Please look at the marked fields.';
}

/** A form with its message and its button, which waits as long as the server asks. */
export function Form({ work, submit, label, danger, disabled, onCancel, children, onDone }) {
  const form = useRef();
  const left = useCountdown(work.until);
  const send = async (event) => {
    event.preventDefault();
    if (work.busy || left) return;
    const result = await work.run(Object.fromEntries(new FormData(form.current)));
    if (result !== undefined) onDone?.(result, form.current);
  };
  useEffect(() => { form.current.querySelector('[aria-invalid=true]')?.focus(); }, [work.fields]);
  return html`<form ref=${form} onSubmit=${send} novalidate aria-label=${label}>
    ${children}
    <${Problem} text=${whatIsWrong(work, form.current)} />
    ${left > 0 && html`<p class="problem" role="alert">Too many attempts. Please wait ${wait(work.wait)}.</p>`}
    <div class="actions">
      ${onCancel && html`<button type="button" onClick=${onCancel}>Cancel</button>`}
      <button class=${danger ? 'danger' : 'primary'} disabled=${disabled} aria-disabled=${work.busy || left > 0 ? 'true' : undefined}>
        ${left ? `Wait ${wait(left)}` : work.busy ? 'One moment…' : submit}
      </button>
    </div>
  </form>`;
}

/** Something went wrong, said at once; `again` tries once more. */
export function Problem({ text, again, children }) {
  return text || children ? html`<div class="problem" role="alert">${text}${children}
    ${again && html`<div class="actions start"><button onClick=${again}>Try again</button></div>`}</div>` : null;
}

/** A modal dialog; the browser keeps the focus inside and gives it back. */
export function Dialog({ title, onClose, children }) {
  const dialog = useRef();
  const answered = useRef(false);
  const id = useId();
  useEffect(() => {
    const shown = dialog.current;
    shown.showModal();
    // Closed before it is taken away: as long as it is open, nothing behind it can have the focus.
    return () => {
      answered.current = true;
      shown.close();
    };
  }, []);
  const close = () => { if (!answered.current) onClose(); };
  return html`<dialog ref=${dialog} aria-labelledby=${id} onClose=${close}>
    <h2 id=${id}>${title}</h2>
    ${children}
    <${Notices} />
  </dialog>`;
}

/** Asks before something is done that is not easily undone. */
export function Confirm({ title, submit, danger, work, onClose, children }) {
  return html`<${Dialog} title=${title} onClose=${onClose}>
    ${children}
    <${Form} work=${work} submit=${submit} danger=${danger} label=${title} onCancel=${onClose} onDone=${onClose} />
  <//>`;
}

export function Badge({ kind, children }) {
  return html`<span class="badge ${kind}">${children}</span>`;
}

/** A person's picture if it is written out in full, else the first letter: fetching one would tell who looks. */
export function Avatar({ user, large }) {
  const picture = user.profile_image?.startsWith('data:image/') ? user.profile_image : null;
  const kind = large ? 'avatar large' : 'avatar';
  const [letter = ''] = new Intl.Segmenter().segment(user.username);
  return picture
    ? html`<img class=${kind} src=${picture} alt="" />`
    : html`<span class=${kind} aria-hidden="true">${letter.segment?.toUpperCase()}</span>`;
}

export function Pager({ skip, limit, total, go, what }) {
  const last = Math.min(skip + limit, total);
  const end = Math.max(0, Math.floor((total - 1) / limit) * limit);
  // Not disabled, as a button that has the focus would lose it.
  const button = (to, usable, text, name) => html`<button onClick=${() => usable && go(to)} aria-label=${name}
    aria-disabled=${usable ? undefined : 'true'}>${text}</button>`;
  const back = skip > 0;
  const on = last < total;
  return html`<nav class="pager" aria-label="Pages of ${what}">
    <span>${total ? `${number(skip + 1)}–${number(last)} of ${number(total)}` : 'None'}</span>
    <span class="buttons">
      ${button(0, back, '«', 'First page')}${button(Math.max(0, skip - limit), back, 'Previous')}
      ${button(skip + limit, on, 'Next')}${button(end, on, '»', 'Last page')}
    </span>
  </nav>`;
}

/** Where things are said: in the page, and in front of it in the dialogs that are open. */
const places = [];
let notice = null;
let silence;

/** In the foremost place: what is behind a dialog is dimmed, and not read out. */
function show() {
  for (const place of places) place(place === places.at(-1) ? notice : null);
}

/** Says that something was done, to everybody: shown for a while, read out once. */
export function say(text) {
  clearTimeout(silence);
  // Another key each time, so that the same words are read out again.
  notice = { text, key: (notice?.key ?? 0) + 1 };
  silence = setTimeout(() => { notice = null; show(); }, 4000 + 50 * text.length);
  show();
}

export function Notices() {
  const [said, set] = useState(null);
  useEffect(() => {
    places.push(set);
    show();
    return () => { places.splice(places.indexOf(set), 1); show(); };
  }, []);
  return html`<div class="notices" role="status">${said && html`<p key=${said.key}>${said.text}</p>`}</div>`;
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
  const [done, set] = useState('');
  const copy = async () => {
    let worked = await navigator.clipboard?.writeText(text).then(() => true, () => false);
    if (!worked) {
      // Pages that came without HTTPS have no clipboard but this.
      field.current.select();
      worked = document.execCommand('copy');
    }
    set(worked ? 'Copied' : '');
    say(worked ? 'Copied.' : 'The browser does not let this page copy: press Ctrl+C, or ⌘C.');
  };
  return html`<div class="copy">
    <input ref=${field} readonly autofocus value=${text} aria-label=${label} onFocus=${() => field.current.setSelectionRange(0, text.length, 'backward')} />
    <button type="button" class="primary" onClick=${copy}>${done || 'Copy'}</button>
  </div>`;
}
