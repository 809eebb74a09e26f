// The server's state, for superusers: version, health, backups, database, queues, settings.

import { html, Badge, Heading, Problem, Time, announce, number } from './ui.js';
import { useAction, useLoad } from './async.js';
import { healthCheck, request } from './api.js';
import { save } from './export.js';
import { common, server as texts } from './texts.js';

/** How long making or downloading a backup may take, in milliseconds. */
const BACKUP_TIMEOUT = 3600000;

function Section({ id, title, children, button }) {
  return html`<section class="card" aria-labelledby=${id}><div class="head"><h2 id=${id}>${title}</h2>${button}</div>${children}</section>`;
}

function Facts({ facts }) {
  return html`<dl>${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

function Health() {
  const health = useLoad(healthCheck, 'health');
  if (health.error) return html`<${Badge} kind="failed">${health.error}<//>`;
  return health.value ? html`<${Badge} kind=${health.value.status === 'ok' ? 'active' : 'failed'}>${health.value.status === 'ok'
    ? texts.healthy : health.value.db}<//>` : common.loading;
}

function Backups({ backups, reload }) {
  const action = useAction(async (name) => {
    if (!name) {
      const made = await request('POST', 'server/backups', { timeout: BACKUP_TIMEOUT });
      announce(texts.made(made.name));
      reload();
      return;
    }
    save(name, await request('GET', `server/backups/${name}`, { blob: true, timeout: BACKUP_TIMEOUT }));
  });
  const last = backups.last_at && html`<${Time} at=${backups.last_at} /> <${Badge} kind=${backups.last_success ? 'active' : 'failed'}>${
    backups.last_success ? texts.succeeded : texts.failed}<//>`;
  return html`<${Section} id="backups" title=${texts.backups} button=${html`<button aria-disabled=${action.busy ? 'true' : undefined}
      onClick=${() => action.run()}>${action.busy ? common.wait : texts.make}</button>`}>
    <${Problem} text=${action.error} />
    <${Facts} facts=${[[texts.schedule, backups.schedule], [texts.keep, number(backups.keep)], [texts.last, last || common.never]]} />
    ${!backups.files.length && html`<p class="muted">${texts.noBackups}</p>`}
    <ul class="rows">${backups.files.map((file) => html`<li key=${file.name}><div><code>${file.name}</code>
      <p class="muted small"><${Time} at=${file.created_at} /> · ${texts.bytes(number(file.bytes))}</p></div>
      <button onClick=${() => action.run(file.name)} aria-label=${texts.downloadOne(file.name)}>${texts.download}</button></li>`)}</ul><//>`;
}

export function Server() {
  const state = useLoad((signal) => request('GET', 'server', { signal }), 'server');
  const server = state.value;
  const heading = html`<${Heading} title=${texts.title} /><${Problem} text=${state.error} retry=${state.reload} />`;
  if (!server) return heading;
  const { database, queues } = server;
  const general = [[texts.version, server.version], [texts.started, html`<${Time} at=${server.started_at} />`], [texts.url, server.url],
    [texts.health, html`<${Health} />`]];
  const data = [[texts.file, html`<code>${database.path}</code>`], [texts.size, texts.bytes(number(database.bytes))],
    [texts.log, texts.bytes(number(database.log_bytes))], [texts.schema, database.schema_version],
    [texts.users, texts.userCounts(number(database.active_users), number(database.waiting_users), number(database.inactive_users))],
    [texts.sessions, number(database.sessions)]];
  const waiting = [[texts.hashing, number(queues.hashing)], [texts.reads, number(queues.reads)], [texts.writes, number(queues.writes)]];
  return html`${heading}
    <div class="columns"><div><${Section} id="general" title=${texts.general}><${Facts} facts=${general} /><//>
        <${Section} id="database" title=${texts.database}><${Facts} facts=${data} /><//></div>
      <div><${Backups} backups=${server.backups} reload=${state.reload} />
        <${Section} id="queues" title=${texts.queues}><${Facts} facts=${waiting} /><//></div></div>
    <${Section} id="settings" title=${texts.settings}><dl class="settings">${server.settings.map((setting) => html`<dt><code>${setting.name}</code></dt>
      <dd><code>${setting.value || texts.unset}</code> <span class="muted small">${setting.source}</span></dd>`)}</dl><//>`;
}
