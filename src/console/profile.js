// The name and picture of an account, and saving changes when someone else may change the account too.

import { html, Avatar, Field, Form, Problem, announce, useRef, useState } from './ui.js';
import { useFollowing, useAction } from './async.js';
import { request } from './api.js';
import { common, conflict as conflictTexts, profile } from './texts.js';

/** The API's limit for a picture, in characters. */
const MAX_PICTURE = 4096;

/** Returns an image file as a small square data URL; lowers size and quality until it fits. */
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
      // A browser without WebP support writes PNG instead.
      const text = canvas.toDataURL('image/webp', quality);
      if (text.length <= MAX_PICTURE) return text;
    }
  }
  throw new Error('too large');
}

/** Describes what someone else changed. */
function changes(before, now) {
  return [
    before.username !== now.username && conflictTexts.renamed(now.username),
    before.profile_image !== now.profile_image && conflictTexts.picture,
    before.is_active !== now.is_active && (now.is_active ? conflictTexts.activated : conflictTexts.deactivated),
    before.is_superuser !== now.is_superuser && (now.is_superuser ? conflictTexts.promoted : conflictTexts.demoted),
  ].filter(Boolean).join(', ') || conflictTexts.other;
}

/**
 * Saves changes of an account unless someone else changed it since it was shown. `conflict` then holds the current
 * account; `overwrite` saves anyway and `discard` shows the current account.
 */
export function useSave(user, put) {
  const [conflict, setConflict] = useState(null);
  const finish = (saved, done) => {
    setConflict(null);
    put(saved);
    announce(done);
    return saved;
  };
  const action = useAction(async (patch, done = profile.saved, regardless = false) => {
    const headers = regardless ? {} : { 'if-match': `"${user.updated_at}"` };
    try {
      return finish(await request('PATCH', `users/${user.id}`, { json: patch, headers }), done);
    } catch (error) {
      if (error.status !== 412) throw error;
      const now = await request('GET', `users/${user.id}`);
      // Both made the same change.
      if (Object.entries(patch).every(([field, value]) => now[field] === value)) return finish(now, done);
      setConflict({ now, patch, done });
      return undefined;
    }
  });
  return {
    ...action,
    conflict,
    overwrite: () => action.run(conflict.patch, conflict.done, true),
    discard: () => { put(conflict.now); setConflict(null); action.clear(); },
  };
}

export function Conflict({ save, user }) {
  return save.conflict && html`<${Problem}><p><strong>${conflictTexts.title}</strong>
      ${' '}${changes(user, save.conflict.now)}. ${conflictTexts.notSaved}</p>
    <div class="actions"><button onClick=${save.overwrite}>${conflictTexts.overwrite}</button>
      <button class="primary" onClick=${save.discard}>${conflictTexts.discard}</button></div><//>`;
}

export function Profile({ user, put }) {
  const save = useSave(user, put);
  const action = { ...save, run: ({ username }) => save.run({ username }) };
  const name = useFollowing(user.username);
  const file = useRef();
  const [unreadable, setUnreadable] = useState(null);
  const choose = async (event) => {
    const chosen = event.target.files[0];
    if (!chosen) return;
    setUnreadable(null);
    const picture = await shrink(chosen).catch(() => null);
    event.target.value = '';
    if (picture) save.run({ profile_image: picture }, profile.pictureSaved);
    else setUnreadable(profile.unreadable);
  };
  return html`<section class="card" aria-labelledby="profile"><h2 id="profile">${profile.section}</h2>
    <div class="picture"><${Avatar} user=${user} large />
      <input ref=${file} type="file" accept="image/*" class="visually-hidden" tabindex="-1" aria-label=${profile.file} onChange=${choose} />
      <div class="actions"><button onClick=${() => file.current.click()}>${profile.choose}</button>
        ${user.profile_image && html`<button onClick=${() => save.run({ profile_image: '' }, profile.pictureRemoved)}>${profile.remove}</button>`}</div></div>
    <${Problem} text=${unreadable} />
    <${Conflict} save=${save} user=${user} />
    <${Form} action=${action} submit=${common.save} label=${profile.section} guard>
      <${Field} label=${common.userName} name="username" field=${name} defaultValue=${user.username} autocomplete="off" autocapitalize="none"
        spellcheck=${false} error=${save.fields.username} />
    <//></section>`;
}
