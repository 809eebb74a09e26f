// The API reference: a page to read and try the API, made from its OpenAPI description.

import { html, render, useEffect, useState, Badge, Brand, Field, Problem } from './ui.js';
import { useLoad } from './async.js';
import { base } from './routing.js';
import { authorization, rawRequest, read, renew } from './api.js';
import { docs as texts } from './texts.js';

const METHODS = ['get', 'post', 'patch', 'delete'];
/** The deepest level of an example. Schemas may be recursive. */
const MAX_DEPTH = 5;

let description;

/** Resolves a `$ref` in the description. */
function resolve(part) {
  const path = part?.$ref?.split('/').slice(1);
  return path ? { name: path.at(-1), ...path.reduce((found, name) => found?.[name], description) } : part ?? {};
}

const alternatives = (schema) => schema.anyOf ?? schema.oneOf ?? schema.allOf;
const typesOf = ({ type }) => [type ?? []].flat();

/** Describes a schema in a few words. */
function kindOf(schema) {
  const found = resolve(schema);
  if (found.name) return found.title ?? found.name;
  if (alternatives(found)) return texts.anyOf(alternatives(found).map(kindOf));
  if (found.enum) return found.enum.map((word) => (word === null ? 'null' : `“${word}”`)).join(', ');
  if (typesOf(found).includes('array')) return texts.listOf(kindOf(found.items));
  return [typesOf(found).join(texts.or) || texts.anything, found.format && `(${found.format})`].filter(Boolean).join(' ');
}

const EXAMPLES = { boolean: true, integer: 0, number: 0, null: null };
const FORMATS = { 'date-time': '2026-01-31T12:00:00.000000Z', uuid: '00000000-0000-4000-8000-000000000000' };

/** Returns an example that fits a schema. With `all`, optional fields are included. */
function example(schema, all, depth = 0) {
  const found = resolve(schema);
  if (found.example !== undefined) return found.example;
  if (found.default !== undefined) return found.default;
  if (found.enum) return found.enum[0];
  if (alternatives(found)) return example(alternatives(found)[0], all, depth);
  if (found.properties && depth < MAX_DEPTH) {
    const fields = Object.entries(found.properties).filter(([name]) => all || found.required?.includes(name));
    const shown = fields.length ? fields : Object.entries(found.properties);
    return Object.fromEntries(shown.map(([name, part]) => [name, example(part, all, depth + 1)]));
  }
  const [type] = typesOf(found);
  if (type === 'array') return depth < MAX_DEPTH ? [example(found.items, all, depth + 1)] : [];
  return EXAMPLES[type] ?? FORMATS[found.format] ?? '';
}

const pretty = (value) => JSON.stringify(value, null, 2);

/** The object behind a schema, which may be an array of it; `null` if it has no fields. */
function objectOf(schema) {
  const found = resolve(schema);
  if (found.properties) return found;
  if (typesOf(found).includes('array')) return objectOf(found.items);
  return alternatives(found)?.map(objectOf).find(Boolean) ?? null;
}

/** The fields of a schema. Nested objects open on a click. */
function Fields({ schema, depth = 0 }) {
  const found = objectOf(schema);
  if (!found) return html`<p class="muted">${kindOf(schema)}</p>`;
  return html`<dl class="fields">${Object.entries(found.properties).map(([name, part]) => {
    const inner = objectOf(part);
    const limit = resolve(part).maxLength;
    return html`<dt><code>${name}</code>${found.required?.includes(name) && html` <span class="must">${texts.required}</span>`}</dt>
      <dd>${inner && depth < MAX_DEPTH ? html`<details><summary>${kindOf(part)}</summary><${Fields} schema=${part} depth=${depth + 1} /></details>`
        : html`${kindOf(part)}${limit ? texts.maxLength(limit) : ''}`}
        ${part.description && html`<p class="muted small">${part.description}</p>`}</dd>`;
  })}</dl>`;
}

const contentOf = (part) => Object.entries(resolve(part)?.content ?? {})[0] ?? [];

