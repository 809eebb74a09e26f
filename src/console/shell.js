// The frame around the pages of a signed-in user.

import { html, Avatar, Brand, Dialog, Heading, Name, announce, number, useEffect, useState } from './ui.js';
import { base, discardThen, onDiscard, useRoute, version } from './routing.js';
import { on, request, signOut } from './api.js';
import { Users } from './users.js';
import { UserPage } from './user.js';
import { Account, PasswordRequired } from './account.js';
import { Audit } from './audit.js';
import { Invitations } from './invitations.js';
import { Server } from './server.js';
import { FactorRequired } from './security.js';
import { SignInAgain } from './again.js';
import { discard, session, shell } from './texts.js';

function Page({ at, me, setMe }) {
  if (at.page === 'account' || !me.is_superuser) return html`<${Account} me=${me} setMe=${setMe} />`;
  if (at.page === 'server') return html`<${Server} />`;
  if (at.page === 'invitations') return html`<${Invitations} />`;
  if (at.page === 'audit') return html`<${Audit} query=${at.query} />`;
  if (at.page === 'users' && at.id) return html`<${UserPage} key=${at.id} id=${at.id} me=${me} setMe=${setMe} />`;
  if (!at.page || at.page === 'users') return html`<${Users} query=${at.query} />`;
  return html`<${Heading} title=${shell.notFound} /><p>${shell.notFoundText}</p>`;
}

/** How often the number of waiting accounts is loaded again, in milliseconds. */
const WAITING_INTERVAL = 60000;

/** Returns how many accounts wait for approval. */
function useWaitingCount(enabled) {
  const [count, setCount] = useState(0);
  useEffect(() => {
    if (!enabled) return undefined;
    const load = () => request('GET', 'users/', { query: { state: 'waiting', limit: 1 } })
      .then((page) => setCount(page.total_count), () => {});
    load();
    const timer = setInterval(() => { if (!document.hidden) load(); }, WAITING_INTERVAL);
    const stop = on('users-changed', load);
    return () => { clearInterval(timer); stop(); };
  }, [enabled]);
  return count;
}

/** Asks before unsaved input is lost. */
function DiscardDialog() {
  const [leave, setLeave] = useState(null);
  useEffect(() => {
    onDiscard((then) => setLeave(() => then));
    return () => onDiscard(null);
  }, []);
  if (!leave) return null;
  const close = () => setLeave(null);
  return html`<${Dialog} title=${discard.title} onClose=${close}><p>${discard.text}</p>
    <div class="actions"><button autofocus onClick=${close}>${discard.cancel}</button>
      <button class="danger" onClick=${() => { close(); leave(); }}>${discard.submit}</button></div><//>`;
}

function Theme() {
  const [theme, setTheme] = useState(localStorage.getItem('usher-theme') ?? '');
  const choose = ({ target: { value } }) => {
    setTheme(value);
    if (value) {
      localStorage.setItem('usher-theme', value);
      document.documentElement.dataset.theme = value;
    } else {
      localStorage.removeItem('usher-theme');
      delete document.documentElement.dataset.theme;
    }
  };
  return html`<label>${shell.theme} <select value=${theme} onChange=${choose}>
    ${Object.entries(shell.themes).map(([value, text]) => html`<option value=${value}>${text}</option>`)}</select></label>`;
}

/** The key `/` focuses the search field. */
function useSearchKey() {
  useEffect(() => {
    const pressed = (event) => {
      if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target.closest('input, select, textarea, dialog')) return;
      const field = document.querySelector('input[type=search]');
      if (!field) return;
      event.preventDefault();
      field.select();
      field.focus();
    };
    addEventListener('keydown', pressed);
    return () => removeEventListener('keydown', pressed);
  }, []);
}

/** What the user must do before anything else. */
const DUTIES = { password: PasswordRequired, factor: FactorRequired };

/** `duty` is what the user must do first, and `onDone` is called when they did. */
export function Shell({ me, setMe, onLeave, duty, onDone }) {
  const Duty = DUTIES[duty];
  const at = useRoute();
  const page = me.is_superuser ? at.page || 'users' : 'account';
  const waiting = useWaitingCount(me.is_superuser && !duty);
  useSearchKey();
  const isWaitingView = page === 'users' && at.query.state === 'waiting' && !at.id;
  const current = (is) => (is ? 'page' : undefined);
  const link = (name) => html`<a href="#/${name}" aria-current=${current(page === name && !isWaitingView)}>${shell[name]}</a>`;
  const leave = () => discardThen(endSession);
  const endSession = async () => {
    try {
      await signOut();
      onLeave(session.signedOut);
    } catch (error) {
      announce(session.stillSignedIn(error.message));
    }
  };
  const skip = (event) => {
    event.preventDefault();
    document.querySelector('h1')?.focus();
  };
  return html`<a class="skip" href="#main" onClick=${skip}>${shell.skip}</a>
  <header class="top">
    <${Brand} />
    ${!duty && html`<nav aria-label=${shell.navigation}>
      ${me.is_superuser && link('users')}
      ${me.is_superuser && (waiting > 0 || isWaitingView) && html`<a href="#/users?state=waiting"
        aria-current=${current(isWaitingView)}>${shell.waiting}<span class="count" aria-label=${shell.waitingCount(number(waiting))}
          role="img">${number(waiting)}</span></a>`}
      ${me.is_superuser && link('audit')}
      ${link('account')}
    </nav>`}
    <div class="who"><${Avatar} user=${me} /><${Name} text=${me.username} />
      <button onClick=${leave}>${shell.signOut}</button></div>
  </header>
  <main id="main">${Duty ? html`<${Duty} me=${me} onDone=${onDone} />`
    : html`<${Page} at=${at} me=${me} setMe=${setMe} />`}</main>
  <footer class="muted small"><span>${shell.version(version)}</span>${me.is_superuser && !duty && html`<a href="#/server" aria-current=${current(page === 'server')}>${shell.server}</a>`}<a href=${new URL('docs', base)}>${shell.api}</a><${Theme} /></footer>
  <${DiscardDialog} /><${SignInAgain} me=${me} />`;
}
