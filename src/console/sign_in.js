// The pages for people who are not signed in: sign-in, sign-up, first-run setup, and a new password by a reset link.

import { html, CardPage, Field, Form, Problem, Time, short, useEffect, useState } from './ui.js';
import { useAction } from './async.js';
import { base, hashOf, go, needsSetup, passwordMin, setupFile, signupMode, useRoute } from './routing.js';
import { requestAnonymously, signIn } from './api.js';
import { PasskeySignIn } from './passkeys.js';
import { SecondStep } from './second_step.js';
import { common, invitation, keys as keyTexts, needsSetup as needsTexts, reset, setup, signIn as texts, signUp } from './texts.js';

/** The address to return to after sign-in. The server checks whether it belongs to a site. */
export const returnTo = new URLSearchParams(location.search).get('return_to');

/** The address `#/sign-up`, so that people can link to it. */
const SIGN_UP = 'sign-up';

function UserName({ autocomplete = 'username', ...rest }) {
  return html`<${Field} label=${common.userName} name="username" autocomplete=${autocomplete} autofocus autocapitalize="none"
    spellcheck=${false} ...${rest} />`;
}

/** The second step where the server asks for one; `catchChallenge` is for the error that does. */
function useSecondStep(onSignedIn) {
  const [challenge, setChallenge] = useState(null);
  const [ended, setEnded] = useState(null);
  const catchChallenge = (error) => {
    if (!error.challenge) throw error;
    setChallenge(error.challenge);
  };
  const back = (why) => { setEnded(why); setChallenge(null); };
  const step = challenge && html`<${SecondStep} challenge=${challenge} onSignedIn=${onSignedIn} onBack=${back} />`;
  return { step, ended, catchChallenge };
}

function SignIn({ notice, onSignedIn }) {
  const { step, ended, catchChallenge } = useSecondStep(onSignedIn);
  const [name, setName] = useState('');
  const action = useAction(({ username, password }) => {
    setName(username);
    return signIn(username, password).then(() => true, catchChallenge);
  });
  if (step) return step;
  const told = ended ?? notice;
  const site = returnTo && URL.canParse(returnTo) ? new URL(returnTo).host : null;
  return html`<${CardPage} title=${texts.title}>
    ${site && html`<p>${texts.toSite(html`<b>${site}</b>`)}</p>`}
    ${told && html`<p class="note" role="status" id="notice">${told}</p>`}
    <${PasskeySignIn} onSignedIn=${onSignedIn} />
    <${Form} action=${action} submit=${texts.title} label=${texts.title} onDone=${onSignedIn}>
      <${UserName} autocomplete="username webauthn" defaultValue=${name} describedby=${told && 'notice'} error=${action.fields.username} />
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
      autofocus=${focus} hint=${common.passwordRules(passwordMin)} error=${action.fields.password} />
    <${Field} label=${common.repeatPassword} name="repeat" type="password" autocomplete="new-password" error=${action.mismatch} />`;
}