function Try({ path, method, operation, credentials }) {
  const [response, setResponse] = useState(null);
  const [error, setError] = useState(null);
  const [mediaType, content] = contentOf(operation.requestBody);
  const isForm = mediaType === 'application/x-www-form-urlencoded';
  const body = content && pretty(example(content.schema));
  const send = async (event) => {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(event.target));
    const query = {};
    const headers = credentials();
    let filled = path.slice(1);
    for (const { name, in: location } of operation.parameters ?? []) {
      if (location === 'path') filled = filled.replace(`{${name}}`, encodeURIComponent(values[`p-${name}`] ?? ''));
      else if (location === 'query') query[name] = values[`p-${name}`];
      else if (values[`p-${name}`]) headers[name] = values[`p-${name}`];
    }
    const options = { query, headers };
    setError(null);
    try {
      if (isForm) {
        options.form = Object.entries(values).filter(([name, value]) => name.startsWith('b-') && value).map(([name, value]) => [name.slice(2), value]);
      } else if (content && values.body.trim()) options.json = JSON.parse(values.body);
      const started = performance.now();
      const received = await rawRequest(method.toUpperCase(), filled, options);
      const took = Math.round(performance.now() - started);
      const text = await received.text();
      let shown = text;
      try { shown = pretty(JSON.parse(text)); } catch { /* Not JSON: shown unchanged. */ }
      setResponse({ status: received.status, reason: received.statusText, took, shown });
    } catch (wrong) {
      setError(wrong instanceof SyntaxError ? texts.invalidJson(wrong.message) : wrong.message);
    }
  };
  return html`<form class="try" onSubmit=${send} aria-label=${texts.tryOne(method, path)}>
    ${(operation.parameters ?? []).map((parameter) => html`<${Field} label="${parameter.name} (${parameter.in})" name="p-${parameter.name}"
      hint=${[parameter.description, kindOf(parameter.schema)].filter(Boolean).join(' ')} autocomplete="off" />`)}
    ${isForm && Object.keys(objectOf(content.schema).properties).map((name) => html`<${Field} label=${name} name="b-${name}" autocomplete="off"
      type=${name === 'password' ? 'password' : 'text'} />`)}
    ${content && !isForm && html`<div class="field"><label>${texts.jsonBody}
      <textarea name="body" rows=${body.split('\n').length + 1} spellcheck=${false} defaultValue=${body}></textarea></label></div>`}
    <div class="actions start"><button class="primary">${texts.send}</button></div>
    <${Problem} text=${error} />
    <div role="status">${response && html`<p><${Badge} kind=${response.status < 400 ? 'active' : 'failed'}>${response.status} ${response.reason}<//> <span class="muted small">${texts.milliseconds(response.took)}</span></p>
      <pre tabindex="0" aria-label=${texts.response}>${response.shown}</pre>`}</div>
  </form>`;
}

function Response({ status, response }) {
  const [, content] = contentOf(response);
  const schema = content?.schema;
  return html`<dt><code>${status}</code></dt><dd>${resolve(response).description}
    ${schema && html`<details><summary>${kindOf(schema)}</summary><${Fields} schema=${schema} />
      <pre tabindex="0" aria-label=${texts.example}>${pretty(example(schema, true))}</pre></details>`}</dd>`;
}

/** The operation that the address names. */
const wanted = () => decodeURIComponent(location.hash.slice(1));

