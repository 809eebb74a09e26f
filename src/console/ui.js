// The components of all pages: fields, forms, dialogs, messages.

import { h, render, Fragment } from './vendor/preact.js';
import { useState, useEffect, useRef, useId } from './vendor/hooks.js';
import htm from './vendor/htm.js';
import { on } from './api.js';
import { useCountdown } from './async.js';
import { discardThen, setUnsaved, siteName } from './routing.js';
import { common, connection, errors, fields as fieldTexts, pager } from './texts.js';

export const html = htm.bind(h);
export { render, Fragment, useState, useEffect, useRef };

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long' });
const minute = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const relative = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: 'auto' });
const count = new Intl.NumberFormat();
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufefc]/;

export const number = (n) => count.format(n);

/** A name within a sentence: shortened, and isolated if it is written right to left. */
export function short(name) {
  const letters = [...name];
  const cut = letters.length > 40 ? `${letters.slice(0, 38).join('')}…` : name;
  return RIGHT_TO_LEFT.test(cut) ? `\u2068${cut}\u2069` : cut;
}

const UNITS = [['year', 31557600], ['month', 2629800], ['day', 86400], ['hour', 3600], ['minute', 60]];

/** Describes a time relative to now, such as "2 hours ago". */
function relativeTo(date, now) {
  const seconds = (date - now) / 1000;
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ['second', Infinity];
  return relative.format(Math.trunc(seconds / size), unit);
}

// One timer for all times on the page.
const clocks = new Set();
setInterval(() => { for (const tick of clocks) tick(Date.now()); }, 30000);

/** A time relative to now; hovering shows it exactly. With `absolute` it is a date and time. */
export function Time({ at, never = common.none, absolute }) {
  const [now, tick] = useState(Date.now());
  useEffect(() => {
    clocks.add(tick);
    return () => clocks.delete(tick);
  }, []);
  if (!at) return html`<span class="muted">${never}</span>`;
  const date = new Date(at);
  return html`<time datetime=${at} title=${exact.format(date)}>${absolute ? minute.format(date) : relativeTo(date, now)}</time>`;
}

/** A user's name in its own writing direction; hovering shows a long one in full. */
export function Name({ text }) {
  return html`<bdi class="name" title=${text.length > 20 ? text : undefined}>${text}</bdi>`;
}

export function Logo() {
  return html`<svg class="logo" aria-hidden="true"><use href="#logo" /></svg>`;
}

export function Brand() {
  return html`<div class="brand"><${Logo} />${siteName}</div>`;
}

/** Entries of an object, or pairs as they are where their order matters. */
const entriesOf = (options) => (Array.isArray(options) ? options : Object.entries(options));

/** A labeled input with its hint and error. Passwords can be shown. `options` makes it a selection of value → text. */
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
    // A select has no default value of its own.
    const option = ([value, text]) => html`<option value=${value} selected=${'value' in rest ? undefined : value === rest.defaultValue}>${text}</option>`;
    control = html`<select ...${common}>${entriesOf(options).map(option)}</select>`;
  } else if (type === 'password') {
    control = html`<div class="secret"><input type=${open ? 'text' : 'password'} autocapitalize="none" spellcheck=${false} ...${common} />
      <button type="button" onClick=${() => setOpen(!open)} aria-label=${open ? fieldTexts.hidePassword(label) : fieldTexts.showPassword(label)}>${open ? fieldTexts.hide : fieldTexts.show}</button></div>`;
  } else control = html`<input type=${type} dir=${type === 'text' ? 'auto' : undefined} ...${common} />`;
  return html`<div class="field">
    <label for=${id}>${label}</label>
    ${control}
    ${hint && html`<p class="hint" id="${id}-hint">${hint}</p>`}
    ${error && html`<p class="field-error" id="${id}-error">${error}</p>`}
  </div>`;
}

function wait(seconds) {
  return seconds < 100 ? fieldTexts.seconds(seconds) : fieldTexts.minutes(Math.ceil(seconds / 60));
}

/** Returns the form's message: errors of fields that it doesn't have, else a note about its fields, else the error. */
function formMessage({ error, fields, until }, form) {
  if (until) return null;
  const names = Object.keys(fields);
  const elsewhere = names.filter((name) => !form?.elements[name]);
  if (!names.length) return error;
  return elsewhere.length ? elsewhere.map((name) => fields[name]).join(' ') : errors.fields;
}

