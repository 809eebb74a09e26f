// The table of all users. What is shown stands in the address, so that going back leads to the same page of it.

import { html, Avatar, Badge, Dialog, Field, Form, Heading, Pager, Problem, When, number, say, useEffect, useLoad, useRef,
  useState, useWork } from './ui.js';
import { call } from './api.js';

const LIMIT = 25;
const states = [['', 'Everybody'], ['waiting', 'Waiting'], ['active', 'Active'], ['inactive', 'Inactive'],
  ['superuser', 'Superusers']];

export function stateOf(user) {
  if (user.is_active) return ['active', 'Active'];
  return user.last_login_at ? ['inactive', 'Inactive'] : ['waiting', 'Waiting'];
}

export function Badges({ user }) {
  const [kind, text] = stateOf(user);
  return html`<span class="badges"><${Badge} kind=${kind}>${text}<//>${user.is_superuser && html`<${Badge} kind="superuser">Superuser<//>`}</span>`;
}

/** Makes somebody; a superuser's word is approval enough, so that the account may be active at once. */
function NewUser({ onClose, onMade }) {
  const work = useWork(async ({ username, password, active }) => {
    const user = await call('POST', 'users/', { json: { username, password } });
    return active && !user.is_active ? call('PATCH', `users/${user.id}`, { json: { is_active: true } }) : user;
  });
  return html`<${Dialog} title="New user" onClose=${onClose}>
    <${Form} work=${work} submit="Create" label="New user" onCancel=${onClose} onDone=${onMade}>
      <${Field} label="Name" name="username" autofocus autocomplete="off" autocapitalize="none" spellcheck=${false}
        error=${work.fields.username} />
      <${Field} label="Password" name="password" type="password" autocomplete="new-password"
        hint="Or make a reset link afterwards, and let them choose their own." error=${work.fields.password} />
      <label class="check"><input type="checkbox" name="active" defaultChecked /> Can sign in at once</label>
    <//>
  <//>`;
}

export function Users({ query }) {
  const { search = '', state = '', sort = 'created', order = 'asc' } = query;
  const skip = Math.max(0, Number(query.skip) || 0);
  const go = (change, replace) => {
    const next = { search, state, sort, order, skip: 0, ...change };
    const defaults = { search: '', state: '', sort: 'created', order: 'asc', skip: 0 };
    const kept = Object.entries(next).filter(([name, value]) => String(value) !== String(defaults[name]));
    const hash = `#/users${kept.length ? `?${new URLSearchParams(kept)}` : ''}`;
    if (replace) {
      history.replaceState(null, '', hash);
      dispatchEvent(new HashChangeEvent('hashchange'));
    } else location.hash = hash;
  };
  const asked = { search, state, sort, order, skip, limit: LIMIT };
  const users = useLoad((signal) => call('GET', 'users/', { query: asked, signal }), JSON.stringify(asked));
  const [creating, setCreating] = useState(false);
  const approval = useWork(async (user) => {
    await call('PATCH', `users/${user.id}`, { json: { is_active: true } });
    say(`${user.username} can sign in now.`);
    users.reload();
  });
  const typing = useRef();
  useEffect(() => () => clearTimeout(typing.current), []);
  const typed = (event) => {
    const text = event.target.value;
    clearTimeout(typing.current);
    typing.current = setTimeout(() => go({ search: text }, true), 250);
  };
  const { total_count: total = 0, users: list = [] } = users.value ?? {};
  useEffect(() => {
    if (users.value && skip && skip >= total) go({ skip: Math.floor(Math.max(0, total - 1) / LIMIT) * LIMIT }, true);
  }, [users.value]);
  const column = (key, text, kind) => {
    const sorted = sort === key;
    return html`<th scope="col" class=${kind} aria-sort=${sorted ? (order === 'asc' ? 'ascending' : 'descending') : undefined}>
      <button class="sort" onClick=${() => go({ sort: key, order: sorted && order === 'asc' ? 'desc' : 'asc' })}>
        ${text}<span aria-hidden="true">${sorted ? (order === 'asc' ? ' ↑' : ' ↓') : ''}</span></button></th>`;
  };
  return html`<div class="head"><${Heading} title="Users" />
      <button class="primary" onClick=${() => setCreating(true)}>New user</button></div>
    <div class="filters" role="search">
      <${Field} label="Search by name" type="search" defaultValue=${search} onInput=${typed} />
      <${Field} label="Show" options=${states} value=${state} onChange=${(event) => go({ state: event.target.value })} />
    </div>
    <${Problem} text=${approval.error ?? users.error} />
    <p class="unseen" role="status">${users.value && !users.loading ? `${number(total)} users` : ''}</p>
    <div class="card flush"><table aria-busy=${users.loading ? 'true' : 'false'}>
      <caption class="unseen">Users</caption>
      <thead><tr>${column('name', 'Name')}<th scope="col">State</th>${column('last_login', 'Last log-in', 'wide')}
        ${column('created', 'Created', 'wide')}<th scope="col"><span class="unseen">Actions</span></th></tr></thead>
      <tbody>${list.map((user) => html`<tr key=${user.id}>
        <td><a class="person" href="#/users/${user.id}"><${Avatar} user=${user} /><span>${user.username}</span></a></td>
        <td><${Badges} user=${user} /></td>
        <td class="wide"><${When} at=${user.last_login_at} never="never" /></td>
        <td class="wide"><${When} at=${user.create_at} /></td>
        <td class="end">${stateOf(user)[0] === 'waiting' && html`<button onClick=${() => approval.run(user)}
          aria-label="Approve ${user.username}">Approve</button>`}</td>
      </tr>`)}</tbody>
    </table>
    ${users.value && !list.length && html`<p class="empty quiet">Nobody matches.</p>`}</div>
    <${Pager} skip=${skip} limit=${LIMIT} total=${total} what="users" go=${(to) => go({ skip: to })} />
    ${creating && html`<${NewUser} onClose=${() => setCreating(false)} onMade=${(user) => {
      setCreating(false);
      say(`${user.username} was created.`);
      users.reload();
    }} />`}`;
}