function Operation({ path, method, operation, credentials }) {
  const id = operation.operationId;
  const [open, setOpen] = useState(wanted() === id);
  useEffect(() => {
    const show = () => {
      if (wanted() !== id) return;
      setOpen(true);
      document.getElementById(id).scrollIntoView();
    };
    show();
    addEventListener('hashchange', show);
    return () => removeEventListener('hashchange', show);
  }, []);
  const [, content] = contentOf(operation.requestBody);
  return html`<details class="operation" id=${id} open=${open} onToggle=${(event) => { if (event.target.id === id) setOpen(event.target.open); }}>
    <summary><span class="method ${method}">${method.toUpperCase()}</span> <code>${path}</code> <span class="muted">${operation.summary}</span></summary>
    ${open && html`<div class="inside">
      <p><a href="docs#${id}">${texts.link}</a></p>
      ${operation.description && html`<p>${operation.description}</p>`}
      ${operation.security?.length > 0 && html`<p class="muted small">${texts.needsCredential}</p>`}
      ${content && html`<h3>${texts.body}</h3><${Fields} schema=${content.schema} />`}
      <h3>${texts.responses}</h3>
      <dl>${Object.entries(operation.responses).map(([status, response]) => html`<${Response} status=${status} response=${response} />`)}</dl>
      <h3>${texts.try}</h3>
      <${Try} path=${path} method=${method} operation=${operation} credentials=${credentials} />
    </div>`}</details>`;
}

/** Groups the operations that match the filter by their tag. */
function grouped(filter) {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const tags = new Map();
  for (const [path, methods] of Object.entries(description.paths)) {
    for (const method of METHODS.filter((one) => methods[one])) {
      const operation = methods[method];
      const text = `${method} ${path} ${operation.summary} ${operation.tags} ${operation.description}`.toLowerCase();
      if (!words.every((word) => text.includes(word))) continue;
      const tag = operation.tags?.[0] ?? texts.otherTag;
      tags.set(tag, [...(tags.get(tag) ?? []), { path, method, operation }]);
    }
  }
  return [...tags];
}

function Docs() {
  const loaded = useLoad((signal) => rawRequest('GET', 'openapi.json', { signal }).then(read), 'description');
  const [secrets, setSecrets] = useState({ apiKey: '', token: '' });
  const [filter, setFilter] = useState('');
  const [signedIn, setSignedIn] = useState(false);
  useEffect(() => {
    renew().then(setSignedIn, () => {});
    // The filter could hide the operation that a link leads to.
    const clear = () => setFilter('');
    addEventListener('hashchange', clear);
    return () => removeEventListener('hashchange', clear);
  }, []);
  description = loaded.value;
  if (!description) return html`<main class="card-page"><h1>${texts.title}</h1><${Problem} text=${loaded.error} retry=${loaded.reload} /></main>`;
  const credentials = () => {
    if (secrets.token) return { authorization: `Bearer ${secrets.token}` };
    return secrets.apiKey ? { 'x-api-key': secrets.apiKey } : authorization();
  };
  const type = (name) => (event) => setSecrets((now) => ({ ...now, [name]: event.target.value.trim() }));
  const groups = grouped(filter);
  return html`<header class="top"><${Brand} />
      <nav aria-label=${texts.navigation}><a href=${base}>${texts.console}</a><a href="docs" aria-current="page">${texts.title}</a></nav></header>
    <main id="main"><h1>${texts.title}</h1>
    <p>${description.info.description} ${texts.version(description.info.version)} ${texts.machine}<a href="openapi.json">openapi.json</a>.</p>
    <section class="card" aria-labelledby="credentials"><h2 id="credentials">${texts.credentials}</h2>
      <p>${signedIn ? texts.asUser : texts.anonymous}</p>
      <${Field} label=${texts.apiKey} value=${secrets.apiKey} type="password" autocomplete="off" onInput=${type('apiKey')} hint=${texts.secretHint} />
      <${Field} label=${texts.token} value=${secrets.token} type="password" autocomplete="off" onInput=${type('token')} hint=${texts.tokenHint} /></section>
    <${Field} label=${texts.filter} type="search" value=${filter} autocomplete="off" spellcheck=${false} onInput=${(event) => setFilter(event.target.value)} />
    ${!groups.length && html`<p class="muted" role="status">${texts.noneMatch}</p>`}
    ${groups.map(([tag, operations]) => html`<section key=${tag}><h2>${tag}</h2>${operations.map((one) => html`<${Operation}
      key=${one.operation.operationId} credentials=${credentials} ...${one} />`)}</section>`)}</main>`;
}

const root = document.getElementById('app');
root.replaceChildren();
render(html`<${Docs} />`, root);
