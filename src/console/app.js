// Where the console begins: finds out who is signed in. What is only for them is loaded when it is needed, or else once
// everything else is there.

import { html, render, useState, useEffect, Brand, Connection, Notices, Problem, say, short } from './ui.js';
import { base, entry, known, take, told } from './route.js';
import { keepFocus } from './focus.js';
import { call, knowLaunchSecret, on, renew } from './api.js';
import { Entry, Outside, Setup, Reset } from './entry.js';
import { Onward, SignOut, returnTo } from './sites.js';

const shell = () => import('./shell.js').then((loaded) => loaded.Shell);
const token = entry ? take('token') : null;
if (!entry) knowLaunchSecret(take('launch'));

/** A prefix that the proxy knows and the server does not, or the other way round: cookies and links lead elsewhere. */
function Misplaced() {
  if (told === base.pathname) return null;
  return html`<p class="banner" role="alert">This page is reached at <code>${base.pathname}</code>, but the server’s
    setting <code>base_path</code> says <code>${told}</code>: signing in will not last and links will lead elsewhere.</p>`;
}

/** The pages for somebody who is signed in, as soon as they are loaded. */
function Inside(props) {
  const [Shell, setShell] = useState(null);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    shell().then((loaded) => setShell(() => loaded), () => setFailed(true));
  }, []);
  if (Shell) return html`<${Shell} ...${props} />`;
  const again = () => location.reload();
  return html`<header class="top"><${Brand} /></header>
    ${failed && html`<main><${Problem} text="The page could not be loaded whole." again=${again} /></main>`}`;
}

function App() {
  // Nobody (null), somebody, or not known yet.
  const [me, setMe] = useState(known ? undefined : null);
  const [notice, setNotice] = useState(null);
  const [special, setSpecial] = useState(entry);
  // Why it cannot be found out who is signed in.
  const [problem, setProblem] = useState(null);
  const arrive = async (certain) => {
    setProblem(null);
    try {
      setMe(certain || (await renew()) ? await call('GET', 'users/whoami') : null);
    } catch (error) {
      // Who is signed out meanwhile is led to the page that asks.
      if (error.status !== 401) setProblem(error.message);
    }
  };
  const leave = (why) => { setNotice(why); setMe(null); };
  const finish = (why) => {
    history.replaceState(null, '', base);
    setSpecial('');
    if (why) leave(why); else arrive();
  };
  useEffect(() => {
    if (known && !special) arrive();
    // Loaded while somebody types; should that fail, it is tried once more when it is needed.
    else shell().catch(() => {});
    // Rights that were taken away elsewhere: the pages follow.
    const look = () => call('GET', 'users/whoami').then((now) => setMe((before) => {
      if (before && before.id !== now.id) say(`You are signed in as ${short(now.username)} now.`);
      else if (before?.is_superuser && !now.is_superuser) say('Your superuser rights were taken away.');
      return now;
    }), () => {});
    const stop = [on('signed-out', leave), on('refused', look), on('changed', look)];
    return () => stop.forEach((end) => end());
  }, []);
  useEffect(() => on('back', () => { if (me === undefined && !special) arrive(); }), [me, special]);
  const signedIn = () => {
    setNotice(null);
    setMe(undefined);
    arrive(true);
  };
  let page = html`<header class="top"><${Brand} /></header>`;
  if (special === 'setup') page = html`<${Setup} token=${token} onDone=${() => finish()} />`;
  else if (special === 'reset') {
    page = html`<${Reset} token=${token} onDone=${() => finish('Your password is set. Sign in with it.')} />`;
  } else if (special === 'sign-out') page = html`<${SignOut} onDone=${() => finish('You are signed out.')} />`;
  else if (me === null) page = html`<${Outside} notice=${notice} onSignedIn=${signedIn} />`;
  else if (me && returnTo) page = html`<${Onward} me=${me} onLeave=${leave} />`;
  else if (me) page = html`<${Inside} key=${me.id} me=${me} setMe=${setMe} onLeave=${leave} />`;
  else if (problem) page = html`<${Entry} title="One moment…"><${Problem} text=${problem} again=${() => arrive()} /><//>`;
  return html`<${Misplaced} /><${Connection} />${page}<${Notices} />`;
}

keepFocus();
const root = document.getElementById('app');
root.replaceChildren();
render(html`<${App} />`, root);
