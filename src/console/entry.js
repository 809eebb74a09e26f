// The pages for people who are not signed in: sign in, sign up, first-run setup, a new password by a one-time link.

import { html, Brand, Field, Form, Heading, short, useState } from './ui.js';
import { useWork } from './work.js';
import { hashOf, go, signUp, useRoute } from './route.js';
import { open, signIn } from './api.js';

/** The page of that name, `#/sign-up`: a link to it can be given to people. */
const SIGN_UP = 'sign-up';

export function Entry({ title, children }) {
  return html`<main class="entry">
    <${Brand} />
    <section class="card"><${Heading} title=${title} />${children}</section>
  </main>`;
}

function SignIn({ notice, onSignedIn }) {
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
    ${signUp !== 'closed' && html`<p>New here? <a href=${hashOf(SIGN_UP)}>Create an account</a></p>`}
    <p class="quiet small">Forgot the password? Ask whoever runs this server for a reset link.</p>
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

/** Makes an account as anybody may; unless that is enough to come in, somebody must approve it. */
function SignUp({ onWaiting, onSignedIn }) {
  const [fault, setFault] = useState(null);
  const work = useWork(async (values) => {
    const wrong = sameTwice(values);
    setFault(wrong);
    if (wrong) return undefined;
    const { username, password } = values;
    const user = await open('POST', 'users/', { json: { username, password } });
    if (user.is_active) await signIn(username, password);
    return user;
  });
  const done = (user) => (user.is_active ? onSignedIn() : onWaiting(user));
  return html`<${Entry} title="Create an account">
    ${signUp === 'approval' && html`<p>Whoever runs this server approves it before you can sign in.</p>`}
    <${Form} work=${work} submit="Create the account" label="Create an account" onDone=${done}>
      <${Field} label="Name" name="username" autocomplete="username" autofocus autocapitalize="none" spellcheck=${false}
        error=${work.fields.username} />
      <${NewPassword} work=${work} fault=${fault} />
    <//>
    <p>Have one already? <a href="#/">Sign in</a></p>
  <//>`;
}

/** What is shown to somebody who is not signed in: the address says whether they want to sign in or sign up. */
export function Outside({ notice, onSignedIn }) {
  const at = useRoute();
  const [waiting, setWaiting] = useState(null);
  if (at.page === SIGN_UP && signUp !== 'closed') {
    const wait = (user) => {
      setWaiting(`${short(user.username)} waits for approval. You can sign in as soon as somebody who runs this server has approved it.`);
      go('#/', true);
    };
    return html`<${SignUp} key="up" onWaiting=${wait} onSignedIn=${() => { go('#/', true); onSignedIn(); }} />`;
  }
  return html`<${SignIn} key="in" notice=${waiting ?? notice} onSignedIn=${onSignedIn} />`;
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
