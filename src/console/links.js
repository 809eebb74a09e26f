// Links that are given to people: reset links and invitations.

import { html, Copy, Dialog } from './ui.js';
import { base } from './routing.js';
import { common } from './texts.js';

/** Replaces a loopback address, which works on the server's machine only, by this page's address. */
function usable(link) {
  const made = new URL(link);
  const local = /^(localhost|127\..*|0\.0\.0\.0|\[::1?\])$/.test(made.hostname);
  return local ? new URL(made.pathname.split('/').at(-1) + made.hash, base).href : link;
}

/** Shows a new link, which can't be shown again. */
export function LinkDialog({ link, label, title, onClose, children }) {
  return html`<${Dialog} title=${title} onClose=${onClose}>
    ${children}
    <${Copy} text=${usable(link)} label=${label} />
    <div class="actions"><button onClick=${onClose}>${common.done}</button></div>
  <//>`;
}
