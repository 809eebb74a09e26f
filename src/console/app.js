// Where the console begins: finds out who is signed in, and leads addresses to pages.

import { html, render, useState, useEffect, Avatar, Connection, Notices, say } from './ui.js';
import { base, call, knowLaunchSecret, on, renew, signOut } from './api.js';
import { SignIn, Setup, Reset } from './entry.js';
import { Users } from './users.js';
import { UserPage } from './user.js';
import { Account } from './account.js';
import { Audit } from './audit.js';

/** `#/users/ID?state=waiting` as its parts. */
function route() {
  const [path, query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const [page = '', id] = path.split('/');
  return { page, id, query: Object.fromEntries(new URLSearchParams(query)) };
}

function useRoute() {
  const [now, set] = useState(route());
  useEffect(() => {
    const changed = () => set(route());
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return now;
}

function Page({ at, me, setMe }) {
  if (at.page === 'account' || !me.is_superuser) return html`<${Account} me=${me} setMe=${setMe} />`;
  if (at.page === 'audit') return html`<${Audit} query=${at.query} />`;
  if (at.page === 'users' && at.id) return html`<${UserPage} key=${at.id} id=${at.id} me=${me} setMe=${setMe} />`;
  return html`<${Users} query=${at.query} />`;
}

function Shell({ me, setMe, onLeave }) {
  const at = useRoute();
  const page = me.is_superuser ? at.page || 'users' : 'account';
  const link = (name, text) =>
    html`<a href="#/${name}" aria-current=${page === name ? 'page' : undefined}>${text}</a>`;
  const leave = async () => {
    await signOut().catch(() => {});
    onLeave('You are signed out.');
  };
  const skip = (event) => {
    event.preventDefault();
    document.querySelector('h1')?.focus();
  };
  return html`<a class="skip" href="#main" onClick=${skip}>Skip to the content</a>
  <header class="top">
    <div class="brand"><span class="logo" aria-hidden="true"></span>usher</div>
    <nav aria-label="Main">
      ${me.is_superuser && link('users', 'Users')}
      ${me.is_superuser && link('audit', 'Audit')}
      ${link('account', 'My account')}
    </nav>
    <div class="who"><${Avatar} user=${me} /><span class="name">${me.username}</span>
      <button onClick=${leave}>Sign out</button></div>
  </header>
  <main id="main"><${Page} at=${at} me=${me} setMe=${setMe} /></main>
  <footer class="quiet small"><a href=${new URL('docs', base)}>API</a></footer>`;
}

/** What a link carries under this name; taken out of the address at once, so that no history keeps it. */
function take(name) {
  const value = new URLSearchParams(location.hash.slice(1)).get(name);
  if (value) history.replaceState(null, '', location.pathname);
  return value;
}

/** A prefix that the proxy knows and the server does not, or the other way round: cookies and links lead elsewhere. */
function Misplaced() {
  const told = document.querySelector('meta[name="usher-base"]').content;
  if (told === base.pathname) return null;
  return html`<p class="banner" role="alert">This page is reached at <code>${base.pathname}</code>, but the server’s
    setting <code>base_path</code> says <code>${told}</code>: signing in will not last and links will lead elsewhere.</p>`;
}

const entry = location.pathname.slice(base.pathname.length);
const token = entry ? take('token') : null;
if (!entry) knowLaunchSecret(take('launch'));

function App() {
  const [me, setMe] = useState(undefined);
  const [notice, setNotice] = useState(null);
  const [special, setSpecial] = useState(entry);
  const arrive = async () => {
    try {
      setMe((await renew()) ? await call('GET', 'users/whoami') : null);
    } catch {
      setMe((now) => now);
    }
  };
  const leave = (why) => { setNotice(why); setMe(null); };
  const finish = (why) => {
    history.replaceState(null, '', base);
    setSpecial('');
    if (why) leave(why); else arrive();
  };
  useEffect(() => {
    if (!special) arrive();
    return on('signed-out', leave);
  }, []);
  useEffect(() => on('back', () => { if (me === undefined && !special) arrive(); }), [me, special]);
  const signedIn = async () => {
    setNotice(null);
    await arrive();
    say('You are signed in.');
  };
  let page = html`<main class="entry"><p class="quiet">Loading…</p></main>`;
  if (special === 'setup') page = html`<${Setup} token=${token} onDone=${() => finish()} />`;
  else if (special === 'reset') {
    page = html`<${Reset} token=${token} onDone=${() => finish('Your password is set. Sign in with it.')} />`;
  } else if (me === null) page = html`<${SignIn} notice=${notice} onSignedIn=${signedIn} />`;
  else if (me) page = html`<${Shell} me=${me} setMe=${setMe} onLeave=${leave} />`;
  return html`<${Misplaced} /><${Connection} />${page}<${Notices} />`;
}

const root = document.getElementById('app');
root.replaceChildren();
render(html`<${App} />`, root);
