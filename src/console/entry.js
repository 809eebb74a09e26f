// The pages for people who are not signed in: sign in, first-run setup, a new password by a one-time link.

import { html, Brand, Field, Form, Heading, useState } from './ui.js';
import { useWork } from './work.js';
import { open, signIn } from './api.js';

export function Entry({ title, children }) {
  return html`<main class="entry">
    <${Brand} />
    <section class="card"><${Heading} title=${title} />${children}</section>
  </main>`;
}

export function SignIn({ notice, onSignedIn }) {
  const work = useWork(async ({ username, password }) => {
    await signIn(username, password);
    return true;
  });
  return html`<${Entry} title="Sign in">
    ${notice && html`<p class="note" role="status" id="notice">${notice}</p>`}
    <${Form} work=${work} submit="Sign in" label="Sign in" onDone=${onSignedIn}>
      <${Field} label="Name" name="username" autocomplete="username" autofocus autocapitalize="none" spellcheck=${false}
        describedby=${notice && 'notice'} error=${work.fields.username} />
      <${Field} label="Password" name="password" type="password" autocomplete="current-password"
        error=${work.fields.password} />
    <//>
    <p class="quiet small">Forgot it? Ask whoever runs this server for a reset link.</p>
  <//>`;
}

/** Both passwords that are typed must be one. */
function sameTwice({ password, again }) {
  return password === again ? null : 'The two passwords are not the same.';
}

function NewPassword({ work, fault, focus }) {
  return html`
    <${Field} label="New password" name="password" type="password" autocomplete="new-password"
      autofocus=${focus} hint="A few words that nobody would guess; common passwords are refused." error=${work.fields.password} />
    <${Field} label="The same again" name="again" type="password" autocomplete="new-password" error=${fault} />`;
}

export function Setup({ token, onDone }) {
  const [fault, setFault] = useState(null);
  const work = useWork(async (values) => {
    const wrong = sameTwice(values);
    setFault(wrong);
    if (wrong) return undefined;
    const { username, password } = values;
    await open('POST', 'setup', { json: { token, username, password } });
    await signIn(username, password);
    return true;
  });
  return html`<${Entry} title="Welcome">
    <p>This server has no administrator yet. Make your account; it will be able to manage all others.</p>
    ${token ? null : html`<p class="problem" role="alert">This address has no setup token. Open the link that the server
      showed when it started.</p>`}
    <${Form} work=${work} submit="Make the account" label="First administrator" disabled=${!token} onDone=${onDone}>
      <${Field} label="Name" name="username" autocomplete="username" autofocus autocapitalize="none" spellcheck=${false}
        error=${work.fields.username} />
      <${NewPassword} work=${work} fault=${fault} />
    <//>
  <//>`;
}

export function Reset({ token, onDone }) {
  const [fault, setFault] = useState(null);
  const work = useWork(async (values) => {
    const wrong = sameTwice(values);
    setFault(wrong);
    if (wrong) return undefined;
    await open('POST', 'reset-password', { json: { token, password: values.password } });
    return true;
  });
  return html`<${Entry} title="Set a new password">
    <p>This link works once. Afterwards you are signed out everywhere and can sign in with the new password.</p>
    ${token ? null : html`<p class="problem" role="alert">This address has no reset token. Open the whole link that you
      were given.</p>`}
    <${Form} work=${work} submit="Set the password" label="New password" disabled=${!token} onDone=${onDone}>
      <${NewPassword} work=${work} fault=${fault} focus />
    <//>
  <//>`;
}
