// One account, as a superuser sees it: profile, state, reset link, sessions, keys, deletion.

import { html, Confirm, Copy, Dialog, Field, Form, Heading, Name, Problem, When, say, short, useState } from './ui.js';
import { useLoad, useWork } from './work.js';
import { base, go, hashOf } from './route.js';
import { call } from './api.js';
import { Badges, stateOf } from './people.js';
import { Conflict, Profile, useSave } from './profile.js';
import { Keys, Sessions } from './lists.js';

/** Whether the account may sign in, and whether it administers. */
function State({ user, put, own }) {
  const save = useSave(user, put);
  const [asking, setAsking] = useState(false);
  const name = short(user.username);
  const { is_active: active, is_superuser: superuser } = user;
  const admit = () => save.run({ is_active: !active },
    active ? `${name} is signed out everywhere and can’t sign in.` : `${name} can sign in now.`);
  const rights = { ...save, run: async () => {
    const done = superuser ? `${name} is no superuser any more.` : `${name} is a superuser now.`;
    await save.run({ is_superuser: !superuser }, done);
    setAsking(false);
  } };
  const close = () => { save.clear(); setAsking(false); };
  return html`<section class="card" aria-labelledby="state"><h2 id="state">State</h2>
    <dl><dt>State</dt><dd><${Badges} user=${user} /></dd>
      <dt>Created</dt><dd><${When} at=${user.create_at} time /></dd>
      <dt>Last log-in</dt><dd><${When} at=${user.last_login_at} never="never" time /></dd>
      <dt>Last change</dt><dd><${When} at=${user.updated_at} time /></dd></dl>
    <${Problem} text=${save.error} />
    <${Conflict} save=${save} user=${user} />
    <div class="actions start">
      ${!(own && active) && html`<button class=${active ? '' : 'primary'} onClick=${admit}>${active ? 'Deactivate'
        : stateOf(user)[0] === 'waiting' ? 'Approve' : 'Activate'}</button>`}
      <button onClick=${() => setAsking(true)}>${superuser ? 'Take superuser rights away' : 'Make a superuser'}</button>
    </div>
    ${asking && html`<${Confirm} work=${rights} onClose=${close} danger=${superuser} title=${superuser ? 'Take superuser rights away?' : 'Make a superuser?'}
      submit=${superuser ? 'Take them away' : 'Make a superuser'}>
      <p>${superuser ? `${own ? 'You' : name} will see and change no other account any more.`
        : `${name} will be able to see, change and delete every account, and to read the audit log.`}</p><//>`}</section>`;
}

/** The server may know itself by an address that means something on its own machine alone; then this page's is better. */
function usable(link) {
  const made = new URL(link);
  const local = /^(localhost|127\..*|0\.0\.0\.0|\[::1?\])$/.test(made.hostname);
  return local ? new URL(`reset${made.hash}`, base).href : link;
}

export function LinkDialog({ user, link, title, onClose }) {
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <p>With this link ${short(user.username)} sets a password, once, until <${When} at=${link.expires_at} time />. Give it to
      nobody else. It is shown this once.</p>
    ${!user.is_active && html`<p class="note">The account can’t sign in until it is approved.</p>`}
    <${Copy} text=${usable(link.link)} label="Reset link" />
    <div class="actions"><button onClick=${onClose}>Done</button></div>
  <//>`;
}

function ResetLink({ user }) {
  const [link, setLink] = useState(null);
  const work = useWork(async () => {
    setLink(await call('POST', `users/${user.id}/reset-link`));
  });
  return html`<section class="card" aria-labelledby="password"><h2 id="password">Password</h2>
    <p class="quiet">A reset link lets ${short(user.username)} set a new password, once and within 24 hours. A new link voids the one before.</p>
    <${Problem} text=${work.error} />
    <div class="actions start"><button onClick=${() => work.run()}>Make a reset link</button></div>
    ${link && html`<${LinkDialog} user=${user} link=${link} title="Reset link for ${short(user.username)}" onClose=${() => setLink(null)} />`}</section>`;
}

function Deletion({ user }) {
  const [asking, setAsking] = useState(false);
  const [typed, setTyped] = useState('');
  const work = useWork(async () => {
    await call('DELETE', `users/${user.id}`);
    say(`${short(user.username)} was deleted.`);
    go('#/users');
    return true;
  });
  const close = () => { setAsking(false); setTyped(''); work.clear(); };
  // Two ways to write one letter look the same.
  const same = typed.trim().normalize() === user.username.normalize();
  return html`<section class="card" aria-labelledby="deletion"><h2 id="deletion">Delete</h2>
    <p class="quiet">The account, its sessions and its keys are gone for good. What it did stays in the audit log.</p>
    <div class="actions start"><button class="danger" onClick=${() => setAsking(true)}>Delete this user</button></div>
    ${asking && html`<${Dialog} title="Delete ${short(user.username)}?" onClose=${close}>
      <${Form} work=${work} submit="Delete for good" danger label="Delete user" disabled=${!same} onCancel=${close}>
        <${Field} label="Type the name “${user.username}” to go on" autofocus autocomplete="off" autocapitalize="none" spellcheck=${false}
          onInput=${(event) => setTyped(event.target.value)} />
      <//><//>`}</section>`;
}

export function UserPage({ id, me, setMe }) {
  const found = useLoad((signal) => call('GET', `users/${encodeURIComponent(id)}`, { signal }), id);
  const user = found.value;
  const own = id === me.id;
  const put = (saved) => { found.put(saved); if (own) setMe(saved); };
  const crumb = html`<p class="crumb"><a href="#/users">Users</a></p>`;
  if (!user) {
    return html`${crumb}<${Heading} title=${found.error ? 'User' : 'Loading…'} /><${Problem} text=${found.error} again=${found.reload} />`;
  }
  const version = user.updated_at;
  return html`${crumb}
    <div class="head"><${Heading} title=${user.username}><${Name} text=${user.username} /><//>
      <a href=${hashOf('audit', { user: id, name: user.username })}>Audit log</a></div>
    <${Problem} text=${found.error} again=${found.reload} />
    <div class="columns"><div><${Profile} user=${user} put=${put} /><${State} user=${user} put=${put} own=${own} />
        <${ResetLink} user=${user} /></div>
      <div><${Sessions} path=${own ? 'sessions' : `users/${id}/sessions`} own=${own} version=${version} />
        <${Keys} path="users/${id}/api_keys" version=${version} />
        ${!own && html`<${Deletion} user=${user} />`}</div></div>`;
}
