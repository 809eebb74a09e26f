// Entries of the audit log: their texts, and the recent activity of one account.

import { html, Badge, Name, Problem, Time } from './ui.js';
import { useLoad } from './async.js';
import { request } from './api.js';
import { activity, audit as texts } from './texts.js';

/** How many entries "Recent activity" shows. */
const RECENT = 10;

export const actionText = (entry) => texts.actions[entry.action] ?? entry.action;

/** Describes what changed. Entries of older versions only name the fields. */
export function detailText({ action, detail }) {
  if (!detail) return '';
  const field = (name) => texts.fields[name] ?? name;
  if (['user.change', 'password.change'].includes(action) && /^[a-z_ ]+$/.test(detail)) return detail.split(' ').map(field).join(', ');
  return detail.replace(/\b([a-z_]+): /g, (all, name) => (texts.fields[name] ? `${field(name)}: ` : all));
}

export function EntryText({ entry }) {
  const detail = detailText(entry);
  return html`${actionText(entry)} ${entry.count > 1 && html`<span class="muted">${texts.times(entry.count)}</span> `}${!entry.success && html`<${Badge} kind="failed">${texts.failed}<//>`}
    ${detail && html`<p class="muted small">${detail}</p>`}`;
}

/** The newest entries about an account. */
export function RecentActivity({ user }) {
  const log = useLoad((signal) => request('GET', `users/${user.id}/audit`, { query: { limit: RECENT }, signal }), user.updated_at);
  const entries = log.value?.entries ?? [];
  return html`<section class="card" aria-labelledby="activity"><h2 id="activity">${activity.section}</h2>
    <${Problem} text=${log.error} retry=${log.reload} />
    <ul class="rows">${entries.map((entry) => html`<li key=${entry.id}><div><${EntryText} entry=${entry} />
      <p class="muted small"><${Time} at=${entry.at} />${entry.address && ` · ${entry.address}`}${entry.actor_name && entry.actor !== user.id
        && html` · ${activity.by(html`<${Name} text=${entry.actor_name} />`)}`}${entry.target_name && entry.target !== user.id
        && html` · ${activity.to(html`<${Name} text=${entry.target_name} />`)}`}</p></div></li>`)}</ul></section>`;
}
