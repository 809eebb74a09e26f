// A name and a picture, and saving changes to an account that somebody else may be changing too.

import { html, Avatar, Field, Form, Problem, say, useRef, useState } from './ui.js';
import { useFollowing, useWork } from './work.js';
import { call } from './api.js';

const MAX_PICTURE = 4096;

/** A picture file as a small square, written out in full; smaller and coarser until it fits. */
async function shrink(file) {
  const source = new Image();
  source.src = await new Promise((done, failed) => {
    const reader = Object.assign(new FileReader(), { onload: () => done(reader.result), onerror: failed });
    reader.readAsDataURL(file);
  });
  await source.decode();
  const { naturalWidth: width, naturalHeight: height } = source;
  const side = Math.min(width, height);
  for (const size of [128, 96, 64, 48, 32]) {
    const canvas = Object.assign(document.createElement('canvas'), { width: size, height: size });
    canvas.getContext('2d').drawImage(source, (width - side) / 2, (height - side) / 2, side, side, 0, 0, size, size);
    for (const quality of [0.85, 0.6, 0.4]) {
      // A browser that writes no WebP writes PNG instead.
      const text = canvas.toDataURL('image/webp', quality);
      if (text.length <= MAX_PICTURE) return text;
    }
  }
  throw new Error('too large');
}

/** What somebody else changed meanwhile, in words. */
function changes(before, now) {
  return [
    before.username !== now.username && `the name is now “${now.username}”`,
    before.profile_image !== now.profile_image && 'the picture is another one',
    before.is_active !== now.is_active && (now.is_active ? 'it can now sign in' : 'it can no longer sign in'),
    before.is_superuser !== now.is_superuser && (now.is_superuser ? 'it is now a superuser' : 'it is no superuser any more'),
  ].filter(Boolean).join(', ') || 'the password or another detail was set';
}

/**
 * Changes an account unless somebody else changed it after it was shown; then `conflict` holds what it is now, and
 * `again` does what was asked all the same.
 */
export function useSave(user, put) {
  const [conflict, setConflict] = useState(null);
  const finish = (saved, done) => {
    setConflict(null);
    put(saved);
    say(done);
    return saved;
  };
  const work = useWork(async (patch, done = 'Saved.', regardless = false) => {
    const headers = regardless ? {} : { 'if-match': `"${user.updated_at}"` };
    try {
      return finish(await call('PATCH', `users/${user.id}`, { json: patch, headers }), done);
    } catch (error) {
      if (error.status !== 412) throw error;
      const now = await call('GET', `users/${user.id}`);
      // Both wanted the same.
      if (Object.entries(patch).every(([field, value]) => now[field] === value)) return finish(now, done);
      setConflict({ now, patch, done });
      return undefined;
    }
  });
  return {
    ...work,
    conflict,
    again: () => work.run(conflict.patch, conflict.done, true),
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
  const name = useFollowing(user.username);
  const file = useRef();
  const [fault, setFault] = useState(null);
  const choose = async (event) => {
    const chosen = event.target.files[0];
    if (!chosen) return;
    setFault(null);
    const picture = await shrink(chosen).catch(() => null);
    event.target.value = '';
    if (picture) save.run({ profile_image: picture }, 'The picture is set.');
    else setFault('This file is no picture that a browser can read.');
  };
  return html`<section class="card" aria-labelledby="profile"><h2 id="profile">Profile</h2>
    <div class="picture"><${Avatar} user=${user} large />
      <input ref=${file} type="file" accept="image/*" class="unseen" tabindex="-1" aria-label="Picture file" onChange=${choose} />
      <div class="actions"><button onClick=${() => file.current.click()}>Choose a picture</button>
        ${user.profile_image && html`<button onClick=${() => save.run({ profile_image: '' }, 'The picture is gone.')}>Remove it</button>`}</div></div>
    <${Problem} text=${fault} />
    <${Conflict} save=${save} user=${user} />
    <${Form} work=${work} submit="Save" label="Profile">
      <${Field} label="Name" name="username" field=${name} defaultValue=${user.username} autocomplete="off" autocapitalize="none"
        spellcheck=${false} error=${save.fields.username} />
    <//></section>`;
}
