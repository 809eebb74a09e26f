// The table of all users. What is shown stands in the address, so that going back leads to the same page of it.

import { html, Avatar, Dialog, Field, Form, Heading, Name, Pager, Problem, When, number, say, short, useEffect, useRef,
  useState } from './ui.js';
import { useFollowing, useLoad, useWork } from './work.js';
import { go, hashOf } from './route.js';
import { call } from './api.js';
import { Badges, stateOf } from './people.js';
import { LinkDialog } from './user.js';

const LIMIT = 25;
const states = [['', 'Everybody'], ['waiting', 'Waiting'], ['active', 'Active'], ['inactive', 'Inactive'],
  ['superuser', 'Superusers']];
const nobody = { waiting: 'Nobody waits for approval.', inactive: 'Nobody was deactivated.' };
const defaults = { search: '', state: '', sort: 'created', order: 'asc', skip: 0 };
/** The same orders as the table's headings give, where there is no room for these. */
const orders = [['created asc', 'Oldest first'], ['created desc', 'Newest first'], ['name asc', 'By name, A to Z'],
  ['name desc', 'By name, Z to A'], ['last_login desc', 'By last log-in, latest first'], ['last_login asc', 'By last log-in, longest ago first']];
const ways = [['link', 'By a one-time link'], ['password', 'With a password that you set']];

/** Nobody knows it: a link sets another one. */
function anyPassword() {
  return btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(24))));
}

/** Makes somebody; a superuser's word is approval enough, so that the account may be active at once. */
function NewUser({ onClose, onMade }) {
  const [way, setWay] = useState('link');
  const [made, setMade] = useState(null);
  // What was done before something went wrong is not done again.
  const sofar = useRef(null);
  const work = useWork(async ({ username, password, active }) => {
    if (sofar.current?.typed !== username) {
      const user = await call('POST', 'users/', { json: { username, password: way === 'link' ? anyPassword() : password } });
      sofar.current = { typed: username, user };
    }
    const now = sofar.current;
    if (active && !now.user.is_active) now.user = await call('PATCH', `users/${now.user.id}`, { json: { is_active: true } });
    return { user: now.user, link: way === 'link' ? await call('POST', `users/${now.user.id}/reset-link`) : null };
  });
  const done = ({ user, link }) => {
    say(`${short(user.username)} was created.`);
    onMade();
    if (link) setMade({ user, link });
    else onClose();
  };
  if (made) return html`<${LinkDialog} ...${made} title="${short(made.user.username)} was created" onClose=${onClose} />`;
  const close = () => {
    if (sofar.current) onMade();
    onClose();
  };
  return html`<${Dialog} title="New user" onClose=${close}>
    <${Form} work=${work} submit="Create" label="New user" onCancel=${close} onDone=${done}>
      <${Field} label="Name" name="username" autofocus autocomplete="off" autocapitalize="none" spellcheck=${false}
        error=${work.fields.username} />
      <${Field} label="How they get in" options=${ways} value=${way} onChange=${(event) => setWay(event.target.value)}
        hint=${way === 'link' ? 'You get a link to give to them, with which they choose a password.' : null} />
      ${way === 'password' && html`<${Field} label="Password" name="password" type="password" autocomplete="new-password" error=${work.fields.password} />`}
      <label class="check"><input type="checkbox" name="active" defaultChecked /> Can sign in at once</label>
    <//>
  <//>`;
}

function Row({ user, approve }) {
  const waits = stateOf(user)[0] === 'waiting';
  return html`<tr>
    <td><a class="person" href="#/users/${user.id}"><${Avatar} user=${user} /><div><${Name} text=${user.username} />
      <div class="narrow"><${Badges} user=${user} /></div></div></a></td>
    <td class="wide"><${Badges} user=${user} /></td>
    <td class="wide"><${When} at=${user.last_login_at} never="never" /></td>
    <td class="wide"><${When} at=${user.create_at} /></td>
    <td class="end">${waits && html`<button onClick=${() => approve(user)} aria-label="Approve ${user.username}">Approve</button>`}</td>
  </tr>`;
}

