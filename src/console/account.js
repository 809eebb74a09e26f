// The user's own account: profile, password, sessions, API keys.

import { html, Field, Form, Heading, announce, useState } from './ui.js';
import { useAction } from './async.js';
import { request } from './api.js';
import { passwordMin } from './routing.js';
import { Profile } from './profile.js';
import { RecentActivity } from './activity.js';
import { Keys, Sessions } from './credentials.js';
import { OwnData } from './own_data.js';
import { Security } from './security.js';
import { common, password as texts, passwordRequired, shell } from './texts.js';

/** The form for the signed-in user's own password; `onDone` gets the changed user. */
function Password({ me, onDone }) {
  const [mismatch, setMismatch] = useState(null);
  const action = useAction(async ({ current_password, password, repeat }) => {
    const wrong = password === repeat ? null : common.passwordsDiffer;
    setMismatch(wrong);
    if (wrong) return undefined;
    return request('PATCH', `users/${me.id}/reset-password`, { json: { current_password, password } });
  });
  const done = (user, form) => {
    form.reset();
    onDone(user);
    announce(texts.changed);
  };
  return html`<section class="card" aria-labelledby="password"><h2 id="password">${texts.section}</h2>
    <${Form} action=${action} submit=${texts.submit} label=${texts.section} guard onDone=${done}>
      <input type="text" name="username" autocomplete="username" value=${me.username} hidden readonly />
      <${Field} label=${texts.current} name="current_password" type="password" autocomplete="current-password"
        error=${action.fields.current_password} />
      <${Field} label=${common.newPassword} name="password" type="password" autocomplete="new-password"
        hint=${texts.hint(passwordMin)} error=${action.fields.password} />
      <${Field} label=${common.repeatPassword} name="repeat" type="password" autocomplete="new-password" error=${mismatch} />
    <//></section>`;
}

/** The page of a user who must choose a new password before anything else. */
export function PasswordRequired({ me, onDone }) {
  return html`<${Heading} title=${passwordRequired.title} /><p>${passwordRequired.why}</p><${Password} me=${me} onDone=${onDone} />`;
}

export function Account({ me, setMe }) {
  return html`<${Heading} title=${shell.account} />
    <div class="columns"><div><${Profile} user=${me} put=${setMe} /><${Password} me=${me} onDone=${setMe} /><${Security} me=${me} /></div>
      <div><${Sessions} path="sessions" own version=${me.updated_at} /><${Keys} path="api_key/" own /><${RecentActivity} user=${me} /><${OwnData} me=${me} /></div></div>`;
}
