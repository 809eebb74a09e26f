// The dialogs that add a second factor, and the recovery codes.

import { html, Copy, Dialog, Field, Form, announce, useRef, useState } from './ui.js';
import { useAction } from './async.js';
import { request } from './api.js';
import { signInAgainWithPasskey } from './again.js';
import { save } from './export.js';
import { createPasskey } from './passkeys.js';
import { CodeField } from './second_step.js';
import { common, password, security as texts } from './texts.js';

const pathOf = (me) => `users/${me.id}/factors`;

/** A form that needs the current password, or a passkey in its place. Its action gets `current_password` or `proof`. */
export function ProofForm({ me, mayUsePasskey, action, children, ...rest }) {
  const more = mayUsePasskey && html`<button name="proof" value="passkey">${texts.proveByPasskey}</button>`;
  return html`<${Form} action=${action} more=${more} guard ...${rest}>
    ${children}
    <input type="text" name="username" autocomplete="username" value=${me.username} hidden readonly />
    <${Field} label=${password.current} name="current_password" type="password" autocomplete="current-password" hint=${texts.proofHint}
      error=${action.fields.current_password} />
  <//>`;
}

/** Returns what the API takes as proof. */
export async function prove({ current_password, proof }) {
  if (proof !== 'passkey') return { current_password: current_password || undefined };
  await signInAgainWithPasskey();
  return {};
}

async function makeCodes(me, proof) {
  return (await request('POST', `${pathOf(me)}/recovery-codes`, { json: proof })).codes;
}

/** New recovery codes. They aren't shown again. */
function Codes({ codes, onClose }) {
  const text = codes.join('\n');
  return html`<p>${texts.codesText}</p>
    <${Copy} text=${text} label=${texts.codes} rows=${codes.length} />
    <div class="actions"><button onClick=${() => save(texts.codesFile, `${text}\n`)}>${texts.download}</button>
      <button onClick=${onClose}>${common.done}</button></div>`;
}

/** Replaces the recovery codes. */
export function NewCodes({ me, left, mayUsePasskey, onClose, onChanged }) {
  const [codes, setCodes] = useState(null);
  const action = useAction(async (values) => makeCodes(me, await prove(values)));
  const done = (made) => { setCodes(made); onChanged(); };
  return html`<${Dialog} title=${codes ? texts.codes : texts.codesTitle(left)} onClose=${onClose}>
    ${codes ? html`<${Codes} codes=${codes} onClose=${onClose} />` : html`<p>${left ? texts.replaceText : texts.codesIntro}</p>
      <${ProofForm} me=${me} mayUsePasskey=${mayUsePasskey} action=${action} submit=${texts.makeCodes} label=${texts.codes}
        onCancel=${onClose} onDone=${done} />`}<//>`;
}

/** The first factor comes with recovery codes. Without them, for whatever reason, they can be made later. */
function useCodes({ me, first, onClose, onChanged }, added) {
  const [codes, setCodes] = useState(null);
  const proof = useRef({});
  const done = async () => {
    onChanged();
    announce(added);
    const made = first ? await makeCodes(me, proof.current).catch(() => []) : [];
    proof.current = {};
    if (made.length) setCodes(made);
    else onClose();
    onChanged();
  };
  const view = codes && html`<${Dialog} key="codes" title=${texts.codes} onClose=${onClose}><${Codes} codes=${codes} onClose=${onClose} /><//>`;
  return { proof, done, view };
}

const NameField = ({ kind, error }) => html`<${Field} label=${texts.name} name="name" hint=${texts.nameHints[kind]} autocomplete="off" autofocus
  error=${error} />`;

/** Adds an authenticator app: proof, then its secret, then its first code. */
export function AddApp(props) {
  const { me, mayUsePasskey, onClose } = props;
  const [made, setMade] = useState(null);
  const { proof, done, view } = useCodes(props, texts.appAdded);
  const begin = useAction(async ({ name, ...values }) => {
    proof.current = await prove(values);
    return request('POST', `${pathOf(me)}/totp`, { json: { ...proof.current, name } });
  });
  const confirm = useAction(({ code }) => request('POST', `${pathOf(me)}/totp/confirm`, { json: { code } }));
  if (view) return view;
  if (!made) {
    return html`<${Dialog} title=${texts.addApp} onClose=${onClose}><p>${texts.appIntro}</p>
      <${ProofForm} me=${me} mayUsePasskey=${mayUsePasskey} action=${begin} submit=${texts.next} label=${texts.addApp} onCancel=${onClose}
        onDone=${setMade}><${NameField} kind="totp" error=${begin.fields.name} /><//><//>`;
  }
  return html`<${Dialog} key="secret" title=${texts.addApp} onClose=${onClose}>
    <p>${texts.scan}</p>
    <img class="qr" src="data:image/svg+xml,${encodeURIComponent(made.qr_svg)}" alt=${texts.qr} />
    <p>${texts.secret(html`<code class="key">${made.secret.match(/.{1,4}/g).join(' ')}</code>`)}</p>
    <p><a href=${made.otpauth_url}>${texts.openApp}</a></p>
    <${Form} action=${confirm} submit=${texts.confirm} label=${texts.addApp} guard onCancel=${onClose} onDone=${done}>
      <${CodeField} error=${confirm.fields.code} />
    <//><//>`;
}

/** Adds a passkey or a security key. */
export function AddPasskey(props) {
  const { me, mayUsePasskey, onClose } = props;
  const { proof, done, view } = useCodes(props, texts.passkeyAdded);
  const action = useAction(async ({ name, ...values }) => {
    proof.current = await prove(values);
    const { challenge, options } = await request('POST', `${pathOf(me)}/passkey/options`, { json: proof.current });
    const credential = await createPasskey(options);
    return request('POST', `${pathOf(me)}/passkey`, { json: { challenge, credential, name } });
  });
  return view ?? html`<${Dialog} title=${texts.addPasskey} onClose=${onClose}><p>${texts.passkeyIntro}</p>
    <${ProofForm} me=${me} mayUsePasskey=${mayUsePasskey} action=${action} submit=${texts.addPasskey} label=${texts.addPasskey} onCancel=${onClose}
      onDone=${done}><${NameField} kind="passkey" error=${action.fields.name} /><//><//>`;
}
