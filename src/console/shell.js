// The frame around the pages of a signed-in user.

import { html, Avatar, Brand, Name, announce } from './ui.js';
import { base, useRoute } from './routing.js';
import { signOut } from './api.js';
import { Users } from './users.js';
import { UserPage } from './user.js';
import { Account } from './account.js';
import { Audit } from './audit.js';
import { session, shell } from './texts.js';

function Page({ at, me, setMe }) {
  if (at.page === 'account' || !me.is_superuser) return html`<${Account} me=${me} setMe=${setMe} />`;
  if (at.page === 'audit') return html`<${Audit} query=${at.query} />`;
  if (at.page === 'users' && at.id) return html`<${UserPage} key=${at.id} id=${at.id} me=${me} setMe=${setMe} />`;
  return html`<${Users} query=${at.query} />`;
}

export function Shell({ me, setMe, onLeave }) {
  const at = useRoute();
  const page = me.is_superuser ? at.page || 'users' : 'account';
  const link = (name) =>
    html`<a href="#/${name}" aria-current=${page === name ? 'page' : undefined}>${shell[name]}</a>`;
  const leave = async () => {
    try {
      await signOut();
      onLeave(session.signedOut);
    } catch (error) {
      announce(session.stillSignedIn(error.message));
    }
  };
  const skip = (event) => {
    event.preventDefault();
    document.querySelector('h1')?.focus();
  };
  return html`<a class="skip" href="#main" onClick=${skip}>${shell.skip}</a>
  <header class="top">
    <${Brand} />
    <nav aria-label=${shell.navigation}>
      ${me.is_superuser && link('users')}
      ${me.is_superuser && link('audit')}
      ${link('account')}
    </nav>
    <div class="who"><${Avatar} user=${me} /><${Name} text=${me.username} />
      <button onClick=${leave}>${shell.signOut}</button></div>
  </header>
  <main id="main"><${Page} at=${at} me=${me} setMe=${setMe} /></main>
  <footer class="muted small"><a href=${new URL('docs', base)}>${shell.api}</a></footer>`;
}
