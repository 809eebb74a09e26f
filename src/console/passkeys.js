// Passkeys and security keys: the browser's part of WebAuthn.

import { html, Problem, useEffect, useRef } from './ui.js';
import { useAction } from './async.js';
import { ApiError, answerChallenge, requestAnonymously } from './api.js';
import { passkeyDomain } from './routing.js';
import { common, passkeys as texts } from './texts.js';

const isLoopback = () => /^(127\..*|\[::1\])$/.test(location.hostname);

/** Returns why passkeys can't be used on this page; `null` if they can. */
export function whyNoPasskeys() {
  const here = location.hostname;
  if (passkeyDomain === 'localhost' && isLoopback()) {
    const there = Object.assign(new URL(location.href), { hostname: passkeyDomain });
    return texts.atLocalhost(html`<a href=${there.href}>${there.host}</a>`);
  }
  if (!isSecureContext) return texts.needHttps;
  if (passkeyDomain && here !== passkeyDomain && !here.endsWith(`.${passkeyDomain}`)) return texts.atDomain(html`<b>${passkeyDomain}</b>`);
  return window.PublicKeyCredential?.parseRequestOptionsFromJSON ? null : texts.unsupported;
}

/** Runs the browser's dialog; throws why it failed. */
async function ask(dialog) {
  try {
    return (await dialog()).toJSON();
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError(0, { detail: texts.failures[error.name] ?? texts.failed });
  }
}

/** Asks the browser for a new passkey; `options` are the server's. */
export function createPasskey({ publicKey }) {
  return ask(() => navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey) }));
}

/** Asks the browser for a passkey's answer. `more` is passed to the browser. */
export function answerWithPasskey({ publicKey }, more) {
  return ask(() => navigator.credentials.get({ ...more, publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey) }));
}

/** How long a passkey is offered before the server's five minutes for an answer are over, in milliseconds. */
const OFFER_TIME = 240000;

/** Asks the server for a challenge and the browser for the answer. */
export async function askToSignIn(more) {
  const { challenge, options } = await requestAnonymously('POST', 'login/passkey/options');
  return { challenge, credential: await answerWithPasskey(options, more) };
}

/** Signs in with a passkey alone: by its button, or from the suggestions of the field for the user name. */
export function PasskeySignIn({ onSignedIn }) {
  const offered = useRef(null);
  const mounted = useRef(true);
  const why = whyNoPasskeys();
  const action = useAction(async (answer) => {
    // The browser handles one request at a time.
    offered.current?.abort();
    await answerChallenge('passkey', answer ?? await askToSignIn());
    return true;
  });
  const run = async (answer) => {
    if (await action.run(answer)) onSignedIn();
    else offer();
  };
  const offer = async () => {
    if (!mounted.current) return;
    offered.current?.abort();
    const control = new AbortController();
    offered.current = control;
    if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
    // Suggestions that fail are not worth a message: the button is there.
    const answer = !control.signal.aborted && await askToSignIn({ mediation: 'conditional', signal: control.signal }).catch(() => null);
    if (answer) run(answer);
  };
  useEffect(() => {
    if (why) return undefined;
    offer();
    const timer = setInterval(offer, OFFER_TIME);
    return () => { mounted.current = false; clearInterval(timer); offered.current.abort(); };
  }, []);
  if (why) return passkeyDomain === 'localhost' && isLoopback() ? html`<p class="muted small">${why}</p>` : null;
  return html`<button class="block" onClick=${() => run()} aria-disabled=${action.busy ? 'true' : undefined}>${action.busy
      ? common.wait : texts.signIn}</button>
    <${Problem} text=${action.error} />
    <p class="or muted small">${texts.or}</p>`;
}
