// One's own account: profile, password, sessions, API keys.

import { html, Field, Form, Heading, say, useState } from './ui.js';
import { useWork } from './work.js';
import { call } from './api.js';
import { Profile } from './profile.js';
import { Keys, Sessions } from './lists.js';

function Password({ me, setMe }) {
  const [fault, setFault] = useState(null);
  const work = useWork(async ({ current_password, password, again }) => {
    const wrong = password === again ? null : 'The two passwords are not the same.';
    setFault(wrong);
    if (wrong) return undefined;
    return call('PATCH', `users/${me.id}/reset-password`, { json: { current_password, password } }).catch((error) => {
      // The original's words for these two name no field.
      if (error.message === 'Current password is incorrect') error.fields = { current_password: error.message };
      if (error.message === 'You can\'t use your current password') error.fields = { password: error.message };
      throw error;
    });
  });
  const done = (user, form) => {
    form.reset();
    setMe(user);
    say('Your password is changed; your other sessions were ended.');
  };
  return html`<section class="card" aria-labelledby="password"><h2 id="password">Password</h2>
    <${Form} work=${work} submit="Change the password" label="Password" onDone=${done}>
      <input type="text" name="username" autocomplete="username" value=${me.username} hidden readonly />
      <${Field} label="Current password" name="current_password" type="password" autocomplete="current-password"
        error=${work.fields.current_password} />
      <${Field} label="New password" name="password" type="password" autocomplete="new-password"
        hint="Your other sessions are ended." error=${work.fields.password} />
      <${Field} label="The same again" name="again" type="password" autocomplete="new-password" error=${fault} />
    <//></section>`;
}

export function Account({ me, setMe }) {
  return html`<${Heading} title="My account" />
    <div class="columns"><div><${Profile} user=${me} put=${setMe} /><${Password} me=${me} setMe=${setMe} /></div>
      <div><${Sessions} path="sessions" own version=${me.updated_at} /><${Keys} path="api_key/" own /></div></div>`;
}
