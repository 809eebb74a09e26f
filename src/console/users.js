// The table of all users. The address holds the search, order and page, so that going back restores them.

import { html, Avatar, Confirm, Dialog, Field, Form, Heading, Name, Pager, Problem, Time, number, announce, short, useEffect, useRef,
  useState } from './ui.js';
import { useFollowing, useLoad, useAction } from './async.js';
import { go, hashOf, secondFactor } from './routing.js';
import { request } from './api.js';
import { Badges, stateOf } from './user_badges.js';
import { ResetLinkDialog } from './user.js';
import { BulkBar } from './bulk.js';
import { Decision } from './deletion_request.js';
import { BATCH, loadAll, save, toCsv, toJsonLines } from './export.js';
import { common, newUser, pager, userList as texts } from './texts.js';

const SIZES = [25, 50, 100];
const defaults = { search: '', state: '', sort: 'created', order: 'desc', skip: 0, limit: SIZES[0] };

/** A password for an account whose user sets another one by a link. */
function randomPassword() {
  return btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(24))));
}

/** Creates an account, active at once if asked. */
function NewUser({ onClose, onCreated }) {
  const [method, setMethod] = useState('link');
  const [created, setCreated] = useState(null);
  // The steps done before an error are not repeated.
  const progress = useRef(null);
  const action = useAction(async ({ username, password, active, superuser }) => {
    if (progress.current?.username !== username) {
      const json = { username, password: method === 'link' ? randomPassword() : password };
      progress.current = { username, user: await request('POST', 'users/', { json }) };
    }
    const now = progress.current;
    const json = { is_active: Boolean(active), is_superuser: Boolean(superuser) };
    if (json.is_active !== now.user.is_active || json.is_superuser !== now.user.is_superuser) {
      now.user = await request('PATCH', `users/${now.user.id}`, { json });
    }
    return { user: now.user, link: method === 'link' ? await request('POST', `users/${now.user.id}/reset-link`) : null };
  });
  const done = ({ user, link }) => {
    announce(newUser.created(short(user.username)));
    onCreated();
    if (link) setCreated({ user, link });
    else onClose();
  };
  if (created) return html`<${ResetLinkDialog} ...${created} title=${newUser.createdTitle(short(created.user.username))} onClose=${onClose} />`;
  const close = () => {
    if (progress.current) onCreated();
    onClose();
  };
  return html`<${Dialog} title=${newUser.title} onClose=${close}>
    <${Form} action=${action} submit=${newUser.submit} label=${newUser.title} guard onCancel=${close} onDone=${done}>
      <${Field} label=${common.userName} name="username" autofocus autocomplete="off" autocapitalize="none" spellcheck=${false}
        error=${action.fields.username} />
      <${Field} label=${newUser.method} options=${newUser.methods} value=${method} onChange=${(event) => setMethod(event.target.value)}
        hint=${method === 'link' ? newUser.linkHint : null} />
      ${method === 'password' && html`<${Field} label=${common.password} name="password" type="password" autocomplete="new-password"
        error=${action.fields.password} />`}
      <label class="check"><input type="checkbox" name="active" defaultChecked /> ${newUser.active}</label>
      <label class="check"><input type="checkbox" name="superuser" /> ${newUser.superuser}</label>
    <//>
  <//>`;
}

/** The columns of an export. */
const COLUMNS = ['id', 'username', 'is_active', 'is_superuser', 'create_at', 'updated_at', 'last_login_at'];

/** Saves all users that match the filters. */
function Export({ query }) {
  const action = useAction(async (format) => {
    const rows = await loadAll(async (sofar) => (await request('GET', 'users/', {
      query: { ...query, skip: sofar.length, limit: BATCH },
    })).users);
    const content = format === 'csv' ? toCsv(COLUMNS, rows)
      : toJsonLines(rows.map((row) => Object.fromEntries(COLUMNS.map((column) => [column, row[column]]))));
    save(`users.${format}`, content);
    announce(texts.exported(number(rows.length)));
  });
  return html`<${Problem} text=${action.error} />
    <div class="actions start"><button onClick=${() => action.run('csv')}>${texts.exportCsv}</button>
      <button onClick=${() => action.run('jsonl')}>${texts.exportJsonLines}</button></div>`;
}

