// Invitations: links with which people create active accounts themselves.

import { html, Confirm, Dialog, Field, Form, Heading, Name, Problem, Time, announce, number, useState } from './ui.js';
import { useAction, useLoad } from './async.js';
import { request } from './api.js';
import { Rows } from './credentials.js';
import { LinkDialog } from './links.js';
import { common, invitations as texts, user as userTexts } from './texts.js';

const DAY = 864e5;

function NewInvitation({ onClose, onCreated }) {
  const [created, setCreated] = useState(null);
  const action = useAction(({ username, max_uses, days }) => request('POST', 'invitations', { json: {
    username: username.trim() || null,
    max_uses: max_uses.trim() || null,
    expires_at: new Date(Date.now() + days * DAY).toISOString(),
  } }));
  if (created) {
    const { invitation } = created;
    return html`<${LinkDialog} link=${created.link} label=${texts.link} title=${texts.created} onClose=${onClose}>
      <p>${texts.usable(invitation.username && html`<${Name} text=${invitation.username} />`, invitation.max_uses,
        html`<${Time} at=${invitation.expires_at} absolute />`)}</p><//>`;
  }
  return html`<${Dialog} title=${texts.create} onClose=${onClose}>
    <${Form} action=${action} submit=${texts.submit} label=${texts.create} guard onCancel=${onClose}
      onDone=${(made) => { setCreated(made); onCreated(); }}>
      <${Field} label=${texts.userName} name="username" autofocus autocomplete="off" autocapitalize="none" spellcheck=${false}
        hint=${texts.userNameHint} error=${action.fields.username} />
      <${Field} label=${texts.uses} name="max_uses" inputmode="numeric" defaultValue="1" autocomplete="off" error=${action.fields.max_uses} />
      <${Field} label=${texts.lifetime} name="days" options=${texts.lifetimes} defaultValue="7" error=${action.fields.expires_at} />
    <//>
  <//>`;
}

export function Invitations() {
  const open = useLoad((signal) => request('GET', 'invitations', { signal }), '');
  const [creating, setCreating] = useState(false);
  const [revoking, setRevoking] = useState(null);
  const revocation = useAction(async () => {
    await request('DELETE', `invitations/${revoking.id}`);
    announce(texts.revoked);
    open.reload();
    return true;
  });
  const close = () => { revocation.clear(); setRevoking(null); };
  const list = open.value?.invitations ?? [];
  const whose = (invitation) => invitation.username ?? texts.anyName;
  return html`<p class="crumb"><a href="#/users">${userTexts.crumb}</a></p>
    <div class="head"><${Heading} title=${texts.title} />
      <button class="primary" onClick=${() => setCreating(true)}>${texts.create}</button></div>
    <p class="muted">${texts.intro}</p>
    <${Problem} text=${open.error} retry=${open.reload} />
    <section class="card" aria-label=${texts.title} aria-busy=${open.loading ? 'true' : 'false'}>
      ${open.value && !list.length && html`<p class="muted">${texts.none}</p>`}
      <${Rows} list=${list}>${(invitation) => html`<li key=${invitation.id}>
        <div><strong><${Name} text=${whose(invitation)} /></strong>
          <p class="muted small">${texts.used(number(invitation.uses), number(invitation.max_uses))} ·${' '}
            ${texts.createdAt(html`<${Time} at=${invitation.created_at} />`)} · ${texts.expires(html`<${Time} at=${invitation.expires_at} />`)}</p></div>
        <button onClick=${() => setRevoking(invitation)} aria-label=${texts.revokeOne(whose(invitation))}>${texts.revoke}</button>
      </li>`}<//></section>
    ${revoking && html`<${Confirm} title=${texts.revokeTitle} submit=${texts.revoke} danger action=${revocation} onClose=${close}>
      <p>${texts.revokeText}</p><//>`}
    ${creating && html`<${NewInvitation} onClose=${() => setCreating(false)} onCreated=${open.reload} />`}`;
}
