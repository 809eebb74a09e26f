// Signing in again, which the server asks for before sensitive actions.

import { html, Dialog, Field, Form, useEffect, useState } from './ui.js';
import { useAction, useLoad } from './async.js';
import { onSignInAgain, request, signInAgain } from './api.js';
import { askToSignIn, whyNoPasskeys } from './passkeys.js';
import { CodeField } from './second_step.js';
import { again as texts, passkeys, password } from './texts.js';

/** Signs in again with a passkey. */
export async function signInAgainWithPasskey() {
  await signInAgain(await askToSignIn());
}

function AgainDialog({ me, answer }) {
  const { value } = useLoad((signal) => request('GET', `users/${me.id}/factors`, { signal }), me.id);
  const factors = (value?.factors ?? []).filter((factor) => factor.confirmed && factor.usable_here);
  const [byCode, setByCode] = useState(false);
  const action = useAction(async ({ current_password, code, proof }) => {
    if (proof === 'passkey') await signInAgainWithPasskey();
    else await signInAgain(byCode ? { code } : { password: current_password });
    return true;
  });
  const mayUsePasskey = !whyNoPasskeys() && factors.some((factor) => factor.kind === 'passkey');
  const more = mayUsePasskey && html`<button name="proof" value="passkey">${passkeys.use}</button>`;
  const change = () => { action.clear(); setByCode(!byCode); };
  return html`<${Dialog} title=${texts.title} onClose=${() => answer(false)}><p>${texts.why}</p>
    <${Form} action=${action} submit=${texts.submit} more=${more} label=${texts.title} onCancel=${() => answer(false)} onDone=${() => answer(true)}>
      <input type="text" name="username" autocomplete="username" value=${me.username} hidden readonly />
      ${byCode ? html`<${CodeField} error=${action.fields.code} />` : html`<${Field} key="password" label=${password.current} name="current_password"
        type="password" autocomplete="current-password" autofocus error=${action.fields.current_password} />`}
    <//>
    ${factors.length > 0 && html`<button class="link" onClick=${change}>${byCode ? texts.usePassword : texts.useCode}</button>`}<//>`;
}

/** Opens a dialog when a request needs a recent sign-in. */
export function SignInAgain({ me }) {
  const [asking, setAsking] = useState(null);
  useEffect(() => {
    let pending = null;
    // Requests that are refused meanwhile wait for the same answer.
    onSignInAgain(() => {
      pending ??= new Promise((done) => setAsking(() => done)).finally(() => { pending = null; });
      return pending;
    });
    return () => onSignInAgain(null);
  }, []);
  const answer = (done) => { asking(done); setAsking(null); };
  return asking && html`<${AgainDialog} me=${me} answer=${answer} />`;
}
