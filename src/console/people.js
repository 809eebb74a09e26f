// How an account's state is told.

import { html, Badge } from './ui.js';

/** The state's word in the API, and in the page. */
export function stateOf(user) {
  if (user.is_active) return ['active', 'Active'];
  return user.last_login_at ? ['inactive', 'Inactive'] : ['waiting', 'Waiting'];
}

export function Badges({ user }) {
  const [kind, text] = stateOf(user);
  return html`<span class="badges"><${Badge} kind=${kind}>${text}<//>${user.is_superuser && html`<${Badge} kind="superuser">Superuser<//>`}</span>`;
}
