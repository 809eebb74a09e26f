// Requests of users to delete their account, for superusers.

import { html, Confirm, Problem, Time, announce, short, useState } from './ui.js';
import { useAction, useLoad } from './async.js';
import { request } from './api.js';
import { deletion, deletionRequest as texts } from './texts.js';

const send = (user, decision) => request('POST', `users/${user.id}/deletion-request/${decision}`);

/** The buttons that decide a request. `onDone` gets `granted` or `declined`. */
export function Decision({ user, onDone }) {
  const [asking, setAsking] = useState(false);
  const name = short(user.username);
  const decline = useAction(async () => {
    await send(user, 'decline');
    announce(texts.declined(name));
    onDone('declined');
  });
  const grant = useAction(async () => {
    await send(user, 'grant');
    announce(deletion.deleted(name));
    onDone('granted');
    return true;
  });
  const close = () => { grant.clear(); setAsking(false); };
  return html`<${Problem} text=${decline.error} />
    <div class="actions"><button class="danger" onClick=${() => setAsking(true)} aria-label=${texts.grantUser(user.username)}>${texts.grant}</button>
      <button onClick=${() => decline.run()} aria-label=${texts.declineUser(user.username)}>${texts.decline}</button></div>
    ${asking && html`<${Confirm} title=${deletion.title(name)} submit=${deletion.submit} danger action=${grant} onClose=${close}>
      <p>${deletion.intro}</p><//>`}`;
}

/** The pending request of an account, if there is one. */
export function DeletionRequest({ user, onDeleted }) {
  const found = useLoad((signal) => request('GET', `users/${user.id}/deletion-request`, { signal }), user.id);
  const pending = found.value?.deletion_request;
  if (found.error) return html`<${Problem} text=${found.error} retry=${found.reload} />`;
  if (pending?.status !== 'requested') return null;
  const done = (decision) => (decision === 'granted' ? onDeleted() : found.reload());
  return html`<section class="card" aria-labelledby="request"><h2 id="request">${texts.section}</h2>
    <p>${texts.pending(short(user.username), html`<${Time} at=${pending.requested_at} />`)}</p>
    <${Decision} user=${user} onDone=${done} /></section>`;
}