const isDirty = (form) => [...form.elements].some((field) => !field.hidden && field.defaultValue !== undefined
  && field.type !== 'checkbox' && field.value !== field.defaultValue);

/**
 * A form with its message and its button. The button waits as long as the server asks for. `more` are other buttons.
 * With `guard`, leaving the page with unsaved input asks first.
 */
export function Form({ action, submit, more, label, danger, disabled, guard, onCancel, children, onDone }) {
  const form = useRef();
  const left = useCountdown(action.until);
  const send = async (event) => {
    event.preventDefault();
    if (action.busy || left) return;
    const result = await action.run(Object.fromEntries(new FormData(form.current, event.submitter)));
    if (result !== undefined) onDone?.(result, form.current);
  };
  const check = () => { if (guard) setUnsaved(form.current, isDirty(form.current)); };
  useEffect(check);
  useEffect(() => {
    const shown = form.current;
    return () => setUnsaved(shown, false);
  }, []);
  useEffect(() => { form.current.querySelector('[aria-invalid=true]')?.focus(); }, [action.fields]);
  return html`<form ref=${form} onSubmit=${send} onInput=${check} novalidate aria-label=${label}>
    ${children}
    <${Problem} text=${formMessage(action, form.current)} />
    ${left > 0 && html`<p class="problem" role="alert">${errors.tooMany(wait(action.wait))}</p>`}
    <div class="actions">
      ${onCancel && html`<button type="button" onClick=${onCancel}>${common.cancel}</button>`}
      <button class=${danger ? 'danger' : 'primary'} disabled=${disabled} aria-disabled=${action.busy || left > 0 ? 'true' : undefined}>
        ${left ? errors.waitButton(wait(left)) : action.busy ? common.wait : submit}
      </button>
      ${more}
    </div>
  </form>`;
}

/** An error message; `retry` adds a button. */
export function Problem({ text, retry, children }) {
  return text || children ? html`<div class="problem" role="alert">${text}${children}
    ${retry && html`<div class="actions start"><button onClick=${retry}>${common.retry}</button></div>`}</div>` : null;
}

/** A modal dialog. The browser keeps the focus inside and restores it. The Escape key asks before input is lost. */
export function Dialog({ title, onClose, children }) {
  const dialog = useRef();
  const removed = useRef(false);
  const id = useId();
  useEffect(() => {
    const shown = dialog.current;
    shown.showModal();
    // Closed before it is removed: while it is open, nothing behind it can be focused.
    return () => {
      removed.current = true;
      shown.close();
    };
  }, []);
  const close = () => { if (!removed.current) onClose(); };
  const leave = (event) => {
    event.preventDefault();
    event.stopPropagation();
    discardThen(onClose, dialog.current);
  };
  // Not only `cancel`, as browsers don't let a page refuse it twice in a row.
  const pressed = (event) => { if (event.key === 'Escape') leave(event); };
  return html`<dialog ref=${dialog} aria-labelledby=${id} onClose=${close} onCancel=${leave} onKeyDown=${pressed}>
    <h2 id=${id}>${title}</h2>
    ${children}
    <${Notices} />
  </dialog>`;
}

/** Asks before an action that is hard to undo. */
export function Confirm({ title, submit, danger, action, onClose, children }) {
  return html`<${Dialog} title=${title} onClose=${onClose}>
    ${children}
    <${Form} action=${action} submit=${submit} danger=${danger} label=${title} onCancel=${onClose} onDone=${onClose} />
  <//>`;
}

export function Badge({ kind, children }) {
  return html`<span class="badge ${kind}">${children}</span>`;
}

/** A user's picture, else the first letter. Only data URLs are shown, as fetching a picture would reveal the viewer. */
export function Avatar({ user, large }) {
  const picture = user.profile_image?.startsWith('data:image/') ? user.profile_image : null;
  const kind = large ? 'avatar large' : 'avatar';
  const [letter = ''] = new Intl.Segmenter().segment(user.username);
  return picture
    ? html`<img class=${kind} src=${picture} alt="" />`
    : html`<span class=${kind} aria-hidden="true">${letter.segment?.toUpperCase()}</span>`;
}