/** Creates an account; with `signup = "approval"` a superuser must approve it. */
function SignUp({ onWaiting, onSignedIn }) {
  const action = usePasswordAction(async ({ username, password }) => {
    const user = await requestAnonymously('POST', 'users/', { json: { username, password }, credentials: 'omit' });
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

/** Checks the token of a link when the page loads; `result` is `null` until then. */
function useLinkCheck(path, token, missing) {
  const [check, setCheck] = useState({ result: null, error: token ? null : { message: missing } });
  const run = () => requestAnonymously('POST', path, { json: { token } })
    .then((result) => setCheck({ result, error: null }), (error) => setCheck({ result: null, error }));
  useEffect(() => { if (token) run(); }, []);
  return { ...check, retry: check.error?.status === 403 || !token ? undefined : run };
}

/** Why a link doesn't work, with the way to sign-in, also if the link was used elsewhere while its form was open. */
function LinkProblem({ check, action }) {
  return html`<${Problem} text=${check.error?.message} retry=${check.retry} />
    ${(check.error || action.status === 403) && html`<p><a href=${base}>${reset.signIn}</a></p>`}`;
}

/** Shown instead of sign-in while there is no superuser. */
export function NeedsSetup() {
  return html`<${CardPage} title=${needsTexts.title}>
    <p>${needsTexts.intro}</p>
    <p>${setupFile ? needsTexts.file(html`<code>${setupFile}</code>`) : needsTexts.log}</p>
  <//>`;
}

export function Setup({ token, onDone, onComplete }) {
  const check = useLinkCheck('setup/check', token, setup.noToken);
  useEffect(() => { if (!needsSetup) onComplete(); }, []);
  const action = usePasswordAction(async ({ username, password }) => {
    await requestAnonymously('POST', 'setup', { json: { token, username, password } });
    await signIn(username, password);
    return true;
  });
  return html`<${CardPage} title=${setup.title}>
    <p>${setup.intro}</p>
    <${LinkProblem} check=${check} action=${action} />
    ${check.result && html`<${Form} action=${action} submit=${setup.submit} label=${setup.form} onDone=${onDone}>
      <${UserName} error=${action.fields.username} />
      <${NewPassword} action=${action} />
    <//>`}
  <//>`;
}

/** Signs in with a new password; returns the notice for the sign-in page if that doesn't work. */
async function signInOrExplain(username, password, done) {
  const refusal = await signIn(username, password).then(() => null, (error) => error);
  return { notice: refusal && `${done} ${refusal.message}` };
}

/** Creates an active account with an invitation. */
export function Invitation({ token, onDone }) {
  const check = useLinkCheck('invitations/check', token, invitation.noToken);
  const action = usePasswordAction(async ({ username, password }) => {
    await requestAnonymously('POST', 'invitations/accept', { json: { token, username, password }, credentials: 'omit' });
    return signInOrExplain(username, password, invitation.done(short(username)));
  });
  const found = check.result;
  return html`<${CardPage} title=${invitation.title}>
    ${found && html`<p>${invitation.intro(html`<${Time} at=${found.expires_at} absolute />`)}</p>`}
    <${LinkProblem} check=${check} action=${action} />
    ${found && html`<${Form} action=${action} submit=${invitation.submit} label=${invitation.form} onDone=${({ notice }) => onDone(notice)}>
      ${found.username ? html`<${Field} label=${common.userName} name="username" value=${found.username} readonly autocomplete="username"
        error=${action.fields.username} />` : html`<${UserName} error=${action.fields.username} />`}
      <${NewPassword} action=${action} focus=${Boolean(found.username)} />
    <//>`}
  <//>`;
}

export function Reset({ token, onDone }) {
  const check = useLinkCheck('reset-password/check', token, reset.noToken);
  const { step, ended, catchChallenge } = useSecondStep(() => onDone(null));
  const action = usePasswordAction(async ({ username, password, revoke }) => {
    const json = { token, password, revoke_api_keys: Boolean(revoke) };
    const done = await requestAnonymously('POST', 'reset-password', { json }).catch(catchChallenge);
    // An account that waits for approval, or is inactive, can't sign in yet.
    return done && signInOrExplain(username, password, reset.done);
  });
  const name = check.result?.username;
  if (step) return step;
  return html`<${CardPage} title=${reset.title}>
    <p>${reset.intro}</p>
    ${ended && html`<p class="note" role="status">${reset.ended}</p>`}
    <${LinkProblem} check=${check} action=${action} />
    ${name && html`<${Form} action=${action} submit=${reset.submit} label=${reset.form} onDone=${({ notice }) => onDone(notice)}>
      <${Field} label=${reset.account} name="username" value=${name} readonly autocomplete="username" />
      <${NewPassword} action=${action} focus />
      <label class="check"><input type="checkbox" name="revoke" /> ${keyTexts.revoke}</label>
    <//>`}
  <//>`;
}
