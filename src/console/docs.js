// The API reference: a page to read and try the API, made from its OpenAPI description.

import { html, render, useEffect, useState, Badge, Brand, Field, Problem } from './ui.js';
import { useLoad } from './async.js';
import { base } from './routing.js';
import { authorization, rawRequest, read, renew } from './api.js';
import { docs as texts } from './texts.js';

const order = ['get', 'post', 'patch', 'delete'];

/** Resolves a `$ref`. */
function schemaOf(document, schema) {
  const name = schema?.$ref?.split('/').pop();
  return name ? { name, ...document.components.schemas[name] } : schema ?? {};
}

/** Follows a reference to a shared response. */
function responseOf(document, response) {
  return response.$ref ? document.components.responses[response.$ref.split('/').pop()] : response;
}

/** Describes a schema in a few words. */
function kindOf(document, schema) {
  const found = schemaOf(document, schema);
  if (found.name) return found.title ?? found.name;
  const choices = found.oneOf ?? found.anyOf;
  if (choices) return texts.anyOf(choices.map((one) => kindOf(document, one)));
  if (found.enum) return found.enum.map((word) => `“${word}”`).join(', ');
  if (found.type === 'array') return texts.listOf(kindOf(document, found.items));
  return [texts.anyOf([found.type ?? texts.anything].flat()), found.format && `(${found.format})`].filter(Boolean).join(' ');
}

/** Returns an example that fits a schema. */
function example(document, schema, depth = 0) {
  const found = schemaOf(document, schema);
  const choices = found.oneOf ?? found.anyOf;
  if (choices) return example(document, choices.find((one) => one.type !== 'null'), depth);
  if (found.properties && depth < 4) {
    const fields = Object.entries(found.properties).filter(([name]) => !found.required || found.required.includes(name));
    return Object.fromEntries(fields.map(([name, part]) => [name, example(document, part, depth + 1)]));
  }
  return { boolean: true, integer: 0, array: [] }[[found.type].flat()[0]] ?? '';
}

function Fields({ document, schema }) {
  const found = schemaOf(document, schema);
  if (!found.properties) return html`<p class="muted">${kindOf(document, schema)}</p>`;
  return html`<dl>${Object.entries(found.properties).map(([name, part]) => html`<dt><code>${name}</code>${found.required?.includes(name) && html` <span class="must">${texts.required}</span>`}</dt>
    <dd>${kindOf(document, part)}${part.maxLength ? texts.maxLength(part.maxLength) : ''}${part.description && html` <span class="muted">${part.description}</span>`}</dd>`)}</dl>`;
}

function Try({ document, path, method, operation, apiKey }) {
  const [response, setResponse] = useState(null);
  const [error, setError] = useState(null);
  const [mediaType, content] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  const isForm = mediaType === 'application/x-www-form-urlencoded';
  const form = schemaOf(document, content?.schema);
  const send = async (event) => {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(event.target));
    const query = {};
    const headers = apiKey ? { 'x-api-key': apiKey } : authorization();
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
      } else if (content) options.json = JSON.parse(values.body);
      const started = performance.now();
      const received = await rawRequest(method.toUpperCase(), filled, options);
      const took = Math.round(performance.now() - started);
      const text = await received.text();
      let shown = text;
      try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* Not JSON: shown unchanged. */ }
      setResponse({ status: received.status, reason: received.statusText, took, shown });
    } catch (wrong) {
      setError(wrong instanceof SyntaxError ? texts.invalidJson(wrong.message) : wrong.message);
    }
  };
  return html`<form class="try" onSubmit=${send} aria-label=${texts.tryOne(method, path)}>
    ${(operation.parameters ?? []).map((parameter) => html`<${Field} label="${parameter.name} (${parameter.in})" name="p-${parameter.name}"
      hint=${[parameter.description, kindOf(document, parameter.schema)].filter(Boolean).join(' ')} autocomplete="off" />`)}
    ${isForm && Object.keys(form.properties).map((name) => html`<${Field} label=${name} name="b-${name}" autocomplete="off"
      type=${name === 'password' ? 'password' : 'text'} />`)}
    ${content && !isForm && html`<div class="field"><label>${texts.jsonBody}
      <textarea name="body" rows="6" spellcheck=${false} defaultValue=${JSON.stringify(example(document, content.schema), null, 2)}></textarea></label></div>`}
    <div class="actions start"><button class="primary">${texts.send}</button></div>
    <${Problem} text=${error} />
    <div role="status">${response && html`<p><${Badge} kind=${response.status < 400 ? 'active' : 'failed'}>${response.status} ${response.reason}<//> <span class="muted small">${texts.milliseconds(response.took)}</span></p>
      <pre tabindex="0" aria-label=${texts.response}>${response.shown}</pre>`}</div>
  </form>`;
}

