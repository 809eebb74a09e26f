// The audit log, narrowed to a person and to a kind of entry.

import { html, Badge, Field, Heading, Pager, Problem, When, useEffect, useLoad, useRef, useState } from './ui.js';
import { call } from './api.js';

const LIMIT = 50;
const kinds = {
  login: 'Signed in', logout: 'Signed out', 'session.end': 'Session ended', 'refresh.reuse': 'Old token used again',
  'user.add': 'User added', 'user.change': 'User changed', 'user.delete': 'User deleted',
  'password.change': 'Password set', 'reset_link.add': 'Reset link made', 'reset_link.use': 'Reset link used',
  'reset_link.expire': 'Reset link expired', 'key.add': 'API key made', 'key.delete': 'API key deleted',
  'store_key.save': 'Store key saved', setup: 'First superuser made',
};

/** Finds a person by name: suggestions while one types, taken when one is chosen. */
function Person({ name, choose }) {
  const [found, setFound] = useState([]);
  const typing = useRef();
  useEffect(() => () => clearTimeout(typing.current), []);
  const typed = (event) => {
    const text = event.target.value;
    clearTimeout(typing.current);
    if (!text) { choose(null); return; }
    const known = found.find((user) => user.username === text);
    if (known) { choose(known); return; }
    typing.current = setTimeout(async () => {
      const page = await call('GET', 'users/', { query: { search: text, limit: 8 } }).catch(() => ({ users: [] }));
      setFound(page.users);
      const exact = page.users.find((user) => user.username.toLowerCase() === text.toLowerCase());
      if (exact) choose(exact);
    }, 250);
  };
  return html`<${Field} label="Person" key=${name} type="search" list="people" defaultValue=${name} onInput=${typed} autocomplete="off"
      placeholder="Everybody" />
    <datalist id="people">${found.map((user) => html`<option value=${user.username} />`)}</datalist>`;
}

export function Audit({ query }) {
  const { user = '', name = '', action = '' } = query;
  const skip = Math.max(0, Number(query.skip) || 0);
  const go = (change) => {
    const kept = Object.entries({ user, name, action, ...change }).filter(([, value]) => value);
    location.hash = `#/audit${kept.length ? `?${new URLSearchParams(kept)}` : ''}`;
  };
  const asked = { user, action, skip, limit: LIMIT };
  const log = useLoad((signal) => call('GET', 'audit', { query: asked, signal }), JSON.stringify(asked));
  const { total_count: total = 0, entries = [] } = log.value ?? {};
  const person = (id, text) => {
    if (!text) return html`<span class="quiet">–</span>`;
    if (!id) return text;
    return html`<a href="#/audit?${new URLSearchParams({ user: id, name: text })}">${text}</a>`;
  };
  const options = [['', 'Everything'], ...Object.entries(kinds)];
  return html`<${Heading} title="Audit log" />
    <div class="filters" role="search">
      <${Person} name=${name} choose=${(chosen) => go(chosen ? { user: chosen.id, name: chosen.username } : { user: '', name: '' })} />
      <${Field} label="Kind" options=${options} value=${action} onChange=${(event) => go({ action: event.target.value })} />
    </div>
    <${Problem} text=${log.error} />
    <div class="card flush"><table class="log" aria-busy=${log.loading ? 'true' : 'false'}>
      <caption class="unseen">Audit log, newest first</caption>
      <thead><tr><th scope="col">When</th><th scope="col">What</th><th scope="col">Who</th><th scope="col">Whom</th>
        <th scope="col" class="wide">From</th></tr></thead>
      <tbody>${entries.map((entry) => html`<tr key=${entry.id}>
        <td><${When} at=${entry.at} time /></td>
        <td>${kinds[entry.action] ?? entry.action} ${!entry.success && html`<${Badge} kind="failed">failed<//>`}
          ${entry.detail && html`<p class="quiet small">${entry.detail}</p>`}</td>
        <td>${person(entry.actor, entry.actor_name)}</td><td>${person(entry.target, entry.target_name)}</td>
        <td class="wide">${entry.address ?? html`<span class="quiet">–</span>`}</td>
      </tr>`)}</tbody>
    </table>${log.value && !entries.length && html`<p class="empty quiet">Nothing matches.</p>`}</div>
    <${Pager} skip=${skip} limit=${LIMIT} total=${total} what="the log" go=${(to) => go({ skip: to })} />`;
}
