// The sessions and API keys of one account. Their path tells whose they are.

import { html, Badge, Confirm, Copy, Dialog, Field, Form, Name, Problem, Time, number, announce, short, useState } from './ui.js';
import { useLoad, useAction } from './async.js';
import { request } from './api.js';
import { common, keys as keyTexts, lists, sessions as sessionTexts } from './texts.js';

/** How many rows to show at first, and how many more at a time. */
const FIRST = 10;
const MORE = 100;

/** Names the browser and system of a user agent. */
export function clientName(agent) {
  if (!agent) return sessionTexts.unknownClient;
  const browser = [['Edg/', 'Edge'], ['OPR/', 'Opera'], ['Firefox/', 'Firefox'], ['Chrome/', 'Chrome'], ['Safari/', 'Safari']]
    .find(([mark]) => agent.includes(mark));
  const system = [['Android', 'Android'], ['iPhone', 'iPhone'], ['iPad', 'iPad'], ['Windows', 'Windows'], ['Mac OS', 'macOS'],
    ['CrOS', 'ChromeOS'], ['Linux', 'Linux']].find(([mark]) => agent.includes(mark));
  if (!browser) return agent.slice(0, 60);
  return system ? sessionTexts.clientOn(browser[1], system[1]) : browser[1];
}

export function Rows({ list, children: row }) {
  const [shown, show] = useState(FIRST);
  const left = list.length - shown;
  return html`<ul class="rows">${list.slice(0, shown).map(row)}</ul>
    ${left > 0 && html`<button class="more" onClick=${() => show(shown + MORE)}>${left > MORE
      ? lists.more(MORE, number(left)) : lists.rest(number(left))}</button>`}`;
}

export function Sessions({ path, own, version }) {
  const sessions = useLoad((signal) => request('GET', path, { signal }), `${path} ${version}`);
  const action = useAction(async (session) => {
    if (session) await request('DELETE', `${path}/${session.id}`);
    else await request('DELETE', path, { query: { keep_current: own || undefined } });
    announce(session ? sessionTexts.ended : own ? sessionTexts.othersEnded : sessionTexts.allEnded);
    sessions.reload();
  });
  const list = sessions.value?.sessions ?? [];
  const others = list.filter((session) => !session.current);
  return html`<section class="card" aria-labelledby="sessions">
    <div class="head"><h2 id="sessions">${sessionTexts.section}</h2>
      ${(own ? others.length > 0 : list.length > 0) && html`<button onClick=${() => action.run(null)}>${own
        ? sessionTexts.endOthers : sessionTexts.endAll}</button>`}</div>
    <${Problem} text=${action.error ?? sessions.error} retry=${sessions.error && sessions.reload} />
    ${sessions.value && !list.length && html`<p class="muted">${sessionTexts.none}</p>`}
    <${Rows} list=${list}>${(session) => html`<li key=${session.id}>
      <div><strong title=${session.client}>${clientName(session.client)}</strong>
        ${session.current && html` <${Badge} kind="active">${sessionTexts.current}<//>`}
        <p class="muted small">${session.address} · ${sessionTexts.since(html`<${Time} at=${session.created_at} />`)}${' '}
          · ${sessionTexts.lastUsed(html`<${Time} at=${session.refreshed_at} />`)}</p></div>
      ${!session.current && html`<button onClick=${() => action.run(session)}
        aria-label=${sessionTexts.endOne(clientName(session.client), session.address)}>${sessionTexts.end}</button>`}
    </li>`}<//>
  </section>`;
}

function NewKey({ path, onClose, onCreated }) {
  const [created, setCreated] = useState(null);
  const [days, setDays] = useState('');
  const action = useAction(({ name }) => request('POST', path, {
    json: { name, expires_at: days ? new Date(Date.now() + days * 864e5).toISOString() : null },
  }));
  if (created) {
    return html`<${Dialog} title=${keyTexts.createdTitle} onClose=${onClose}>
      <p>${keyTexts.copyNow}</p>
      <${Copy} text=${created.api_key} label=${keyTexts.label} />
      <div class="actions"><button onClick=${onClose}>${common.done}</button></div>
    <//>`;
  }
  return html`<${Dialog} title=${keyTexts.newTitle} onClose=${onClose}>
    <${Form} action=${action} submit=${keyTexts.submit} label=${keyTexts.newTitle} guard onCancel=${onClose}
      onDone=${(key) => { setCreated(key); onCreated(); }}>
      <${Field} label=${keyTexts.name} name="name" required autofocus autocomplete="off" hint=${keyTexts.nameHint} error=${action.fields.name} />
      <${Field} label=${keyTexts.expiry} options=${keyTexts.expiries} value=${days} onChange=${(event) => setDays(event.target.value)}
        error=${action.fields.expires_at} />
    <//>
  <//>`;
}

export function Keys({ path, own, version }) {
  const keys = useLoad((signal) => request('GET', path, { signal }), `${path} ${version}`);
  const [dialog, setDialog] = useState(null);
  const action = useAction(async () => {
    await request('DELETE', dialog === 'all' ? path : `${path.replace(/\/$/, '')}/${dialog.id}`);
    announce(dialog === 'all' ? keyTexts.allDeleted : keyTexts.deleted);
    keys.reload();
    return true;
  });
  const close = () => { action.clear(); setDialog(null); };
  const list = keys.value?.api_keys ?? [];
  const expired = (key) => key.expires_at && new Date(key.expires_at) <= new Date();
  const time = (at) => html`<${Time} at=${at} never=${common.never} />`;
  return html`<section class="card" aria-labelledby="keys">
    <div class="head"><h2 id="keys">${keyTexts.section}</h2>
      <div class="actions">${list.length > 1 && html`<button onClick=${() => setDialog('all')}>${keyTexts.deleteAll}</button>`}
        ${own && html`<button onClick=${() => setDialog('new')}>${keyTexts.create}</button>`}</div></div>
    <${Problem} text=${keys.error} retry=${keys.reload} />
    ${keys.value && !list.length && html`<p class="muted">${keyTexts.none} ${own && keyTexts.purpose}</p>`}
    <${Rows} list=${list}>${(key) => html`<li key=${key.id}>
      <div><strong><${Name} text=${key.name || keyTexts.unnamed} /></strong> <code>${key.api_key.slice(0, 8)}…</code>
        ${expired(key) && html` <${Badge} kind="inactive">${keyTexts.expired}<//>`}
        <p class="muted small">${keyTexts.created(time(key.created_at))} · ${keyTexts.lastUsed(time(key.last_used_at))}${' '}
          · ${keyTexts.expires(key.expires_at && time(key.expires_at))}</p></div>
      <button onClick=${() => setDialog(key)} aria-label=${keyTexts.deleteOne(key.name || keyTexts.unnamed)}>${common.delete}</button>
    </li>`}<//>
    ${dialog === 'new' && html`<${NewKey} path=${path} onClose=${close} onCreated=${keys.reload} />`}
    ${dialog === 'all' && html`<${Confirm} title=${keyTexts.deleteAllTitle(number(list.length))} submit=${keyTexts.deleteAll} danger action=${action}
      onClose=${close}><p>${keyTexts.deleteAllText}</p><//>`}
    ${dialog?.id && html`<${Confirm} title=${keyTexts.deleteTitle} submit=${common.delete} danger action=${action} onClose=${close}>
      <p>${keyTexts.deleteText(short(dialog.name || keyTexts.unnamed))}</p><//>`}
  </section>`;
}
