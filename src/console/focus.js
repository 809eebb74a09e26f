// Keeps the keyboard's place. What has the focus may go away by what it did: somebody who was approved, a session that
// was ended, a dialog that was answered. By itself the focus would fall back to the beginning of the page.

const REACHABLE = 'a[href], button:not(:disabled), input:not(:disabled, [type=hidden]), select:not(:disabled), textarea, summary';
let place = null;

function remember(element) {
  const row = element.closest('li, tr');
  const dialog = element.closest('dialog');
  const outside = dialog && (place?.dialog === dialog ? place.outside : place);
  place = {
    element,
    dialog,
    outside,
    rows: row?.parentElement,
    at: row ? [...row.parentElement.children].indexOf(row) : 0,
    text: element.textContent,
    group: element.parentElement,
    section: dialog ?? element.closest('section, main'),
  };
}

/** In a list: the same thing to do with whoever is next, or before, or else anything to do at this place. */
function inRows({ rows, at, text }) {
  if (!rows?.isConnected || !rows.children.length) return null;
  const list = [...rows.children];
  const from = Math.min(at, list.length - 1);
  const same = (row) => [...row.querySelectorAll(REACHABLE)].find((one) => one.textContent === text);
  for (const row of [...list.slice(from), ...list.slice(0, from).reverse()]) {
    const found = same(row);
    if (found) return found;
  }
  return list[from].querySelector(REACHABLE);
}

/** What is nearest to where the focus was. */
function nearest(lost) {
  // The page was drawn anew, as when what it shows has come.
  if (lost.element.tagName === 'H1') return document.querySelector('h1');
  const found = inRows(lost) ?? (lost.group.isConnected && lost.group.querySelector(REACHABLE));
  if (found) return found;
  if (lost.section?.isConnected) {
    return (lost.dialog && lost.dialog.querySelector('[autofocus]')) ?? lost.section.querySelector('h1, h2');
  }
  if (lost.outside) return lost.outside.element.isConnected ? lost.outside.element : nearest(lost.outside);
  return document.querySelector('h1');
}

/** From now on the focus is given to what is nearest whenever what has it is taken away or disabled. */
export function keepFocus() {
  document.addEventListener('focusin', (event) => remember(event.target));
  const look = () => {
    if (!place || ![document.body, place.dialog].includes(document.activeElement)) return;
    if (place.element.isConnected && !place.element.disabled) return;
    const to = nearest(place);
    if (!to) return;
    if (/^H\d$/.test(to.tagName)) to.tabIndex = -1;
    to.focus();
  };
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true, attributeFilter: ['disabled'] });
}
