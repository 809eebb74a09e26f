// What somebody who is signed in sees: the frame, and the page that the address names in it.

import { html, Avatar, Brand, Name, say } from './ui.js';
import { base, useRoute } from './route.js';
import { signOut } from './api.js';
import { Users } from './users.js';
import { UserPage } from './user.js';
import { Account } from './account.js';
import { Audit } from './audit.js';

function Page({ at, me, setMe }) {
  if (at.page === 'account' || !me.is_superuser) return html`<${Account} me=${me} setMe=${setMe} />`;
  if (at.page === 'audit') return html`<${Audit} query=${at.query} />`;
  if (at.page === 'users' && at.id) return html`<${UserPage} key=${at.id} id=${at.id} me=${me} setMe=${setMe} />`;
  return html`<${Users} query=${at.query} />`;
}

export function Shell({ me, setMe, onLeave }) {
  const at = useRoute();
  const page = me.is_superuser ? at.page || 'users' : 'account';
  const link = (name, text) =>
    html`<a href="#/${name}" aria-current=${page === name ? 'page' : undefined}>${text}</a>`;
  const leave = async () => {
    try {
      await signOut();
      onLeave('You are signed out.');
    } catch (error) {
      say(`You are still signed in: ${error.message}`);
    }
  };
  const skip = (event) => {
    event.preventDefault();
    document.querySelector('h1')?.focus();
  };
  return html`<a class="skip" href="#main" onClick=${skip}>Skip to the content</a>
  <header class="top">
    <${Brand} />
    <nav aria-label="Main">
      ${me.is_superuser && link('users', 'Users')}
      ${me.is_superuser && link('audit', 'Audit')}
      ${link('account', 'My account')}
    </nav>
    <div class="who"><${Avatar} user=${me} /><${Name} text=${me.username} />
      <button onClick=${leave}>Sign out</button></div>
  </header>
  <main id="main"><${Page} at=${at} me=${me} setMe=${setMe} /></main>
  <footer class="quiet small"><a href=${new URL('docs', base)}>API</a></footer>`;
}
