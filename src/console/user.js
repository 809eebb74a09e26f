// One account, for superusers: profile, state, reset link, sessions, keys, deletion.

import { html, Confirm, Dialog, Field, Form, Heading, Name, Problem, Time, announce, short, useEffect, useState } from './ui.js';
import { useLoad, useAction } from './async.js';
import { go, hashOf, passwordMin } from './routing.js';
import { request } from './api.js';
import { LinkDialog } from './links.js';
import { Badges, stateOf } from './user_badges.js';
import { Conflict, Profile, useSave } from './profile.js';
import { Keys, Sessions } from './credentials.js';
import { DeletionRequest } from './deletion_request.js';
import { TypedConfirm } from './typed_confirm.js';
import { Security, UserFactors } from './security.js';
import { common, deletion, errors, keys as keyTexts, requirePassword, resetLink, setPassword, user as texts } from './texts.js';

function Identifier({ text }) {
  const copy = async () => {
    const copied = await navigator.clipboard?.writeText(text).then(() => true, () => false);
    announce(copied ? `${common.copied}.` : errors.copyBlocked);
  };
  return html`<span class="id"><code>${text}</code><button onClick=${copy} aria-label=${texts.copyId}>${common.copy}</button></span>`;
}

/** Whether the account can sign in, and whether it is a superuser. */
function State({ user, put, own }) {
  const save = useSave(user, put);
  const [asking, setAsking] = useState(null);
  const name = short(user.username);
  const { is_active: active, is_superuser: superuser } = user;
  const activate = () => save.run({ is_active: true }, texts.canSignIn(name));
  const deactivation = { ...save, run: async () => {
    await save.run({ is_active: false }, texts.deactivated(name));
    setAsking(null);
  } };
  const rights = { ...save, run: async () => {
    await save.run({ is_superuser: !superuser }, superuser ? texts.demoted(name) : texts.promoted(name));
    setAsking(null);
  } };
  const close = () => { save.clear(); setAsking(null); };
  return html`<section class="card" aria-labelledby="state"><h2 id="state">${texts.stateTitle}</h2>
    <dl><dt>${texts.id}</dt><dd><${Identifier} text=${user.id} /></dd>
      <dt>${texts.state}</dt><dd><${Badges} user=${user} /></dd>
      <dt>${texts.created}</dt><dd><${Time} at=${user.create_at} /></dd>
      <dt>${texts.lastLogin}</dt><dd><${Time} at=${user.last_login_at} never=${common.never} /></dd>
      <dt>${texts.lastChange}</dt><dd><${Time} at=${user.updated_at} /></dd></dl>
    <${Problem} text=${save.error} />
    <${Conflict} save=${save} user=${user} />
    <div class="actions start">
      ${!(own && active) && html`<button class=${active ? '' : 'primary'} onClick=${active ? () => setAsking('deactivate') : activate}>${active ? texts.deactivate
        : stateOf(user) === 'waiting' ? texts.approve : texts.activate}</button>`}
      <button onClick=${() => setAsking('rights')}>${superuser ? texts.demote : texts.promote}</button>
    </div>
    ${asking === 'deactivate' && html`<${Confirm} action=${deactivation} onClose=${close} danger title=${texts.deactivateTitle(name)}
      submit=${texts.deactivate}><p>${texts.deactivateText(name)}</p><//>`}
    ${asking === 'rights' && html`<${Confirm} action=${rights} onClose=${close} danger=${superuser}
      title=${superuser ? texts.demoteTitle : texts.promoteTitle} submit=${superuser ? texts.demoteSubmit : texts.promote}>
      <p>${!superuser ? texts.promoteText(name) : own ? texts.demoteSelf : texts.demoteText(name)}</p><//>`}</section>`;
}

/** A new reset link of an account. */
export function ResetLinkDialog({ user, link, title, onClose }) {
  return html`<${LinkDialog} link=${link.link} label=${resetLink.label} title=${title} onClose=${onClose}>
    <p>${resetLink.usable(short(user.username), html`<${Time} at=${link.expires_at} absolute />`)}</p>
    ${!user.is_active && html`<p class="note">${resetLink.inactive}</p>`}<//>`;
}

function SetPassword({ user, put, onClose }) {
  const name = short(user.username);
  const action = useAction(async ({ password, revoke, change }) => {
    const json = { password, revoke_api_keys: Boolean(revoke), must_change_password: Boolean(change) };
    put(await request('PATCH', `users/${user.id}`, { json }));
    announce(setPassword.done(name));
    return true;
  });
  return html`<${Dialog} title=${setPassword.title(name)} onClose=${onClose}><p>${setPassword.intro}</p>
    <${Form} action=${action} submit=${setPassword.submit} label=${setPassword.open} guard onCancel=${onClose} onDone=${onClose}>
      <input type="text" name="username" autocomplete="username" value=${user.username} hidden readonly />
      <${Field} label=${common.newPassword} name="password" type="password" autocomplete="new-password" autofocus
        hint=${common.passwordRules(passwordMin)} error=${action.fields.password} />
      <label class="check"><input type="checkbox" name="change" defaultChecked=${user.must_change_password} /> ${setPassword.mustChange}</label>
      <label class="check"><input type="checkbox" name="revoke" /> ${keyTexts.revoke}</label>
    <//><//>`;
}

