// Restores the focus when the focused element is removed or disabled by its own action, such as approving a user or
// closing a dialog. The browser alone would move the focus to the start of the page.

const FOCUSABLE = 'a[href], button:not(:disabled), input:not(:disabled, [type=hidden]), select:not(:disabled), textarea, summary';
let last = null;

function remember(element) {
  const row = element.closest('li, tr');
  const dialog = element.closest('dialog');
  const outside = dialog && (last?.dialog === dialog ? last.outside : last);
  last = {
    element,
    dialog,
    outside,
    rows: row?.parentElement,
    index: row ? [...row.parentElement.children].indexOf(row) : 0,
    text: element.textContent,
    group: element.parentElement,
    section: dialog ?? element.closest('section, main'),
  };
}

/** In a list: the same control in the next or previous row, else any control of the row at this index. */
function inRows({ rows, index, text }) {
  if (!rows?.isConnected || !rows.children.length) return null;
  const list = [...rows.children];
  const from = Math.min(index, list.length - 1);
  const same = (row) => [...row.querySelectorAll(FOCUSABLE)].find((one) => one.textContent === text);
  for (const row of [...list.slice(from), ...list.slice(0, from).reverse()]) {
    const found = same(row);
    if (found) return found;
  }
  return list[from].querySelector(FOCUSABLE);
}

/** Returns the element nearest to the lost focus. */
function nearest(lost) {
  // The page's content was loaded and the heading replaced.
  if (lost.element.tagName === 'H1') return document.querySelector('h1');
  const found = inRows(lost) ?? (lost.group.isConnected && lost.group.querySelector(FOCUSABLE));
  if (found) return found;
  if (lost.section?.isConnected) {
    return (lost.dialog && lost.dialog.querySelector('[autofocus]')) ?? lost.section.querySelector('h1, h2');
  }
  if (lost.outside) return lost.outside.element.isConnected ? lost.outside.element : nearest(lost.outside);
  return document.querySelector('h1');
}

/** Watches the page, and moves a lost focus to the nearest element. */
export function keepFocus() {
  document.addEventListener('focusin', (event) => remember(event.target));
  const restore = () => {
    if (!last || ![document.body, last.dialog].includes(document.activeElement)) return;
    if (last.element.isConnected && !last.element.disabled) return;
    const to = nearest(last);
    if (!to) return;
    if (/^H\d$/.test(to.tagName)) to.tabIndex = -1;
    to.focus();
  };
  new MutationObserver(restore).observe(document.body, { childList: true, subtree: true, attributeFilter: ['disabled'] });
}
