// The pages for people who are not signed in: sign-in, sign-up, first-run setup, and a new password by a reset link.

import { html, Brand, Field, Form, Heading, Problem, short, useState } from './ui.js';
import { useAction } from './async.js';
import { hashOf, go, signupMode, useRoute } from './routing.js';
import { requestAnonymously, signIn } from './api.js';
import { common, reset, setup, signIn as texts, signUp } from './texts.js';

/** The address `#/sign-up`, so that people can link to it. */
const SIGN_UP = 'sign-up';

export function CardPage({ title, children }) {
  return html`<main class="card-page">
    <${Brand} />
    <section class="card"><${Heading} title=${title} />${children}</section>
  </main>`;
}

function UserName({ error, describedby }) {
  return html`<${Field} label=${common.userName} name="username" autocomplete="username" autofocus autocapitalize="none"
    spellcheck=${false} describedby=${describedby} error=${error} />`;
}

function SignIn({ notice, onSignedIn }) {
  const action = useAction(async ({ username, password }) => {
    await signIn(username, password);
    return true;
  });
  return html`<${CardPage} title=${texts.title}>
    ${notice && html`<p class="note" role="status" id="notice">${notice}</p>`}
    <${Form} action=${action} submit=${texts.title} label=${texts.title} onDone=${onSignedIn}>
      <${UserName} describedby=${notice && 'notice'} error=${action.fields.username} />
      <${Field} label=${common.password} name="password" type="password" autocomplete="current-password"
        error=${action.fields.password} />
    <//>
    ${signupMode !== 'closed' && html`<p>${texts.noAccount} <a href=${hashOf(SIGN_UP)}>${texts.signUp}</a></p>`}
    <p class="muted small">${texts.forgot}</p>
  <//>`;
}

/** As `useAction`, but refuses values whose two passwords differ. */
function usePasswordAction(submit) {
  const [mismatch, setMismatch] = useState(null);
  const action = useAction(async (values) => {
    const wrong = values.password === values.repeat ? null : common.passwordsDiffer;
    setMismatch(wrong);
    return wrong ? undefined : submit(values);
  });
  return { ...action, mismatch };
}

function NewPassword({ action, focus }) {
  return html`
    <${Field} label=${common.newPassword} name="password" type="password" autocomplete="new-password"
      autofocus=${focus} hint=${common.passwordHint} error=${action.fields.password} />
    <${Field} label=${common.repeatPassword} name="repeat" type="password" autocomplete="new-password" error=${action.mismatch} />`;
}

/** Creates an account; with `signup = "approval"` a superuser must approve it. */
function SignUp({ onWaiting, onSignedIn }) {
  const action = usePasswordAction(async ({ username, password }) => {
    const user = await requestAnonymously('POST', 'users/', { json: { username, password } });
    if (user.is_active) await signIn(username, password);
    return user;
  });
  const done = (user) => (user.is_active ? onSignedIn() : onWaiting(user));
  return html`<${CardPage} title=${signUp.title}>
    ${signupMode === 'approval' && html`<p>${signUp.approval}</p>`}
    <${Form} action=${action} submit=${signUp.submit} label=${signUp.title} onDone=${done}>
      <${UserName} error=${action.fields.username} />
      <${NewPassword} action=${action} />
    <//>
    <p>${signUp.haveAccount} <a href="#/">${texts.title}</a></p>
  <//>`;
}

/** The page for people who are not signed in: sign-in or sign-up, as the address says. */
export function SignedOut({ notice, onSignedIn }) {
  const at = useRoute();
  const [waiting, setWaiting] = useState(null);
  if (at.page === SIGN_UP && signupMode !== 'closed') {
    const wait = (user) => {
      setWaiting(signUp.waiting(short(user.username)));
      go('#/', true);
    };
    return html`<${SignUp} key="up" onWaiting=${wait} onSignedIn=${() => { go('#/', true); onSignedIn(); }} />`;
  }
  return html`<${SignIn} key="in" notice=${waiting ?? notice} onSignedIn=${onSignedIn} />`;
}

export function Setup({ token, onDone }) {
  const action = usePasswordAction(async ({ username, password }) => {
    await requestAnonymously('POST', 'setup', { json: { token, username, password } });
    await signIn(username, password);
    return true;
  });
  return html`<${CardPage} title=${setup.title}>
    <p>${setup.intro}</p>
    <${Problem} text=${token ? null : setup.noToken} />
    <${Form} action=${action} submit=${setup.submit} label=${setup.form} disabled=${!token} onDone=${onDone}>
      <${UserName} error=${action.fields.username} />
      <${NewPassword} action=${action} />
    <//>
  <//>`;
}

export function Reset({ token, onDone }) {
  const action = usePasswordAction(async ({ password }) => {
    await requestAnonymously('POST', 'reset-password', { json: { token, password } });
    return true;
  });
  return html`<${CardPage} title=${reset.title}>
    <p>${reset.intro}</p>
    <${Problem} text=${token ? null : reset.noToken} />
    <${Form} action=${action} submit=${reset.submit} label=${reset.form} disabled=${!token} onDone=${onDone}>
      <${NewPassword} action=${action} focus />
    <//>
  <//>`;
}