function Row({ user, approve, reject, selected, select, leaves, reload }) {
  const waits = stateOf(user) === 'waiting';
  return html`<tr>
    <td class="tick"><input type="checkbox" checked=${selected} onChange=${(event) => select(event.target.checked)}
      aria-label=${texts.selectUser(user.username)} /></td>
    <td><a class="person" href="#/users/${user.id}"><${Avatar} user=${user} /><div><${Name} text=${user.username} />
      <div class="narrow"><${Badges} user=${user} leaves=${leaves} /></div></div></a></td>
    <td class="wide"><${Badges} user=${user} leaves=${leaves} /></td>
    <td class="wide"><${Time} at=${user.last_login_at} never=${common.never} /></td>
    <td class="wide"><${Time} at=${user.create_at} /></td>
    <td class="end">${waits && html`<div class="actions"><button onClick=${() => approve(user)} aria-label=${texts.approveUser(user.username)}>${texts.approve}</button>
      <button onClick=${() => reject(user)} aria-label=${texts.rejectUser(user.username)}>${texts.reject}</button></div>`}
      ${leaves && !waits && html`<${Decision} user=${user} onDone=${reload} />`}</td>
  </tr>`;
}

export function Users({ query }) {
  const { search, state, sort, order } = { ...defaults, ...query };
  const skip = Math.max(0, Number(query.skip) || 0);
  const limit = SIZES.find((size) => String(size) === query.limit) ?? defaults.limit;
  const show = (change, replace) =>
    go(hashOf('users', { search, state, sort, order, limit, skip: 0, ...change }, defaults), replace);
  // A view of its own among the states.
  const filter = state === 'deletion' ? { search, deletion_requested: true, sort, order } : { search, state, sort, order };
  const offersFactors = secondFactor !== 'off';
  const asked = { ...filter, skip, limit, include: offersFactors ? 'second_factor' : '' };
  const users = useLoad((signal) => request('GET', 'users/', { query: asked, signal }), JSON.stringify(asked));
  const [creating, setCreating] = useState(false);
  // Selected users by id; they stay selected on other pages of the same list.
  const [selected, setSelected] = useState(new Map());
  useEffect(() => setSelected(new Map()), [search, state]);
  const select = (some, on) => setSelected((before) => {
    const next = new Map(before);
    for (const user of some) if (on) next.set(user.id, user); else next.delete(user.id);
    return next;
  });
  const keepSelected = (ids) => setSelected((before) => new Map(ids.map((id) => [id, before.get(id)])));
  const [rejecting, setRejecting] = useState(null);
  // The row stays if its action fails, and the error names its account.
  const rowAction = (run) => async (user) => {
    await run(user).catch((error) => {
      error.message = texts.failed(short(user.username), error.message);
      throw error;
    });
    users.reload();
    return true;
  };
  const approval = useAction(rowAction(async (user) => {
    await request('PATCH', `users/${user.id}`, { json: { is_active: true } });
    announce(texts.canSignIn(short(user.username)));
  }));
  const rejection = useAction(rowAction(async (user) => {
    await request('DELETE', `users/${user.id}`);
    announce(texts.rejected(short(user.username)));
  }));
  const closeRejection = () => { rejection.clear(); setRejecting(null); };
  const field = useFollowing(search);
  const typing = useRef();
  useEffect(() => () => clearTimeout(typing.current), []);
  const typed = (event) => {
    const text = event.target.value;
    clearTimeout(typing.current);
    typing.current = setTimeout(() => show({ search: text }, true), 250);
  };
  const { total_count: total = 0, users: list = [], deletion_requests: leaving = {} } = users.value ?? {};
  useEffect(() => {
    if (users.value && skip && skip >= total) show({ skip: Math.floor(Math.max(0, total - 1) / limit) * limit }, true);
  }, [users.value]);
  const column = (key, text, kind) => {
    const sorted = sort === key;
    const turned = sorted ? order !== 'desc' : key === 'last_login';
    return html`<th scope="col" class=${kind} aria-sort=${sorted ? (order === 'desc' ? 'descending' : 'ascending') : undefined}>
      <button class="sort" onClick=${() => show({ sort: key, order: turned ? 'desc' : 'asc' })}>
        ${text}<span aria-hidden="true">${sorted ? (order === 'desc' ? '↓' : '↑') : '↕'}</span></button></th>`;
  };
  const range = texts.range(number(skip + 1), number(skip + list.length), number(total));
  const filtered = search || state;
  return html`<div class="head"><${Heading} title=${texts.title} />
      <div class="actions"><a href="#/invitations">${texts.invitations}</a>
        <button class="primary" onClick=${() => setCreating(true)}>${texts.create}</button></div></div>
    <div class="filters" role="search">
      <${Field} label=${texts.search} type="search" field=${field} defaultValue=${search} onInput=${typed} autocomplete="off" spellcheck=${false} />
      <${Field} label=${texts.show} options=${offersFactors ? { ...texts.filters, ...texts.factorFilters } : texts.filters} value=${state} onChange=${(event) => show({ state: event.target.value })} />
      <div class="narrow"><${Field} label=${texts.order} options=${texts.orders} value="${sort} ${order}" onChange=${(event) => {
        const [key, way] = event.target.value.split(' ');
        show({ sort: key, order: way });
      }} /></div>
    </div>
    <${Problem} text=${approval.error ?? users.error} retry=${users.error && users.reload} />
    <${BulkBar} selected=${[...selected.values()]} clear=${keepSelected} onDone=${users.reload} />
    <p class="visually-hidden" role="status">${users.value && !users.loading ? (list.length ? range : texts.noneMatch) : ''}</p>
    ${!(users.error && !users.value) && html`<div class="card flush"><table class="users" aria-busy=${users.loading ? 'true' : 'false'}>
      <caption class="visually-hidden">${texts.title}</caption>
      <thead><tr><th scope="col" class="tick"><input type="checkbox" aria-label=${texts.selectAll}
          checked=${list.length > 0 && list.every((user) => selected.has(user.id))} onChange=${(event) => select(list, event.target.checked)} /></th>${column('name', texts.name)}<th scope="col" class="wide">${texts.state}</th>${column('last_login', texts.lastLogin, 'wide')}
        ${column('created', texts.created, 'wide')}<th scope="col"><span class="visually-hidden">${texts.actions}</span></th></tr></thead>
      <tbody>${list.map((user) => html`<${Row} key=${user.id} user=${user} approve=${approval.run} reject=${setRejecting}
        selected=${selected.has(user.id)} select=${(on) => select([user], on)} leaves=${user.id in leaving} reload=${users.reload} />`)}</tbody>
    </table>
    ${users.value && !users.error && !list.length && html`<div class="empty"><p class="muted">${search ? texts.noneMatch : texts.empty[state] ?? texts.empty['']}</p>
      ${filtered && html`<button onClick=${() => show({ search: '', state: '' })}>${texts.showAll}</button>`}</div>`}</div>
    <${Pager} skip=${skip} limit=${limit} total=${total} what=${pager.users} go=${(to) => show({ skip: to })}
      sizes=${SIZES} resize=${(size) => show({ limit: size })} />`}
    <${Export} query=${filter} />
    ${rejecting && html`<${Confirm} title=${texts.rejectTitle(short(rejecting.username))} submit=${texts.reject} danger onClose=${closeRejection}
      action=${{ ...rejection, run: () => rejection.run(rejecting) }}><p>${texts.rejectText(short(rejecting.username))}</p><//>`}
    ${creating && html`<${NewUser} onClose=${() => setCreating(false)} onCreated=${users.reload} />`}`;
}
