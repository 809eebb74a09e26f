// A dialog that asks to type a word before something is deleted.

import { html, Dialog, Field, Form, useState } from './ui.js';
import { deletion } from './texts.js';

export function TypedConfirm({ title, word, submit, label, action, onClose, onDone, children }) {
  const [typed, setTyped] = useState('');
  const close = () => { action.clear(); onClose(); };
  return html`<${Dialog} title=${title} onClose=${close}>${children}
    <${Form} action=${action} submit=${submit} danger label=${label} disabled=${typed.trim() !== word} onCancel=${close} onDone=${onDone}>
      <${Field} label=${deletion.confirm(word)} autofocus autocomplete="off" autocapitalize="none" spellcheck=${false}
        onInput=${(event) => setTyped(event.target.value)} />
    <//><//>`;
}