export function Pager({ skip, limit, total, go, what, sizes, resize }) {
  const last = Math.min(skip + limit, total);
  const end = Math.max(0, Math.floor((total - 1) / limit) * limit);
  // Not `disabled`: a disabled button loses the focus.
  const button = (to, usable, text, name) => html`<button onClick=${() => usable && go(to)} aria-label=${name}
    aria-disabled=${usable ? undefined : 'true'}>${text}</button>`;
  const back = skip > 0;
  const forward = last < total;
  return html`<nav class="pager" aria-label=${pager.label(what)}>
    <span>${total ? pager.range(number(skip + 1), number(last), number(total)) : pager.none}</span>
    <span class="buttons">
      ${sizes && html`<select aria-label=${pager.size} value=${limit} onChange=${(event) => resize(Number(event.target.value))}>${sizes.map((size) => html`<option value=${size}>${pager.rows(size)}</option>`)}</select>`}
      ${button(0, back, '«', pager.first)}${button(Math.max(0, skip - limit), back, pager.previous)}
      ${button(skip + limit, forward, pager.next)}${button(end, forward, '»', pager.last)}
    </span>
  </nav>`;
}

/** The live regions: one in the page, and one in each open dialog. */
const regions = [];
let notice = null;
let timer;

/** Shows the notice in the topmost region: behind a dialog it would be dimmed and not read out. */
function show() {
  for (const region of regions) region(region === regions.at(-1) ? notice : null);
}

/** Shows a notice for a while; screen readers read it once. */
export function announce(text) {
  clearTimeout(timer);
  // A new key each time, so that a repeated text is read again.
  notice = { text, key: (notice?.key ?? 0) + 1 };
  timer = setTimeout(() => { notice = null; show(); }, 4000 + 50 * text.length);
  show();
}

export function Notices() {
  const [shown, set] = useState(null);
  useEffect(() => {
    regions.push(set);
    show();
    return () => { regions.splice(regions.indexOf(set), 1); show(); };
  }, []);
  return html`<div class="notices" role="status">${shown && html`<p key=${shown.key}>${shown.text}</p>`}</div>`;
}

/** Shows whether the server can be reached. */
export function Connection() {
  const [down, set] = useState(false);
  useEffect(() => {
    const stop = [on('offline', () => set(true)), on('online', () => { set(false); announce(connection.back); })];
    return () => stop.forEach((end) => end());
  }, []);
  return html`<div role="alert" class="alerts">${down && html`<p class="banner">${connection.down}</p>`}</div>`;
}

/** The page's heading. It gets the focus when the page is opened. */
export function Heading({ children, title }) {
  const heading = useRef();
  useEffect(() => {
    document.title = `${title} · ${siteName}`;
    if (document.activeElement === document.body || document.activeElement?.closest('nav')) heading.current.focus();
  }, [title]);
  return html`<h1 ref=${heading} tabindex="-1">${children ?? title}</h1>`;
}

/** A page with one card, for people who are not signed in yet. */
export function CardPage({ title, children }) {
  return html`<main class="card-page">
    <${Brand} />
    <section class="card"><${Heading} title=${title} />${children}</section>
  </main>`;
}

/** Text to copy, with a button; `rows` for several lines. */
export function Copy({ text, label, rows }) {
  const field = useRef();
  const [done, set] = useState('');
  const copy = async () => {
    let worked = await navigator.clipboard?.writeText(text).then(() => true, () => false);
    if (!worked) {
      // Without HTTPS, browsers offer only this.
      field.current.select();
      worked = document.execCommand('copy');
    }
    set(worked ? common.copied : '');
    announce(worked ? `${common.copied}.` : errors.copyBlocked);
  };
  return html`<div class="copy">
    ${h(rows ? 'textarea' : 'input', { ref: field, readonly: true, autofocus: true, rows, value: text, 'aria-label': label,
      onFocus: () => field.current.setSelectionRange(0, text.length, 'backward') })}
    <button type="button" class="primary" onClick=${copy}>${done || common.copy}</button>
  </div>`;
}
