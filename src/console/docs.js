// A page to read and try the API, made from its own description.

import { html, render, useEffect, useState, Badge, Brand, Field, Problem } from './ui.js';
import { useLoad } from './work.js';
import { base } from './route.js';
import { authorization, raw, read, renew } from './api.js';

const order = ['get', 'post', 'patch', 'delete'];

/** Follows a reference. */
function schemaOf(document, schema) {
  const name = schema?.$ref?.split('/').pop();
  return name ? { name, ...document.components.schemas[name] } : schema ?? {};
}

/** A schema in a few words. */
function kindOf(document, schema) {
  const found = schemaOf(document, schema);
  if (found.name) return found.name;
  if (found.anyOf) return found.anyOf.map((one) => kindOf(document, one)).join(' or ');
  if (found.enum) return found.enum.map((word) => `“${word}”`).join(', ');
  if (found.type === 'array') return `list of ${kindOf(document, found.items)}`;
  return [found.type ?? 'anything', found.format && `(${found.format})`].filter(Boolean).join(' ');
}

/** A value that fits, to begin with. */
function example(document, schema, depth = 0) {
  const found = schemaOf(document, schema);
  if (found.anyOf) return example(document, found.anyOf[0], depth);
  if (found.properties && depth < 4) {
    const fields = Object.entries(found.properties).filter(([name]) => !found.required || found.required.includes(name));
    return Object.fromEntries(fields.map(([name, part]) => [name, example(document, part, depth + 1)]));
  }
  return { boolean: true, integer: 0, array: [] }[found.type] ?? '';
}

function Fields({ document, schema }) {
  const found = schemaOf(document, schema);
  if (!found.properties) return html`<p class="quiet">${kindOf(document, schema)}</p>`;
  return html`<dl>${Object.entries(found.properties).map(([name, part]) => html`<dt><code>${name}</code>${found.required?.includes(name) && html` <span class="must">required</span>`}</dt>
    <dd>${kindOf(document, part)}${part.maxLength ? `, at most ${part.maxLength} characters` : ''}</dd>`)}</dl>`;
}

function Try({ document, path, method, operation, apiKey }) {
  const [answer, setAnswer] = useState(null);
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
    for (const { name, in: place } of operation.parameters ?? []) {
      if (place === 'path') filled = filled.replace(`{${name}}`, encodeURIComponent(values[`p-${name}`] ?? ''));
      else if (place === 'query') query[name] = values[`p-${name}`];
      else if (values[`p-${name}`]) headers[name] = values[`p-${name}`];
    }
    const options = { query, headers };
    setError(null);
    try {
      if (isForm) {
        options.form = Object.entries(values).filter(([name, value]) => name.startsWith('b-') && value).map(([name, value]) => [name.slice(2), value]);
      } else if (content) options.json = JSON.parse(values.body);
      const started = performance.now();
      const response = await raw(method.toUpperCase(), filled, options);
      const took = Math.round(performance.now() - started);
      const text = await response.text();
      let shown = text;
      try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: shown as it is */ }
      setAnswer({ status: response.status, word: response.statusText, took, shown });
    } catch (wrong) {
      setError(wrong instanceof SyntaxError ? `The body is no JSON: ${wrong.message}` : wrong.message);
    }
  };
  return html`<form class="try" onSubmit=${send} aria-label="Try ${method} ${path}">
    ${(operation.parameters ?? []).map((parameter) => html`<${Field} label="${parameter.name} (${parameter.in})" name="p-${parameter.name}"
      hint=${[parameter.description, kindOf(document, parameter.schema)].filter(Boolean).join(': ')} autocomplete="off" />`)}
    ${isForm && Object.keys(form.properties).map((name) => html`<${Field} label=${name} name="b-${name}" autocomplete="off"
      type=${name === 'password' ? 'password' : 'text'} />`)}
    ${content && !isForm && html`<div class="field"><label>Body (JSON)
      <textarea name="body" rows="6" spellcheck=${false} defaultValue=${JSON.stringify(example(document, content.schema), null, 2)}></textarea></label></div>`}
    <div class="actions start"><button class="primary">Send</button></div>
    <${Problem} text=${error} />
    <div role="status">${answer && html`<p><${Badge} kind=${answer.status < 400 ? 'active' : 'failed'}>${answer.status} ${answer.word}<//> <span class="quiet small">${answer.took} ms</span></p>
      <pre tabindex="0" aria-label="Answer">${answer.shown}</pre>`}</div>
  </form>`;
}

function Operation({ document, path, method, operation, apiKey }) {
  const [open, setOpen] = useState(false);
  const content = Object.values(operation.requestBody?.content ?? {})[0];
  return html`<details class="operation" onToggle=${(event) => setOpen(event.target.open)}>
    <summary><span class="method ${method}">${method.toUpperCase()}</span> <code>${path}</code> <span class="quiet">${operation.summary}</span></summary>
    ${open && html`<div class="inside">
      ${operation.description && html`<p>${operation.description}</p>`}
      ${operation.security && html`<p class="quiet small">Needs an access token or an API key.</p>`}
      ${content && html`<h3>Body</h3><${Fields} document=${document} schema=${content.schema} />`}
      <h3>Answers</h3>
      <dl>${Object.entries(operation.responses).map(([status, response]) => {
        const schema = Object.values(response.content ?? {})[0]?.schema;
        return html`<dt><code>${status}</code></dt><dd>${response.description}${schema?.$ref && html` <span class="quiet">${kindOf(document, schema)}</span>`}</dd>`;
      })}</dl>
      <h3>Try it</h3>
      <${Try} document=${document} path=${path} method=${method} operation=${operation} apiKey=${apiKey} />
    </div>`}</details>`;
}

function Docs() {
  const loaded = useLoad((signal) => raw('GET', 'openapi.json', { signal }).then(read), 'description');
  const [apiKey, setApiKey] = useState('');
  const [signedIn, setSignedIn] = useState(false);
  useEffect(() => { renew().then(setSignedIn, () => {}); }, []);
  const description = loaded.value;
  if (!description) return html`<main class="entry"><h1>API</h1><${Problem} text=${loaded.error} again=${loaded.reload} /></main>`;
  const tags = new Map();
  for (const [path, methods] of Object.entries(description.paths)) {
    for (const method of order.filter((one) => methods[one])) {
      const tag = methods[method].tags?.[0] ?? 'Other';
      tags.set(tag, [...(tags.get(tag) ?? []), { path, method, operation: methods[method] }]);
    }
  }
  return html`<header class="top"><${Brand} />
      <nav aria-label="Main"><a href=${base}>Console</a><a href="docs" aria-current="page">API</a></nav></header>
    <main id="main"><h1>API</h1>
    <p>${description.info.description} Version ${description.info.version}. The same for programs: <a href="openapi.json">openapi.json</a>.</p>
    <section class="card" aria-labelledby="who"><h2 id="who">Who asks</h2>
      <p>${signedIn ? 'Requests are made as whoever is signed in to the console on this browser.'
        : 'Requests are made as nobody: sign in to the console first, or give an API key.'}</p>
      <${Field} label="API key" value=${apiKey} type="password" autocomplete="off" onInput=${(event) => setApiKey(event.target.value)}
        hint="Used in place of that, and forgotten when this page is closed." /></section>
    ${[...tags].map(([tag, operations]) => html`<section><h2>${tag}</h2>${operations.map((one) => html`<${Operation}
      key=${one.method + one.path} document=${description} apiKey=${apiKey} ...${one} />`)}</section>`)}</main>`;
}

const root = document.getElementById('app');
root.replaceChildren();
render(html`<${Docs} />`, root);
