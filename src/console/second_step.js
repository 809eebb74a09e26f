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
  // Which code is asked for. A passkey is offered first to those who have no app.
  const [kind, setKind] = useState(has('totp') ? 'totp' : has('passkey') ? null : 'recovery');
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
  const link = (to, text) => has(to) && kind !== to && html`<button class="link" onClick=${() => { code.clear(); setKind(to); }}>${text}</button>`;
  return html`<${CardPage} title=${texts.title}>
    ${has(kind) && html`<${Form} action=${code} submit=${signIn.title} label=${texts.title} onDone=${onSignedIn}>
      <${CodeField} recovery=${kind === 'recovery'} error=${code.fields.code} />
    <//>`}
    ${has('passkey') && (why ? html`<p class="muted small">${why}</p>` : html`<button class=${kind ? 'block' : 'block primary'} onClick=${withPasskey}
      aria-disabled=${passkey.busy ? 'true' : undefined}>${passkeys.use}</button>`)}
    <${Problem} text=${passkey.error} />
    ${link('totp', texts.useApp)}${link('recovery', texts.useRecovery)}
    <button class="link" onClick=${() => onBack(null)}>${texts.back}</button>
    <p class="muted small">${texts.lost}</p>
  <//>`;
}
