// One account, as a superuser sees it: profile, state, reset link, sessions, keys, deletion.

import { html, Avatar, Copy, Dialog, Field, Form, Heading, Problem, When, say, useLoad, useRef, useState, useWork } from './ui.js';
import { call } from './api.js';
import { Badges, stateOf } from './users.js';
import { Keys, Sessions } from './lists.js';

const MAX_PICTURE = 4096;

/** A picture file as a small square, written out in full; smaller and coarser until it fits. */
async function shrink(file) {
  const source = await createImageBitmap(file);
  const side = Math.min(source.width, source.height);
  for (const size of [128, 96, 64, 48, 32]) {
    const canvas = Object.assign(document.createElement('canvas'), { width: size, height: size });
    canvas.getContext('2d').drawImage(source, (source.width - side) / 2, (source.height - side) / 2, side, side, 0, 0, size, size);
    for (const quality of [0.85, 0.6, 0.4]) {
      const text = canvas.toDataURL('image/webp', quality);
      if (text.length <= MAX_PICTURE) return text;
    }
  }
  throw new Error('too large');
}

/** What somebody else changed meanwhile, in words. */
function changes(before, now) {
  const [, state] = stateOf(now);
  return [
    before.username !== now.username && `the name is now “${now.username}”`,
    before.profile_image !== now.profile_image && 'the picture is another one',
    before.is_active !== now.is_active && `the account is now ${state.toLowerCase()}`,
    before.is_superuser !== now.is_superuser && (now.is_superuser ? 'it is now a superuser' : 'it is no superuser any more'),
  ].filter(Boolean).join(', ') || 'the password or another detail was set';
}

/**
 * Changes an account unless somebody else changed it after it was shown; then `conflict` holds what it is now, and
 * `again` does what was asked all the same.
 */
export function useSave(user, put) {
  const [conflict, setConflict] = useState(null);
  const work = useWork(async (patch, regardless) => {
    const now = await call('GET', `users/${user.id}`);
    if (now.updated_at !== user.updated_at && !regardless) {
      setConflict({ now, patch });
      return undefined;
    }
    const saved = await call('PATCH', `users/${user.id}`, { json: patch });
    setConflict(null);
    put(saved);
    say('Saved.');
    return saved;
  });
  return {
    ...work,
    conflict,
    again: () => work.run(conflict.patch, true),
    yield: () => { put(conflict.now); setConflict(null); work.clear(); },
  };
}

export function Conflict({ save, user }) {
  return save.conflict && html`<${Problem}><p><strong>Somebody else changed this account meanwhile:</strong>
      ${' '}${changes(user, save.conflict.now)}. Your change is not saved.</p>
    <div class="actions"><button onClick=${save.again}>Save mine all the same</button>
      <button class="primary" onClick=${save.yield}>Show theirs</button></div><//>`;
}

export function Profile({ user, put }) {
  const save = useSave(user, put);
  const work = { ...save, run: ({ username }) => save.run({ username }) };
  const file = useRef();
  const [fault, setFault] = useState(null);
  const choose = async (event) => {
    const chosen = event.target.files[0];
    if (!chosen) return;
    setFault(null);
    const picture = await shrink(chosen).catch(() => null);
    event.target.value = '';
    if (picture) save.run({ profile_image: picture });
    else setFault('This file is no picture that a browser can read.');
  };
  return html`<section class="card" aria-labelledby="profile"><h2 id="profile">Profile</h2>
    <div class="picture"><${Avatar} user=${user} large />
      <input ref=${file} type="file" accept="image/*" class="unseen" tabindex="-1" aria-label="Picture file" onChange=${choose} />
      <div class="actions"><button onClick=${() => file.current.click()}>Choose a picture</button>
        ${user.profile_image && html`<button onClick=${() => save.run({ profile_image: '' })}>Remove it</button>`}</div></div>
    <${Problem} text=${fault} />
    <${Conflict} save=${save} user=${user} />
    <${Form} work=${work} submit="Save" label="Profile">
      <${Field} key=${user.updated_at} label="Name" name="username" defaultValue=${user.username} autocomplete="off" autocapitalize="none"
        spellcheck=${false} error=${save.fields.username} />
    <//></section>`;
}

