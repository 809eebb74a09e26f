// The sites behind the proxy: going on to one of them when somebody is signed in, and signing out of all.

import { html, useEffect, useState, Form, Problem } from './ui.js';
import { base } from './route.js';
import { useWork } from './work.js';
import { call, signOut } from './api.js';
import { Entry } from './entry.js';

/** Where the proxy's visitor came from, as the address says; whether that is a site is for the server to know. */
export const returnTo = new URLSearchParams(location.search).get('return_to');

/** Browsers keep what stands behind the # while they are led here; the site may need it. */
const fragment = location.hash.startsWith('#/sign-up') ? '' : location.hash;

/** Somebody who is back sooner than this was not let in there. */
const AT_ONCE = 10000;

/** Whether this tab was sent to the same site a moment ago; notes that it is sent there now. */
function wasJustSent(site) {
  const [last, at] = (sessionStorage.getItem('sent') ?? '').split(' ');
  sessionStorage.setItem('sent', `${site} ${Date.now()}`);
  return last === site && Math.abs(Date.now() - at) < AT_ONCE;
}

/** Gets the cookie that the site's proxy asks for, and goes there. */
export function Onward({ me, onLeave }) {
  const [problem, setProblem] = useState(null);
  const go = async () => {
    setProblem(null);
    try {
      const { location: place } = await call('POST', 'enter', { json: { return_to: returnTo } });
      const site = new URL(place).origin;
      if (wasJustSent(site)) {
        setProblem(`${site} sent you back at once: the cookie that lets you in does not arrive there.`);
      } else location.replace(place.includes('#') ? place : place + fragment);
    } catch (error) {
      setProblem(error.message);
    }
  };
  useEffect(() => { go(); }, []);
  const again = () => {
    sessionStorage.removeItem('sent');
    go();
  };
  const leave = async () => {
    sessionStorage.removeItem('sent');
    try {
      await signOut();
      onLeave(null);
    } catch (error) {
      setProblem(error.message);
    }
  };
  if (!problem) return html`<${Entry} title="One moment…"><p class="quiet">You are signed in and go on from here.</p><//>`;
  return html`<${Entry} title="No entry">
    <${Problem} text=${problem} />
    <p>You are signed in as <b>${me.username}</b>.</p>
    <div class="actions start">
      <button onClick=${again}>Try again</button>
      <button onClick=${leave}>Sign in as somebody else</button>
    </div>
    <p><a href=${base}>My account</a></p>
  <//>`;
}

/** A page that sites can link to; it asks first, as anybody's page can link to it. */
export function SignOut({ onDone }) {
  const work = useWork(async () => {
    sessionStorage.removeItem('sent');
    await signOut();
    return true;
  });
  return html`<${Entry} title="Sign out">
    <p>This ends your session here and at every site that you entered from here.</p>
    <${Form} work=${work} submit="Sign out" label="Sign out" onDone=${onDone} />
  <//>`;
}
