// Second factors: those of the signed-in user, and those of another user for superusers.

import { html, Confirm, Dialog, Field, Form, Heading, Name, Problem, Time, announce, number, short, useState } from './ui.js';
import { useAction, useLoad } from './async.js';
import { request } from './api.js';
import { AddApp, AddPasskey, NewCodes, ProofForm, prove } from './enroll.js';
import { whyNoPasskeys } from './passkeys.js';
import { secondFactor } from './routing.js';
import { common, factorRequired, security as texts, userFactors } from './texts.js';

/** Loads the factors that count: an authenticator app without its first code does not. */
function useFactors(id, version) {
  const found = useLoad((signal) => request('GET', `users/${id}/factors`, { signal }), `${id} ${version}`);
  return { ...found, list: (found.value?.factors ?? []).filter((factor) => factor.confirmed) };
}

function FactorRow({ factor, children }) {
  return html`<li key=${factor.id}><div><strong><${Name} text=${factor.name} /></strong>
    <p class="muted small">${texts.kinds[factor.kind]} · ${texts.created(html`<${Time} at=${factor.created_at} />`)}${' '}
      · ${texts.lastUsed(html`<${Time} at=${factor.last_used_at} never=${common.never} />`)}</p>
    ${!factor.usable_here && html`<p class="muted small">${texts.elsewhere[factor.kind]}</p>`}</div>
    <div class="actions">${children}</div></li>`;
}

function Rename({ me, factor, onClose, onChanged }) {
  const action = useAction(({ name }) => request('PATCH', `users/${me.id}/factors/${factor.id}`, { json: { name } }));
  const done = () => { announce(texts.renamed); onChanged(); onClose(); };
  return html`<${Dialog} title=${texts.renameTitle} onClose=${onClose}>
    <${Form} action=${action} submit=${texts.rename} label=${texts.renameTitle} guard onCancel=${onClose} onDone=${done}>
      <${Field} label=${texts.name} name="name" defaultValue=${factor.name} autocomplete="off" autofocus error=${action.fields.name} /><//><//>`;
}

function Remove({ me, factor, last, required, mayUsePasskey, onClose, onChanged }) {
  const action = useAction(async (values) => request('DELETE', `users/${me.id}/factors/${factor.id}`, { json: await prove(values) }));
  const done = () => { announce(texts.removed); onChanged(); onClose(); };
  return html`<${Dialog} title=${texts.removeTitle(short(factor.name))} onClose=${onClose}>
    <p>${!last ? texts.removeText : required ? texts.removeRequired : texts.removeLast}</p>
    <${ProofForm} me=${me} mayUsePasskey=${mayUsePasskey} action=${action} submit=${texts.remove} danger label=${texts.remove} onCancel=${onClose}
      onDone=${done} /><//>`;
}

/** "Sign-in security": the signed-in user's own factors. */
export function Security({ me, onChanged }) {
  const found = useFactors(me.id, '');
  const [dialog, setDialog] = useState(null);
  if (secondFactor === 'off') return null;
  const { value, list } = found;
  const left = value?.recovery_codes_left ?? 0;
  const unavailable = value?.passkeys_unavailable;
  const why = whyNoPasskeys() ?? (unavailable && texts.passkeysUnavailable(unavailable));
  const mayUsePasskey = !why && list.some((factor) => factor.kind === 'passkey' && factor.usable_here);
  const props = { me, mayUsePasskey, left, first: !left, onClose: () => setDialog(null), onChanged: () => { found.reload(); onChanged?.(); } };
  return html`<section class="card" aria-labelledby="security"><h2 id="security">${texts.section}</h2>
    <${Problem} text=${found.error} retry=${found.reload} />
    ${value && html`<p class="muted">${list.length ? texts.intro : texts.none}</p>
      <ul class="rows">${list.map((factor) => html`<${FactorRow} key=${factor.id} factor=${factor}>
        <button onClick=${() => setDialog({ rename: factor })} aria-label=${texts.renameOne(factor.name)}>${texts.rename}</button>
        <button onClick=${() => setDialog({ remove: factor })} aria-label=${texts.removeOne(factor.name)}>${texts.remove}</button><//>`)}</ul>
      <div class="actions start"><button onClick=${() => setDialog('app')}>${texts.addApp}</button>
        ${!why && html`<button onClick=${() => setDialog('passkey')}>${texts.addPasskey}</button>`}</div>
      ${why && html`<p class="muted small">${why}</p>`}
      ${list.length > 0 && html`<p>${texts.left(number(left))}</p>
        <div class="actions start"><button onClick=${() => setDialog('codes')}>${left ? texts.replaceCodes : texts.makeCodes}</button></div>`}`}
    ${dialog === 'app' && html`<${AddApp} ...${props} />`}
    ${dialog === 'passkey' && html`<${AddPasskey} ...${props} />`}
    ${dialog === 'codes' && html`<${NewCodes} ...${props} />`}
    ${dialog?.rename && html`<${Rename} factor=${dialog.rename} ...${props} />`}
    ${dialog?.remove && html`<${Remove} factor=${dialog.remove} last=${list.length === 1} required=${value.required} ...${props} />`}
  </section>`;
}

/** The page of a user who must set up a second factor before anything else. */
export function FactorRequired({ me, onDone }) {
  const found = useFactors(me.id, '');
  return html`<${Heading} title=${factorRequired.title} /><p>${factorRequired.why}</p>
    <${Security} me=${me} onChanged=${found.reload} />
    ${found.list.length > 0 && html`<div class="actions start"><button class="primary" onClick=${onDone}>${factorRequired.next}</button></div>`}`;
}

/** Another user's factors, which a superuser can remove. */
export function UserFactors({ user }) {
  const found = useFactors(user.id, user.updated_at);
  const [removing, setRemoving] = useState(null);
  const action = useAction(async () => {
    await request('DELETE', `users/${user.id}/factors/${removing.id}`, { json: {} });
    announce(texts.removed);
    found.reload();
    return true;
  });
  if (secondFactor === 'off') return null;
  const { value, list } = found;
  const name = short(user.username);
  const close = () => { action.clear(); setRemoving(null); };
  return html`<section class="card" aria-labelledby="security"><h2 id="security">${texts.section}</h2>
    <${Problem} text=${found.error} retry=${found.reload} />
    ${value && !list.length && html`<p class="muted">${value.required ? userFactors.missing : userFactors.none}</p>`}
    <ul class="rows">${list.map((factor) => html`<${FactorRow} key=${factor.id} factor=${factor}>
      <button onClick=${() => setRemoving(factor)} aria-label=${texts.removeOne(factor.name)}>${texts.remove}</button><//>`)}</ul>
    ${list.length > 0 && html`<p class="muted">${texts.left(number(value.recovery_codes_left))}</p>`}
    ${removing && html`<${Confirm} title=${texts.removeTitle(short(removing.name))} submit=${texts.remove} danger action=${action} onClose=${close}>
      <p>${list.length > 1 ? userFactors.removeText(name) : userFactors.removeLast(name)}</p><//>`}</section>`;
}
