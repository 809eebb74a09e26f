// The audit log, narrowed to a person and to a kind of entry.

import { html, Badge, Field, Heading, Name, Pager, Problem, When, number, useEffect, useRef, useState } from './ui.js';
import { useFollowing, useLoad } from './work.js';
import { go, hashOf } from './route.js';
import { call } from './api.js';

const LIMIT = 50;
const kinds = {
  login: 'Signed in', logout: 'Signed out', 'session.end': 'Session ended', 'refresh.reuse': 'Old token used again',
  'user.add': 'User added', 'user.change': 'User changed', 'user.delete': 'User deleted',
  'password.change': 'Password set', 'reset_link.add': 'Reset link made', 'reset_link.use': 'Reset link used',
  'reset_link.expire': 'Reset link expired', 'key.add': 'API key made', 'key.delete': 'API key deleted',
  'store_key.save': 'Store key saved', 'site.enter': 'Site entered', setup: 'First superuser made', backup: 'Backup made', restore: 'Backup restored',
  import: 'Accounts imported', export: 'Accounts exported', 'secret.rotate': 'Secret key replaced',
  'access.refuse': 'Access refused',
};
/** The fields that a change of an account names. */
const fields = {
  username: 'name', profile_image: 'picture', password: 'password', is_active: 'may sign in', is_superuser: 'superuser',
  last_login_at: 'last log-in',
};

function Detail({ entry }) {
  const names = ['user.change', 'password.change'].includes(entry.action);
  const text = names ? entry.detail?.split(' ').map((word) => fields[word] ?? word).join(', ') : entry.detail;
  return text ? html`<p class="quiet small">${text}</p>` : null;
}

/** Finds a person by name: suggestions while one types, taken when one is typed in full or chosen. */
function Person({ name, choose }) {
  const [found, setFound] = useState([]);
  const [hint, setHint] = useState('');
  const field = useFollowing(name);
  const typing = useRef();
  useEffect(() => () => clearTimeout(typing.current), []);
  const look = async (text, sure) => {
    const page = await call('GET', 'users/', { query: { search: text, limit: 8 } }).catch(() => null);
    if (!page || field.current?.value !== text) return;
    setFound(page.users);
    const exact = page.users.find((user) => user.username.toLowerCase() === text.toLowerCase());
    const one = exact ?? (sure || page.total_count === 1 ? page.users[0] : null);
    if (one && (exact || sure)) choose(one);
    setHint(page.total_count === 0 ? 'Nobody who is here now is called so.'
      : exact || sure ? '' : `${number(page.total_count)} ${page.total_count === 1 ? 'person matches' : 'people match'}; Enter takes the first.`);
  };
  const typed = (event) => {
    const text = event.target.value;
    clearTimeout(typing.current);
    if (!text) { setHint(''); choose(null); return; }
    const known = found.find((user) => user.username === text);
    if (known) { setHint(''); choose(known); return; }
    typing.current = setTimeout(look, 250, text);
  };
  const pressed = (event) => {
    if (event.key !== 'Enter' || !event.target.value) return;
    clearTimeout(typing.current);
    look(event.target.value, true);
  };
  return html`<div><${Field} label="Person" type="search" list="people" field=${field} defaultValue=${name} onInput=${typed} onKeyDown=${pressed}
      autocomplete="off" spellcheck=${false} placeholder="Everybody" />
    <datalist id="people">${found.map((user) => html`<option value=${user.username} />`)}</datalist>
    <p class="hint" role="status">${hint}</p></div>`;
}

export function Audit({ query }) {
  const { user = '', name = '', action = '' } = query;
  const skip = Math.max(0, Number(query.skip) || 0);
  const show = (change) => go(hashOf('audit', { user, name, action, ...change }));
  const asked = { user, action, skip, limit: LIMIT };
  const log = useLoad((signal) => call('GET', 'audit', { query: asked, signal }), JSON.stringify(asked));
  const { total_count: total = 0, entries = [] } = log.value ?? {};
  const person = (id, text) => {
    if (!text) return html`<span class="quiet">–</span>`;
    if (!id) return text;
    return html`<a href=${hashOf('audit', { user: id, name: text })}><${Name} text=${text} /></a>`;
  };
  const options = [['', 'Everything'], ...Object.entries(kinds)];
  const range = `${number(skip + 1)} to ${number(skip + entries.length)} of ${number(total)} entries`;
  return html`<div class="head"><${Heading} title="Audit log" />${user && html`<a href="#/users/${user}">The account</a>`}</div>
    <div class="filters" role="search">
      <${Person} name=${name} choose=${(chosen) => show(chosen ? { user: chosen.id, name: chosen.username } : { user: '', name: '' })} />
      <${Field} label="Kind" options=${options} value=${action} onChange=${(event) => show({ action: event.target.value })} />
    </div>
    <${Problem} text=${log.error} again=${log.reload} />
    <p class="unseen" role="status">${log.value && !log.loading ? (entries.length ? range : 'No entries') : ''}</p>
    ${!(log.error && !log.value) && html`<div class="card flush"><table class="log" role="table" aria-busy=${log.loading ? 'true' : 'false'}>
      <caption class="unseen">Audit log, newest first</caption>
      <thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col">When</th><th role="columnheader" scope="col">What</th>
        <th role="columnheader" scope="col">Who</th><th role="columnheader" scope="col">Whom</th><th role="columnheader" scope="col">From</th></tr></thead>
      <tbody role="rowgroup">${entries.map((entry) => html`<tr role="row" key=${entry.id}>
        <td role="cell"><${When} at=${entry.at} time /></td>
        <td role="cell" class="what">${kinds[entry.action] ?? entry.action} ${!entry.success && html`<${Badge} kind="failed">failed<//>`}
          <${Detail} entry=${entry} /></td>
        <td role="cell" class="by ${entry.actor_name ? '' : 'none'}">${person(entry.actor, entry.actor_name)}</td>
        <td role="cell" class="to ${entry.target_name ? '' : 'none'}">${person(entry.target, entry.target_name)}</td>
        <td role="cell" class="from">${entry.address ?? html`<span class="quiet">–</span>`}</td>
      </tr>`)}</tbody>
    </table>${log.value && !log.error && !entries.length && html`<div class="empty"><p class="quiet">Nothing matches.</p>
      ${(user || action) && html`<button onClick=${() => show({ user: '', name: '', action: '' })}>Show everything</button>`}</div>`}</div>
    <${Pager} skip=${skip} limit=${LIMIT} total=${total} what="the log" go=${(to) => show({ skip: to })} />`}`;
}
