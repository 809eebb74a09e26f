// The start of the console: finds out who is signed in. The pages for signed-in users load when they are needed.

import { html, render, useState, useEffect, Brand, CardPage, Connection, Notices, Problem, announce, short } from './ui.js';
import { base, configuredBase, likelySignedIn, linkPage, needsSetup, secondFactor, takeFromHash } from './routing.js';
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

/**
 * Whether the user must set up a second factor before anything else, or `undefined` if it isn't known yet. Asks again
 * when the server refuses something, as rights and settings can change.
 */
function useFactorMissing(me) {
  const [known, setKnown] = useState({});
  const mayBeMissing = secondFactor === 'required' && me;
  const check = () => request('GET', 'session').then(
    (found) => setKnown({ id: me.id, missing: Boolean(found.second_factor_missing) }),
    // Without a response, the event `online` asks again. After an error, the pages show what is refused.
    (error) => { if (error.status) setKnown({ id: me.id, missing: false }); },
  );
  useEffect(() => {
    if (!mayBeMissing) return undefined;
    check();
    const stop = [on('forbidden', check), on('online', check)];
    return () => stop.forEach((end) => end());
  }, [me?.id, me?.is_superuser]);
  if (!mayBeMissing) return [false, check];
  return [known.id === me.id ? known.missing : undefined, check];
}

function App() {
  // The signed-in user, `null` for nobody, or `undefined` if it isn't known yet.
  const [me, setMe] = useState(likelySignedIn ? undefined : null);
  const [notice, setNotice] = useState(null);
  // Set up by this page: the page itself still says that setup is needed.
  const [setUp, setSetUp] = useState(false);
  const [special, setSpecial] = useState(linkPage);
  const [problem, setProblem] = useState(null);
  const [factorMissing, checkFactor] = useFactorMissing(me);
  const loadUser = async (signedIn) => {
    setProblem(null);
    try {
      setMe(signedIn || (await renew()) ? await request('GET', 'users/whoami') : null);
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
    // Another administrator may have changed this user's rights.
    const refresh = () => request('GET', 'users/whoami').then((now) => setMe((before) => {
      if (before && before.id !== now.id) announce(session.switchedUser(short(now.username)));
      else if (before?.is_superuser && !now.is_superuser) announce(session.rightsRemoved);
      return now;
    }), () => {});
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
  else if (me && factorMissing === undefined) page = html`<header class="top"><${Brand} /></header>`;
  else if (me && returnTo && !factorMissing) page = html`<${ReturnToSite} me=${me} onLeave=${leave} />`;
  else if (me) page = html`<${SignedIn} key=${me.id} me=${me} setMe=${setMe} onLeave=${leave}
    onFactor=${factorMissing && checkFactor} />`;
  else if (problem) page = html`<${CardPage} title=${common.wait}><${Problem} text=${problem} retry=${() => loadUser()} /><//>`;
  return html`<${BasePathWarning} /><${Connection} />${page}<${Notices} />`;
}

keepFocus();
const root = document.getElementById('app');
root.replaceChildren();
render(html`<${App} />`, root);
