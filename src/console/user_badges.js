// The state of an account, as badges.

import { html, Badge } from './ui.js';
import { states } from './texts.js';

/** Returns the state's name in the API. */
export function stateOf(user) {
  if (user.is_active) return 'active';
  return user.last_login_at ? 'inactive' : 'waiting';
}

export function Badges({ user, leaves }) {
  const state = stateOf(user);
  return html`<span class="badges"><${Badge} kind=${state}>${states[state]}<//>${user.is_superuser
    && html`<${Badge} kind="superuser">${states.superuser}<//>`}${user.has_second_factor
    && html`<${Badge}>${states.secondFactor}<//>`}${leaves && html`<${Badge} kind="failed">${states.leaves}<//>`}</span>`;
}