export function Users({ query }) {
  const { search, state, sort, order } = { ...defaults, ...query };
  const skip = Math.max(0, Number(query.skip) || 0);
  const show = (change, replace) =>
    go(hashOf('users', { search, state, sort, order, skip: 0, ...change }, defaults), replace);
  const asked = { search, state, sort, order, skip, limit: LIMIT };
  const users = useLoad((signal) => call('GET', 'users/', { query: asked, signal }), JSON.stringify(asked));
  const [creating, setCreating] = useState(false);
  const approval = useWork(async (user) => {
    try {
      await call('PATCH', `users/${user.id}`, { json: { is_active: true } });
      say(`${short(user.username)} can sign in now.`);
    } finally {
      users.reload();
    }
  });
  const field = useFollowing(search);
  const typing = useRef();
  useEffect(() => () => clearTimeout(typing.current), []);
  const typed = (event) => {
    const text = event.target.value;
    clearTimeout(typing.current);
    typing.current = setTimeout(() => show({ search: text }, true), 250);
  };
  const { total_count: total = 0, users: list = [] } = users.value ?? {};
  useEffect(() => {
    if (users.value && skip && skip >= total) show({ skip: Math.floor(Math.max(0, total - 1) / LIMIT) * LIMIT }, true);
  }, [users.value]);
  const column = (key, text, kind) => {
    const sorted = sort === key;
    const turned = sorted ? order !== 'desc' : key === 'last_login';
    return html`<th scope="col" class=${kind} aria-sort=${sorted ? (order === 'desc' ? 'descending' : 'ascending') : undefined}>
      <button class="sort" onClick=${() => show({ sort: key, order: turned ? 'desc' : 'asc' })}>
        ${text}<span aria-hidden="true">${sorted ? (order === 'desc' ? '↓' : '↑') : '↕'}</span></button></th>`;
  };
  const range = `${number(skip + 1)} to ${number(skip + list.length)} of ${number(total)} users`;
  return html`<div class="head"><${Heading} title="Users" />
      <button class="primary" onClick=${() => setCreating(true)}>New user</button></div>
    <div class="filters" role="search">
      <${Field} label="Search by name" type="search" field=${field} defaultValue=${search} onInput=${typed} autocomplete="off" spellcheck=${false} />
      <${Field} label="Show" options=${states} value=${state} onChange=${(event) => show({ state: event.target.value })} />
      <div class="narrow"><${Field} label="Order" options=${orders} value="${sort} ${order}" onChange=${(event) => {
        const [key, way] = event.target.value.split(' ');
        show({ sort: key, order: way });
      }} /></div>
    </div>
    <${Problem} text=${approval.error ?? users.error} again=${users.error && users.reload} />
    <p class="unseen" role="status">${users.value && !users.loading ? (list.length ? range : 'No users') : ''}</p>
    ${!(users.error && !users.value) && html`<div class="card flush"><table class="users" aria-busy=${users.loading ? 'true' : 'false'}>
      <caption class="unseen">Users</caption>
      <thead><tr>${column('name', 'Name')}<th scope="col" class="wide">State</th>${column('last_login', 'Last log-in', 'wide')}
        ${column('created', 'Created', 'wide')}<th scope="col"><span class="unseen">Actions</span></th></tr></thead>
      <tbody>${list.map((user) => html`<${Row} key=${user.id} user=${user} approve=${approval.run} />`)}</tbody>
    </table>
    ${users.value && !users.error && !list.length && html`<div class="empty"><p class="quiet">${search ? 'Nobody matches.' : nobody[state] ?? 'Nobody is here.'}</p>
      ${(search || state) && html`<button onClick=${() => show({ search: '', state: '' })}>Show everybody</button>`}</div>`}</div>
    <${Pager} skip=${skip} limit=${LIMIT} total=${total} what="users" go=${(to) => show({ skip: to })} />`}
    ${creating && html`<${NewUser} onClose=${() => setCreating(false)} onMade=${users.reload} />`}`;
}