function Operation({ document, path, method, operation, apiKey }) {
  const [open, setOpen] = useState(false);
  const content = Object.values(operation.requestBody?.content ?? {})[0];
  return html`<details class="operation" onToggle=${(event) => setOpen(event.target.open)}>
    <summary><span class="method ${method}">${method.toUpperCase()}</span> <code>${path}</code> <span class="muted">${operation.summary}</span></summary>
    ${open && html`<div class="inside">
      ${operation.description && html`<p>${operation.description}</p>`}
      ${operation.security.length > 0 && html`<p class="muted small">${texts.needsCredential}</p>`}
      ${content && html`<h3>${texts.body}</h3><${Fields} document=${document} schema=${content.schema} />`}
      <h3>${texts.responses}</h3>
      <dl>${Object.entries(operation.responses).map(([status, response]) => {
        const { content, description } = responseOf(document, response);
        const schema = Object.values(content ?? {})[0]?.schema;
        return html`<dt><code>${status}</code></dt><dd>${description}${schema?.$ref && html` <span class="muted">${kindOf(document, schema)}</span>`}</dd>`;
      })}</dl>
      <h3>${texts.try}</h3>
      <${Try} document=${document} path=${path} method=${method} operation=${operation} apiKey=${apiKey} />
    </div>`}</details>`;
}

function Docs() {
  const loaded = useLoad((signal) => rawRequest('GET', 'openapi.json', { signal }).then(read), 'description');
  const [apiKey, setApiKey] = useState('');
  const [signedIn, setSignedIn] = useState(false);
  useEffect(() => { renew().then(setSignedIn, () => {}); }, []);
  const description = loaded.value;
  if (!description) return html`<main class="card-page"><h1>${texts.title}</h1><${Problem} text=${loaded.error} retry=${loaded.reload} /></main>`;
  const tags = new Map();
  for (const [path, methods] of Object.entries(description.paths)) {
    for (const method of order.filter((one) => methods[one])) {
      const tag = methods[method].tags?.[0] ?? texts.otherTag;
      tags.set(tag, [...(tags.get(tag) ?? []), { path, method, operation: methods[method] }]);
    }
  }
  return html`<header class="top"><${Brand} />
      <nav aria-label="Main"><a href=${base}>${texts.console}</a><a href="docs" aria-current="page">${texts.title}</a></nav></header>
    <main id="main"><h1>${texts.title}</h1>
    <p>${description.info.description} ${texts.version(description.info.version)} ${texts.machine}<a href="openapi.json">openapi.json</a>.</p>
    <section class="card" aria-labelledby="credentials"><h2 id="credentials">${texts.credentials}</h2>
      <p>${signedIn ? texts.asUser : texts.anonymous}</p>
      <${Field} label=${texts.apiKey} value=${apiKey} type="password" autocomplete="off" onInput=${(event) => setApiKey(event.target.value)}
        hint=${texts.apiKeyHint} /></section>
    ${[...tags].map(([tag, operations]) => html`<section><h2>${tag}</h2><p class="muted">${description.tags.find(({ name }) => name === tag)?.description}</p>${operations.map((one) => html`<${Operation}
      key=${one.method + one.path} document=${description} apiKey=${apiKey} ...${one} />`)}</section>`)}</main>`;
}

const root = document.getElementById('app');
root.replaceChildren();
render(html`<${Docs} />`, root);
