// The second step of a sign-in: a code of an authenticator app, a recovery code, or a passkey.

import { html, CardPage, Field, Form, Problem, useState } from './ui.js';
import { useAction } from './async.js';
import { answerChallenge } from './api.js';
import { answerWithPasskey, whyNoPasskeys } from './passkeys.js';
import { passkeys, secondStep as texts, signIn } from './texts.js';

/** A field for a code. A recovery code has letters, so it needs the whole keyboard of a phone. */
export function CodeField({ recovery, error }) {
  const kind = recovery ? texts.recovery : texts.app;
  return html`<${Field} key=${recovery ? 'recovery' : 'app'} label=${kind.label} hint=${kind.hint} name="code" autofocus
    autocomplete=${recovery ? 'off' : 'one-time-code'} inputmode=${recovery ? 'text' : 'numeric'} autocapitalize="none"
    spellcheck=${false} error=${error} />`;
}

/** `challenge` is the API's. `onBack` gets the reason if the challenge has ended. */
export function SecondStep({ challenge, onSignedIn, onBack }) {
  const { factors } = challenge;
  const has = (factor) => factors.includes(factor);
  const [recovery, setRecovery] = useState(!has('totp'));
  const why = has('passkey') && whyNoPasskeys();
  const finish = async (answer) => {
    try {
      await answerChallenge('second-factor', { challenge: challenge.challenge, ...answer });
      return true;
    } catch (error) {
      if (!error.challengeEnded) throw error;
      onBack(texts.ended);
      return undefined;
    }
  };
  const code = useAction((values) => finish({ code: values.code }));
  const passkey = useAction(async () => finish({ credential: await answerWithPasskey(challenge.passkey_options) }));
  const withPasskey = async () => {
    code.clear();
    if (await passkey.run()) onSignedIn();
  };
  const change = () => { code.clear(); setRecovery(!recovery); };
  return html`<${CardPage} title=${texts.title}>
    ${has(recovery ? 'recovery' : 'totp') && html`<${Form} action=${code} submit=${signIn.title} label=${texts.title} onDone=${onSignedIn}>
      <${CodeField} recovery=${recovery} error=${code.fields.code} />
    <//>`}
    ${has('passkey') && (why ? html`<p class="muted small">${why}</p>` : html`<button class="block" onClick=${withPasskey}
      aria-disabled=${passkey.busy ? 'true' : undefined}>${passkeys.use}</button>`)}
    <${Problem} text=${passkey.error} />
    ${has('totp') && has('recovery') && html`<button class="link" onClick=${change}>${recovery ? texts.useApp : texts.useRecovery}</button>`}
    <button class="link" onClick=${() => onBack(null)}>${texts.back}</button>
    <p class="muted small">${texts.lost}</p>
  <//>`;
}
