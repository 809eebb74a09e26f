// The audit log with its filters.

import { html, Field, Heading, Name, Pager, Problem, Time, announce, number, useEffect, useRef, useState } from './ui.js';
import { useAction, useFollowing, useLoad } from './async.js';
import { go, hashOf } from './routing.js';
import { request } from './api.js';
import { EntryText, actionText, detailText } from './activity.js';
import { BATCH, loadAll, save, toCsv } from './export.js';
import { audit as texts, common, pager } from './texts.js';

const LIMIT = 50;

/** Finds a user by name. Suggests names while typing; takes a complete or chosen one. */
function UserFilter({ name, choose }) {
  const [found, setFound] = useState([]);
  const [hint, setHint] = useState('');
  const field = useFollowing(name);
  const typing = useRef();
  useEffect(() => () => clearTimeout(typing.current), []);
  const look = async (text, sure) => {
    const page = await request('GET', 'users/', { query: { search: text, limit: 8 } }).catch(() => null);
    if (!page || field.current?.value !== text) return;
    setFound(page.users);
    const exact = page.users.find((user) => user.username.toLowerCase() === text.toLowerCase());
    const one = exact ?? (sure || page.total_count === 1 ? page.users[0] : null);
    if (one && (exact || sure)) choose(one);
    setHint(page.total_count === 0 ? texts.noUser
      : exact || sure ? '' : texts.matches(page.total_count, number(page.total_count)));
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
  return html`<div><${Field} label=${texts.user} type="search" list="user-names" field=${field} defaultValue=${name} onInput=${typed} onKeyDown=${pressed}
      autocomplete="off" spellcheck=${false} placeholder=${texts.allUsers} />
    <datalist id="user-names">${found.map((user) => html`<option value=${user.username} />`)}</datalist>
    <p class="hint" role="status">${hint}</p></div>`;
}

/** The columns of the CSV file. */
const COLUMNS = ['id', 'at', 'action', 'success', 'actor_name', 'target_name', 'address', 'detail', 'count', 'last_at'];

/** Returns the start of a local day, or of a later one, as the API reads it. */
function startOf(day, later = 0) {
  const start = new Date(`${day}T00:00`);
  if (Number.isNaN(start.getTime())) return '';
  start.setDate(start.getDate() + later);
  return start.toISOString();
}

function Download({ filter }) {
  const action = useAction(async () => {
    const entries = await loadAll(async (sofar) => (await request('GET', 'audit', {
      query: { ...filter, before: sofar.at(-1)?.id, limit: BATCH },
    })).entries);
    save('audit.csv', toCsv(COLUMNS, entries.map((entry) => ({ ...entry, action: actionText(entry), detail: detailText(entry) }))));
    announce(texts.downloaded(number(entries.length)));
  });
  return html`<${Problem} text=${action.error} />
    <div class="actions start"><button onClick=${() => action.run()}>${texts.download}</button></div>`;
}

export function Audit({ query }) {
  const { user = '', name = '', action = '', address = '', from = '', to = '', failed = '' } = query;
  const skip = Math.max(0, Number(query.skip) || 0);
  const show = (change) => go(hashOf('audit', { user, name, action, address, from, to, failed, ...change }));
  const filter = { user, action, address, since: startOf(from), until: startOf(to, 1), success: failed && 'false' };
  const asked = { ...filter, skip, limit: LIMIT };
  const addressField = useFollowing(address);
  const log = useLoad((signal) => request('GET', 'audit', { query: asked, signal }), JSON.stringify(asked));
  const { total_count: total = 0, entries = [] } = log.value ?? {};
  const userLink = (id, text) => {
    if (!text) return html`<span class="muted">${common.none}</span>`;
    if (!id) return text;
    return html`<a href=${hashOf('audit', { user: id, name: text })}><${Name} text=${text} /></a>`;
  };
  const options = { '': texts.allActions, ...texts.actions };
  const range = texts.range(number(skip + 1), number(skip + entries.length), number(total));
  return html`<div class="head"><${Heading} title=${texts.title} />${user && html`<a href="#/users/${user}">${texts.account}</a>`}</div>
    <div class="filters log-filters" role="search">
      <${UserFilter} name=${name} choose=${(chosen) => show(chosen ? { user: chosen.id, name: chosen.username } : { user: '', name: '' })} />
      <${Field} label=${texts.action} options=${options} value=${action} onChange=${(event) => show({ action: event.target.value })} />
      <${Field} label=${texts.address} type="search" field=${addressField} defaultValue=${address} autocomplete="off" spellcheck=${false}
        onChange=${(event) => show({ address: event.target.value.trim() })} />
      <${Field} label=${texts.from} type="date" value=${from} onChange=${(event) => show({ from: event.target.value })} />
      <${Field} label=${texts.to} type="date" value=${to} onChange=${(event) => show({ to: event.target.value })} />
      <label class="check"><input type="checkbox" checked=${Boolean(failed)}
        onChange=${(event) => show({ failed: event.target.checked ? '1' : '' })} /> ${texts.failedOnly}</label>
    </div>
    <${Problem} text=${log.error} retry=${log.reload} />
    <p class="visually-hidden" role="status">${log.value && !log.loading ? (entries.length ? range : texts.none) : ''}</p>
    ${!(log.error && !log.value) && html`<div class="card flush"><table class="log" role="table" aria-busy=${log.loading ? 'true' : 'false'}>
      <caption class="visually-hidden">${texts.caption}</caption>
      <thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col">${texts.time}</th><th role="columnheader" scope="col">${texts.action}</th>
        <th role="columnheader" scope="col">${texts.actor}</th><th role="columnheader" scope="col">${texts.target}</th><th role="columnheader" scope="col">${texts.address}</th></tr></thead>
      <tbody role="rowgroup">${entries.map((entry) => html`<tr role="row" key=${entry.id}>
        <td role="cell"><${Time} at=${entry.at} /></td>
        <td role="cell" class="what"><${EntryText} entry=${entry} /></td>
        <td role="cell" class="by ${entry.actor_name ? '' : 'none'}">${userLink(entry.actor, entry.actor_name)}</td>
        <td role="cell" class="to ${entry.target_name ? '' : 'none'}">${userLink(entry.target, entry.target_name)}</td>
        <td role="cell" class="from">${entry.address ?? html`<span class="muted">${common.none}</span>`}</td>
      </tr>`)}</tbody>
    </table>${log.value && !log.error && !entries.length && html`<div class="empty"><p class="muted">${texts.none}</p>
      ${(user || action || address || from || to || failed) && html`<button onClick=${() => go('#/audit')}>${texts.showAll}</button>`}</div>`}</div>
    <${Pager} skip=${skip} limit=${LIMIT} total=${total} what=${pager.audit} go=${(to) => show({ skip: to })} />`}
    <${Download} filter=${filter} />`;
}