function PasswordSection({ user, put, own }) {
  const [link, setLink] = useState(null);
  const [setting, setSetting] = useState(false);
  const [asking, setAsking] = useState(false);
  const action = useAction(async () => {
    setLink(await request('POST', `users/${user.id}/reset-link`));
  });
  const name = short(user.username);
  const required = user.must_change_password;
  const requirement = useAction(async (wanted) => {
    put(await request('PATCH', `users/${user.id}`, { json: { must_change_password: wanted } }));
    announce(wanted ? requirePassword.required(name) : requirePassword.canceled(name));
    setAsking(false);
  });
  const close = () => { requirement.clear(); setAsking(false); };
  return html`<section class="card" aria-labelledby="password"><h2 id="password">${resetLink.section}</h2>
    <p class="muted">${resetLink.intro(name)}</p>
    ${required && html`<p class="note">${requirePassword.required(name)}</p>`}
    <${Problem} text=${action.error ?? (asking ? null : requirement.error)} />
    <div class="actions start"><button onClick=${() => action.run()}>${resetLink.create}</button>
      ${!own && html`<button onClick=${() => setSetting(true)}>${setPassword.open}</button>
        <button onClick=${() => (required ? requirement.run(false) : setAsking(true))}>${required ? requirePassword.cancel : requirePassword.require}</button>`}</div>
    ${asking && html`<${Confirm} action=${{ ...requirement, run: () => requirement.run(true) }} onClose=${close} title=${requirePassword.title(name)}
      submit=${requirePassword.require}><p>${requirePassword.text(name)}</p><//>`}
    ${setting && html`<${SetPassword} user=${user} put=${put} onClose=${() => setSetting(false)} />`}
    ${link && html`<${ResetLinkDialog} user=${user} link=${link} title=${resetLink.title(name)} onClose=${() => setLink(null)} />`}</section>`;
}

function Deletion({ user }) {
  const [asking, setAsking] = useState(false);
  const action = useAction(async () => {
    await request('DELETE', `users/${user.id}`);
    announce(deletion.deleted(short(user.username)));
    go('#/users');
    return true;
  });
  // A long or unusual name is hard to type.
  const word = /^(?!.* {2})[!-~](?:[ -~]{0,38}[!-~])?$/.test(user.username) ? user.username : deletion.word;
  return html`<section class="card" aria-labelledby="deletion"><h2 id="deletion">${deletion.section}</h2>
    <p class="muted">${deletion.intro}</p>
    <div class="actions start"><button class="danger" onClick=${() => setAsking(true)}>${deletion.open}</button></div>
    ${asking && html`<${TypedConfirm} title=${deletion.title(short(user.username))} word=${word} submit=${deletion.submit}
      label=${deletion.open} action=${action} onClose=${() => setAsking(false)} />`}</section>`;
}

export function UserPage({ id, me, setMe }) {
  const found = useLoad((signal) => request('GET', `users/${encodeURIComponent(id)}`, { query: { include: 'must_change_password' }, signal }), id);
  const user = found.value;
  const own = id === me.id;
  // A deleted account leads back to the list. An id that isn't a UUID is invalid (422).
  const missing = !user && [404, 422].includes(found.status);
  useEffect(() => {
    if (!missing) return;
    announce(texts.missing);
    go('#/users', true);
  }, [missing]);
  // Answers to other changes don't tell whether a new password is required.
  const put = (saved) => { found.put({ must_change_password: user.must_change_password, ...saved }); if (own) setMe(saved); };
  const crumb = html`<p class="crumb"><a href="#/users">${texts.crumb}</a></p>`;
  if (!user) {
    return html`${crumb}<${Heading} title=${found.error ? texts.one : common.loading} /><${Problem} text=${found.error} retry=${found.reload} />`;
  }
  const version = user.updated_at;
  return html`${crumb}
    <div class="head"><${Heading} title=${user.username}><${Name} text=${user.username} /><//>
      <a href=${hashOf('audit', { user: id, name: user.username })}>${texts.audit}</a></div>
    <${Problem} text=${found.error} retry=${found.reload} />
    <div class="columns"><div><${Profile} user=${user} put=${put} /><${State} user=${user} put=${put} own=${own} />
        <${PasswordSection} user=${user} put=${put} own=${own} />
        ${own ? html`<${Security} me=${me} />` : html`<${UserFactors} user=${user} />`}</div>
      <div><${Sessions} path=${own ? 'sessions' : `users/${id}/sessions`} own=${own} version=${version} />
        <${Keys} path="users/${id}/api_keys" version=${version} />
        ${!own && html`<${DeletionRequest} user=${user} onDeleted=${() => go('#/users')} /><${Deletion} user=${user} />`}</div></div>`;
}