/** Whether the account may sign in, and whether it administers. */
function State({ user, put, own }) {
  const save = useSave(user, put);
  const waiting = stateOf(user)[0] === 'waiting';
  return html`<section class="card" aria-labelledby="state"><h2 id="state">State</h2>
    <dl><dt>State</dt><dd><${Badges} user=${user} /></dd>
      <dt>Created</dt><dd><${When} at=${user.create_at} time /></dd>
      <dt>Last log-in</dt><dd><${When} at=${user.last_login_at} never="never" time /></dd>
      <dt>Last change</dt><dd><${When} at=${user.updated_at} time /></dd></dl>
    <${Problem} text=${save.error} />
    <${Conflict} save=${save} user=${user} />
    <div class="actions start">
      ${!user.is_active && html`<button class="primary" onClick=${() => save.run({ is_active: true })}>${waiting ? 'Approve' : 'Activate'}</button>`}
      ${user.is_active && !own && html`<button onClick=${() => save.run({ is_active: false })}>Deactivate</button>`}
      ${user.is_superuser
        ? html`<button onClick=${() => save.run({ is_superuser: false })}>Take superuser rights away</button>`
        : html`<button onClick=${() => save.run({ is_superuser: true })}>Make a superuser</button>`}
    </div></section>`;
}

/** The server may know itself by an address that means something on its own machine alone; then this page's is better. */
function usable(link) {
  const made = new URL(link);
  const local = /^(localhost|127\..*|0\.0\.0\.0|\[::1?\])$/.test(made.hostname);
  return local ? new URL(`reset${made.hash}`, document.baseURI).href : link;
}

function ResetLink({ user }) {
  const [link, setLink] = useState(null);
  const work = useWork(async () => {
    setLink(await call('POST', `users/${user.id}/reset-link`));
  });
  return html`<section class="card" aria-labelledby="password"><h2 id="password">Password</h2>
    <p class="quiet">A reset link lets ${user.username} set a new password, once and within 24 hours. A new link voids the one before.</p>
    <${Problem} text=${work.error} />
    <div class="actions start"><button onClick=${() => work.run()}>Make a reset link</button></div>
    ${link && html`<${Dialog} title="Reset link for ${user.username}" onClose=${() => setLink(null)}>
      <p>Give it to them and to nobody else. It is valid until <${When} at=${link.expires_at} time /> and shown this once.</p>
      <${Copy} text=${usable(link.link)} label="Reset link" />
      <div class="actions"><button class="primary" onClick=${() => setLink(null)}>Done</button></div>
    <//>`}</section>`;
}

function Deletion({ user }) {
  const [asking, setAsking] = useState(false);
  const [typed, setTyped] = useState('');
  const work = useWork(async () => {
    await call('DELETE', `users/${user.id}`);
    say(`${user.username} was deleted.`);
    location.hash = '#/users';
    return true;
  });
  const close = () => { setAsking(false); setTyped(''); work.clear(); };
  return html`<section class="card" aria-labelledby="deletion"><h2 id="deletion">Delete</h2>
    <p class="quiet">The account, its sessions and its keys are gone for good. What it did stays in the audit log.</p>
    <div class="actions start"><button class="danger" onClick=${() => setAsking(true)}>Delete this user</button></div>
    ${asking && html`<${Dialog} title="Delete ${user.username}?" onClose=${close}>
      <${Form} work=${work} submit="Delete for good" danger label="Delete user" disabled=${typed !== user.username} onCancel=${close}>
        <${Field} label="Type the name “${user.username}” to go on" autofocus autocomplete="off" autocapitalize="none" spellcheck=${false}
          onInput=${(event) => setTyped(event.target.value)} />
      <//><//>`}</section>`;
}

export function UserPage({ id, me, setMe }) {
  const found = useLoad((signal) => call('GET', `users/${id}`, { signal }), id);
  const user = found.value;
  const own = id === me.id;
  const put = (saved) => { found.put(saved); if (own) setMe(saved); };
  if (!user) {
    return html`<${Heading} title=${found.error ? 'User' : 'Loading…'} /><${Problem} text=${found.error} /><p><a href="#/users">All users</a></p>`;
  }
  return html`<p class="crumb"><a href="#/users">Users</a></p>
    <div class="head"><${Heading} title=${user.username} /><a href="#/audit?user=${id}&name=${encodeURIComponent(user.username)}">Audit log</a></div>
    <div class="columns"><div><${Profile} user=${user} put=${put} /><${State} user=${user} put=${put} own=${own} />
        <${ResetLink} user=${user} /></div>
      <div><${Sessions} path="users/${id}/sessions" own=${own} /><${Keys} path="users/${id}/api_keys" />
        ${!own && html`<${Deletion} user=${user} />`}</div></div>`;
}
