// Actions on several users at once.

import { html, Confirm, Problem, announce, number, short, useState } from './ui.js';
import { useAction } from './async.js';
import { request } from './api.js';
import { bulk } from './texts.js';

/** How many names a question or an error lists. */
const NAMED = 10;

const ACTIONS = {
  approve: { run: (user) => request('PATCH', `users/${user.id}`, { json: { is_active: true } }) },
  deactivate: { run: (user) => request('PATCH', `users/${user.id}`, { json: { is_active: false } }), asks: true },
  endSessions: { run: (user) => request('DELETE', `users/${user.id}/sessions`), asks: true },
  delete: { run: (user) => request('DELETE', `users/${user.id}`), asks: true },
};

function names(users) {
  const shown = users.slice(0, NAMED).map((user) => short(user.username)).join(', ');
  return users.length > NAMED ? bulk.andMore(shown, number(users.length - NAMED)) : shown;
}

/** The bar above the table while rows are selected. */
export function BulkBar({ selected, clear, onDone }) {
  const [asking, setAsking] = useState(null);
  const [failures, setFailures] = useState([]);
  const action = useAction(async (name) => {
    setFailures([]);
    const failed = [];
    // One after the other, so that the order of the audit log is the order of the list.
    for (const user of selected) {
      await ACTIONS[name].run(user).catch((error) => {
        if (!error.status) throw error;
        failed.push({ user, message: error.message });
      });
    }
    setFailures(failed);
    announce(bulk.done[name](number(selected.length - failed.length)));
    setAsking(null);
    clear(failed.map(({ user }) => user.id));
    onDone();
  });
  const start = (name) => (ACTIONS[name].asks ? setAsking(name) : action.run(name));
  const close = () => { action.clear(); setAsking(null); };
  const failed = failures.slice(0, NAMED).map(({ user, message }) => `${short(user.username)}: ${message}`).join(' ');
  return html`<${Problem} text=${action.error ?? (failed && bulk.failed(number(failures.length), failed))} />
    ${selected.length > 0 && html`<div class="bulk" role="region" aria-label=${bulk.label}>
      <span>${bulk.selected(number(selected.length))}</span>
      ${Object.keys(ACTIONS).map((name) => html`<button class=${name === 'delete' ? 'danger' : ''} onClick=${() => start(name)}>${bulk.actions[name]}</button>`)}
      <button onClick=${() => { setFailures([]); clear([]); }}>${bulk.clear}</button></div>`}
    ${asking && html`<${Confirm} title=${bulk.titles[asking](number(selected.length))} submit=${bulk.actions[asking]} danger
      onClose=${close} action=${{ ...action, run: () => action.run(asking) }}><p>${names(selected)}</p><//>`}`;
}
