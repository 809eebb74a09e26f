// The user's own data: download it, and leave.

import { html, Confirm, Problem, Time, announce, useState } from './ui.js';
import { useAction, useLoad } from './async.js';
import { leave, request } from './api.js';
import { selfDeletion } from './routing.js';
import { save } from './export.js';
import { TypedConfirm } from './typed_confirm.js';
import { deletion, ownData as texts, session } from './texts.js';

const PATH = 'users/me/deletion-request';

function Download() {
  const action = useAction(async () => {
    const data = await request('GET', 'users/me/data-export');
    save('usher-data.json', `${JSON.stringify(data, null, 2)}\n`);
    announce(texts.downloaded);
  });
  return html`<p class="muted">${texts.intro}</p><${Problem} text=${action.error} />
    <div class="actions start"><button onClick=${() => action.run()}>${texts.download}</button></div>`;
}

/** Deletes the account at once, or asks the superusers to. */
function Leave({ onAsked, onClose }) {
  const action = useAction(async () => {
    const asked = await request('POST', PATH);
    if (asked.status === 'done') leave(session.deleted);
    else onAsked(asked);
    return true;
  });
  if (selfDeletion) {
    return html`<${TypedConfirm} title=${texts.deleteTitle} word=${deletion.word} submit=${deletion.submit} label=${texts.delete}
      action=${action} onClose=${onClose}><p>${deletion.intro}</p><//>`;
  }
  return html`<${Confirm} title=${texts.askTitle} submit=${texts.ask} danger action=${action} onClose=${onClose}><p>${texts.askText}</p><//>`;
}

export function OwnData({ me }) {
  const found = useLoad((signal) => request('GET', `users/${me.id}/deletion-request`, { signal }), me.id);
  const [asking, setAsking] = useState(false);
  const withdrawal = useAction(async () => {
    found.put({ deletion_request: await request('DELETE', PATH) });
    announce(texts.withdrawn);
  });
  const { status, requested_at: asked, decided_at: decided } = found.value?.deletion_request ?? {};
  const done = (made) => {
    found.put({ deletion_request: made });
    announce(texts.asked);
  };
  return html`<section class="card" aria-labelledby="own-data"><h2 id="own-data">${texts.section}</h2>
    <${Download} />
    <${Problem} text=${found.error ?? withdrawal.error} retry=${found.error && found.reload} />
    ${status === 'requested' && html`<p>${texts.pending(html`<${Time} at=${asked} />`)}</p>`}
    ${status === 'refused' && html`<p>${texts.refused(html`<${Time} at=${decided} />`)}</p>`}
    ${found.value && html`<div class="actions start">${status === 'requested'
      ? html`<button onClick=${() => withdrawal.run()}>${texts.withdraw}</button>`
      : html`<button class="danger" onClick=${() => setAsking(true)}>${selfDeletion ? texts.delete : texts.ask}</button>`}</div>`}
    ${asking && html`<${Leave} onAsked=${done} onClose=${() => setAsking(false)} />`}</section>`;
}
