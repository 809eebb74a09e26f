// Lists that belong to one account: its sessions and its API keys. Whose they are is the path that they are asked from.

import { html, Badge, Copy, Dialog, Field, Form, Problem, When, say, useLoad, useState, useWork } from './ui.js';
import { call } from './api.js';

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

export function Sessions({ path, own }) {
  const sessions = useLoad((signal) => call('GET', path, { signal }), path);
  const work = useWork(async (id) => {
    await call('DELETE', id ? `${path}/${id}` : path);
    say(id ? 'The session was ended.' : 'All sessions were ended.');
    // One's own may be among them; the next request finds out.
    sessions.reload();
  });
  const list = sessions.value?.sessions ?? [];
  return html`<section class="card" aria-labelledby="sessions">
    <div class="head"><h2 id="sessions">Sessions</h2>
      ${list.length > 0 && html`<button onClick=${() => work.run(null)}>End all${own ? ', this one too' : ''}</button>`}</div>
    <${Problem} text=${work.error ?? sessions.error} />
    ${sessions.value && !list.length && html`<p class="quiet">Nobody is signed in with this account.</p>`}
    <ul class="rows">${list.map((session) => html`<li key=${session.id}>
      <div><strong title=${session.client}>${client(session.client)}</strong>
        ${session.current && html` <${Badge} kind="active">this one<//>`}
        <p class="quiet small">${session.address} · since <${When} at=${session.created_at} time />${' '}
          · last used <${When} at=${session.refreshed_at} time /></p></div>
      <button onClick=${() => work.run(session.id)} aria-label="End session: ${client(session.client)}, ${session.address}">End</button>
    </li>`)}</ul>
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
      <div class="actions"><button class="primary" onClick=${onClose}>Done</button></div>
    <//>`;
  }
  return html`<${Dialog} title="New API key" onClose=${onClose}>
    <${Form} work=${work} submit="Make the key" label="New API key" onCancel=${onClose}
      onDone=${(key) => { setMade(key); onMade(); }}>
      <${Field} label="Name" name="name" required autofocus hint="What it is for, such as “backup script”." error=${work.fields.name} />
      <${Field} label="Ends" options=${lasting} value=${days} onChange=${(event) => setDays(event.target.value)}
        error=${work.fields.expires_at} />
    <//>
  <//>`;
}

export function Keys({ path, own }) {
  const keys = useLoad((signal) => call('GET', path, { signal }), path);
  const [dialog, setDialog] = useState(null);
  const work = useWork(async () => {
    await call('DELETE', `${path.replace(/\/$/, '')}/${dialog.id}`);
    setDialog(null);
    say('The key was deleted.');
    keys.reload();
    return true;
  });
  const list = keys.value?.api_keys ?? [];
  const ended = (key) => key.expires_at && new Date(key.expires_at) <= new Date();
  return html`<section class="card" aria-labelledby="keys">
    <div class="head"><h2 id="keys">API keys</h2>
      ${own && html`<button onClick=${() => setDialog('new')}>New key</button>`}</div>
    <${Problem} text=${keys.error} />
    ${keys.value && !list.length && html`<p class="quiet">No keys. ${own && 'Programs use them in place of a password.'}</p>`}
    <ul class="rows">${list.map((key) => html`<li key=${key.id}>
      <div><strong>${key.name || 'Unnamed key'}</strong> <code>${key.api_key.slice(0, 8)}…</code>
        ${ended(key) && html` <${Badge} kind="inactive">ended<//>`}
        <p class="quiet small">made <${When} at=${key.created_at} /> · last used <${When} at=${key.last_used_at} never="never" />${' '}
          · ends <${When} at=${key.expires_at} never="never" /></p></div>
      <button onClick=${() => setDialog(key)} aria-label="Delete key: ${key.name || 'unnamed'}">Delete</button>
    </li>`)}</ul>
    ${dialog === 'new' && html`<${NewKey} path=${path} onClose=${() => setDialog(null)} onMade=${keys.reload} />`}
    ${dialog?.id && html`<${Dialog} title="Delete this key?" onClose=${() => { work.clear(); setDialog(null); }}>
      <p>Programs that use “${dialog.name || 'unnamed'}” are locked out at once.</p>
      <${Form} work=${work} submit="Delete" danger label="Delete key" onCancel=${() => setDialog(null)} />
    <//>`}
  </section>`;
}
