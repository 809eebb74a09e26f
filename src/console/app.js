// The start of the console: finds out who is signed in. The pages for signed-in users load when they are needed.

import { html, render, useState, useEffect, Brand, CardPage, Connection, Notices, Problem, announce, short } from './ui.js';
import { base, configuredBase, likelySignedIn, linkPage, needsSetup, takeFromHash } from './routing.js';
import { keepFocus } from './focus.js';
import { request, setLaunchSecret, on, renew } from './api.js';
import { Invitation, NeedsSetup, SignedOut, Setup, Reset, returnTo } from './sign_in.js';
import { ReturnToSite, SignOut } from './return_to.js';
import { common, session, setup as setupTexts } from './texts.js';

const loadShell = () => import('./shell.js').then((loaded) => loaded.Shell);
const token = linkPage ? takeFromHash('token') : null;
if (!linkPage) setLaunchSecret(takeFromHash('launch'));

/** Warns if the proxy's path and the setting `base_path` differ, as cookies and links then fail. */
function BasePathWarning() {
  if (configuredBase === base.pathname) return null;
  const configured = { key: html`<code>base_path</code>`, value: html`<code>${configuredBase}</code>` };
  return html`<p class="banner" role="alert">${session.basePath(html`<code>${base.pathname}</code>`, configured)}</p>`;
}

/** The pages for a signed-in user, once they are loaded. */
function SignedIn(props) {
  const [Shell, setShell] = useState(null);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    loadShell().then((loaded) => setShell(() => loaded), () => setFailed(true));
  }, []);
  if (Shell) return html`<${Shell} ...${props} />`;
  const retry = () => location.reload();
  return html`<header class="top"><${Brand} /></header>
    ${failed && html`<main><${Problem} text=${common.reload} retry=${retry} /></main>`}`;
}

/** Returns the signed-in user, and what the user must do before anything else: `password`, `factor` or nothing. */
async function loadSession() {
  let found = await request('GET', 'session');
  if (!found.authenticated) {
    // The token has expired meanwhile. This request renews it, or signs out.
    await request('GET', 'users/whoami');
    found = await request('GET', 'session');
  }
  return { user: found.user, duty: found.must_change_password ? 'password' : found.second_factor_missing ? 'factor' : null };
}

function App() {
  // The signed-in user, `null` for nobody, or `undefined` if it isn't known yet.
  const [me, setMe] = useState(likelySignedIn ? undefined : null);
  const [notice, setNotice] = useState(null);
  // Set up by this page: the page itself still says that setup is needed.
  const [setUp, setSetUp] = useState(false);
  const [special, setSpecial] = useState(linkPage);
  const [problem, setProblem] = useState(null);
  const [duty, setDuty] = useState(null);
  const show = (found) => { setDuty(found.duty); setMe(found.user); };
  const loadUser = async (signedIn) => {
    setProblem(null);
    try {
      if (signedIn || (await renew())) show(await loadSession());
      else setMe(null);
    } catch (error) {
      // After a 401 the event `signed-out` opens the sign-in page.
      if (error.status !== 401) setProblem(error.message);
    }
  };
  const leave = (why) => { setNotice(why); setMe(null); };
  const finish = (why) => {
    history.replaceState(null, '', base);
    setSpecial('');
    if (why) leave(why);
    else loadUser();
  };
  useEffect(() => {
    if (likelySignedIn && !special) loadUser();
    // Loads in the background. If it fails, it is tried again when it is needed.
    else loadShell().catch(() => {});
    // Another administrator may have changed this user's rights or duties.
    const refresh = () => loadSession().then((now) => {
      setDuty(now.duty);
      setMe((before) => {
        if (before && before.id !== now.user.id) announce(session.switchedUser(short(now.user.username)));
        else if (before?.is_superuser && !now.user.is_superuser) announce(session.rightsRemoved);
        return now.user;
      });
    }, () => {});
    const stop = [on('signed-out', leave), on('forbidden', refresh), on('user-changed', refresh)];
    return () => stop.forEach((end) => end());
  }, []);
  useEffect(() => on('online', () => { if (me === undefined && !special) loadUser(); }), [me, special]);
  const signedIn = () => {
    setNotice(null);
    setMe(undefined);
    loadUser(true);
  };
  let page = html`<header class="top"><${Brand} /></header>`;
  if (special === 'setup') page = html`<${Setup} token=${token} onDone=${() => { setSetUp(true); finish(); }} onComplete=${() => finish(setupTexts.complete)} />`;
  else if (special === 'reset') page = html`<${Reset} token=${token} onDone=${finish} />`;
  else if (special === 'invitation') page = html`<${Invitation} token=${token} onDone=${finish} />`;
  else if (special === 'sign-out') page = html`<${SignOut} onDone=${() => finish(session.signedOut)} />`;
  else if (needsSetup && me === null && !setUp) page = html`<${NeedsSetup} />`;
  else if (me === null) page = html`<${SignedOut} notice=${notice} onSignedIn=${signedIn} />`;
  else if (me && returnTo && !duty) page = html`<${ReturnToSite} me=${me} onLeave=${leave} />`;
  else if (me) page = html`<${SignedIn} key=${me.id} me=${me} setMe=${setMe} onLeave=${leave}
    duty=${duty} onDone=${() => loadSession().then(show, (error) => announce(error.message))} />`;
  else if (problem) page = html`<${CardPage} title=${common.wait}><${Problem} text=${problem} retry=${() => loadUser()} /><//>`;
  return html`<${BasePathWarning} /><${Connection} />${page}<${Notices} />`;
}

keepFocus();
const root = document.getElementById('app');
root.replaceChildren();
render(html`<${App} />`, root);
