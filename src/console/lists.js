// Lists that belong to one account: its sessions and its API keys. Whose they are is the path that they are asked from.

import { html, Badge, Confirm, Copy, Dialog, Field, Form, Name, Problem, When, number, say, short, useState } from './ui.js';
import { useLoad, useWork } from './work.js';
import { call } from './api.js';

/** How many are shown at first, and how many more at a time: somebody may have a thousand. */
const FIRST = 10;
const MORE = 100;

/** A browser's description of itself, as people call it. */
export function client(agent) {
  if (!agent) return 'Unknown program';
  const browser = [['Edg/', 'Edge'], ['OPR/', 'Opera'], ['Firefox/', 'Firefox'], ['Chrome/', 'Chrome'], ['Safari/', 'Safari']]
    .find(([mark]) => agent.includes(mark));
  const system = [['Android', 'Android'], ['iPhone', 'iPhone'], ['iPad', 'iPad'], ['Windows', 'Windows'], ['Mac OS', 'macOS'],
    ['CrOS', 'ChromeOS'], ['Linux', 'Linux']].find(([mark]) => agent.includes(mark));
  if (!browser) return agent.slice(0, 60);
  return system ? `${browser[1]} on ${system[1]}` : browser[1];
}

function Rows({ list, children: row }) {
  const [shown, show] = useState(FIRST);
  const left = list.length - shown;
  return html`<ul class="rows">${list.slice(0, shown).map(row)}</ul>
    ${left > 0 && html`<button class="more" onClick=${() => show(shown + MORE)}>Show ${left > MORE ? `${MORE} more` : 'the rest'} (${number(left)} not shown)</button>`}`;
}

export function Sessions({ path, own, version }) {
  const sessions = useLoad((signal) => call('GET', path, { signal }), `${path} ${version}`);
  const work = useWork(async (session) => {
    if (session) await call('DELETE', `${path}/${session.id}`);
    else await call('DELETE', path, { query: { keep_current: own || undefined } });
    say(session ? 'The session was ended.' : own ? 'All other sessions were ended.' : 'All sessions were ended.');
    sessions.reload();
  });
  const list = sessions.value?.sessions ?? [];
  const others = list.filter((session) => !session.current);
  return html`<section class="card" aria-labelledby="sessions">
    <div class="head"><h2 id="sessions">Sessions</h2>
      ${(own ? others.length > 0 : list.length > 0) && html`<button onClick=${() => work.run(null)}>${own ? 'End all others' : 'End all'}</button>`}</div>
    <${Problem} text=${work.error ?? sessions.error} again=${sessions.error && sessions.reload} />
    ${sessions.value && !list.length && html`<p class="quiet">Nobody is signed in with this account.</p>`}
    <${Rows} list=${list}>${(session) => html`<li key=${session.id}>
      <div><strong title=${session.client}>${client(session.client)}</strong>
        ${session.current && html` <${Badge} kind="active">this one<//>`}
        <p class="quiet small">${session.address} · since <${When} at=${session.created_at} time />${' '}
          · last used <${When} at=${session.refreshed_at} time /></p></div>
      ${!session.current && html`<button onClick=${() => work.run(session)} aria-label="End session: ${client(session.client)}, ${session.address}">End</button>`}
    </li>`}<//>
  </section>`;
}

const lasting = [['', 'Never'], ['1', 'In a day'], ['7', 'In a week'], ['30', 'In 30 days'], ['90', 'In 90 days'], ['365', 'In a year']];

function NewKey({ path, onClose, onMade }) {
  const [made, setMade] = useState(null);
  const [days, setDays] = useState('');
  const work = useWork(({ name }) => call('POST', path, {
    json: { name, expires_at: days ? new Date(Date.now() + days * 864e5).toISOString() : null },
  }));
  if (made) {
    return html`<${Dialog} title="Your new API key" onClose=${onClose}>
      <p>Copy it now: it is shown this once, and only a hash of it is kept.</p>
      <${Copy} text=${made.api_key} label="API key" />
      <div class="actions"><button onClick=${onClose}>Done</button></div>
    <//>`;
  }
  return html`<${Dialog} title="New API key" onClose=${onClose}>
    <${Form} work=${work} submit="Make the key" label="New API key" onCancel=${onClose}
      onDone=${(key) => { setMade(key); onMade(); }}>
      <${Field} label="Name" name="name" required autofocus autocomplete="off" hint="What it is for, such as “backup script”." error=${work.fields.name} />
      <${Field} label="Ends" options=${lasting} value=${days} onChange=${(event) => setDays(event.target.value)}
        error=${work.fields.expires_at} />
    <//>
  <//>`;
}

export function Keys({ path, own, version }) {
  const keys = useLoad((signal) => call('GET', path, { signal }), `${path} ${version}`);
  const [dialog, setDialog] = useState(null);
  const work = useWork(async () => {
    await call('DELETE', `${path.replace(/\/$/, '')}/${dialog.id}`);
    say('The key was deleted.');
    keys.reload();
    return true;
  });
  const close = () => { work.clear(); setDialog(null); };
  const list = keys.value?.api_keys ?? [];
  const ended = (key) => key.expires_at && new Date(key.expires_at) <= new Date();
  return html`<section class="card" aria-labelledby="keys">
    <div class="head"><h2 id="keys">API keys</h2>
      ${own && html`<button onClick=${() => setDialog('new')}>New key</button>`}</div>
    <${Problem} text=${keys.error} again=${keys.reload} />
    ${keys.value && !list.length && html`<p class="quiet">No keys. ${own && 'Programs use them in place of a password.'}</p>`}
    <${Rows} list=${list}>${(key) => html`<li key=${key.id}>
      <div><strong><${Name} text=${key.name || 'Unnamed key'} /></strong> <code>${key.api_key.slice(0, 8)}…</code>
        ${ended(key) && html` <${Badge} kind="inactive">ended<//>`}
        <p class="quiet small">made <${When} at=${key.created_at} /> · last used <${When} at=${key.last_used_at} never="never" />${' '}
          · ends <${When} at=${key.expires_at} never="never" /></p></div>
      <button onClick=${() => setDialog(key)} aria-label="Delete key: ${key.name || 'unnamed'}">Delete</button>
    </li>`}<//>
    ${dialog === 'new' && html`<${NewKey} path=${path} onClose=${close} onMade=${keys.reload} />`}
    ${dialog?.id && html`<${Confirm} title="Delete this key?" submit="Delete" danger work=${work} onClose=${close}>
      <p>Programs that use “${short(dialog.name || 'unnamed')}” are locked out at once.</p><//>`}
  </section>`;
}
