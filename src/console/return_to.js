// Sites behind the proxy: returning to one after sign-in, and signing out of all.

import { html, useEffect, useState, CardPage, Form, Problem } from './ui.js';
import { base } from './routing.js';
import { useAction } from './async.js';
import { request, signOut } from './api.js';
import { returnTo } from './sign_in.js';
import { common, shell, sites } from './texts.js';

/** The browser keeps the fragment across the redirect to this page; the site may need it. */
const fragment = location.hash.startsWith('#/sign-up') ? '' : location.hash;

/** A site that sends the browser back within this time (ms) didn't receive its cookie. */
const BOUNCE = 10000;
const LAST_SITE = 'last-site';

/** Whether this tab was sent to the same site a moment ago; records that it is sent there now. */
function bounced(site) {
  const [last, at] = (sessionStorage.getItem(LAST_SITE) ?? '').split(' ');
  sessionStorage.setItem(LAST_SITE, `${site} ${Date.now()}`);
  return last === site && Math.abs(Date.now() - at) < BOUNCE;
}

/** Gets the cookie that the site's proxy checks, and opens the site. */
export function ReturnToSite({ me, onLeave }) {
  const [problem, setProblem] = useState(null);
  const open = async () => {
    setProblem(null);
    try {
      const { location: address } = await request('POST', 'enter', { json: { return_to: returnTo } });
      const site = new URL(address).origin;
      if (bounced(site)) setProblem(sites.bounced(site));
      else location.replace(address.includes('#') ? address : address + fragment);
    } catch (error) {
      setProblem(error.message);
    }
  };
  useEffect(() => { open(); }, []);
  const retry = () => {
    sessionStorage.removeItem(LAST_SITE);
    open();
  };
  const leave = async () => {
    sessionStorage.removeItem(LAST_SITE);
    try {
      await signOut();
      onLeave(null);
    } catch (error) {
      setProblem(error.message);
    }
  };
  if (!problem) return html`<${CardPage} title=${common.wait}><p class="muted">${sites.opening}</p><//>`;
  return html`<${CardPage} title=${sites.denied}>
    <${Problem} text=${problem} />
    <p>${sites.signedInAs(html`<b>${me.username}</b>`)}</p>
    <div class="actions start">
      <button onClick=${retry}>${common.retry}</button>
      <button onClick=${leave}>${sites.otherUser}</button>
    </div>
    <p><a href=${base}>${sites.account}</a></p>
  <//>`;
}

/** A page that sites can link to. It asks first, as any page can link to it. */
export function SignOut({ onDone }) {
  const action = useAction(async () => {
    sessionStorage.removeItem(LAST_SITE);
    await signOut();
    return true;
  });
  return html`<${CardPage} title=${sites.signOutTitle}>
    <p>${sites.signOutIntro}</p>
    <${Form} action=${action} submit=${shell.signOut} label=${sites.signOutTitle} onDone=${onDone} />
  <//>`;
}
