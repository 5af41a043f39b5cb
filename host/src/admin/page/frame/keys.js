// The frame's keys: `g` and a letter goes to a view, `?` tells the keys.

import { at } from './root.js';
import { el } from './text.js';
import { VIEWS } from './views.js';

// How long `g` waits for its letter.
const LETTER_MS = 3000;

/** Returns whether a key is for the page, and not for what is typed into or for the browser. */
export function isForPage(event) {
  return !event.metaKey && !event.ctrlKey && !event.altKey && !event.target.closest('input, select, textarea, dialog');
}

/** Listens to the keys, ahead of the shown view. `current` returns that view. */
export function listenToKeys(current, go) {
  let since = -Infinity;
  document.addEventListener('keydown', (event) => {
    if (!isForPage(event)) return;
    const isLetter = event.timeStamp - since < LETTER_MS;
    since = -Infinity;
    if (isLetter) {
      const view = VIEWS.find(({ key }) => key === event.key);
      if (!view) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      go(at(view.path));
    } else if (event.key === 'g') {
      since = event.timeStamp;
      event.stopImmediatePropagation();
    } else if (event.key === '?') {
      event.preventDefault();
      tell(current());
    }
  }, { capture: true });
  document.getElementById('show-keys').addEventListener('click', () => tell(current()));
}

function tell(view) {
  const dialog = document.getElementById('keys');
  const close = el('button', { type: 'button', class: 'main', onclick: () => dialog.close() }, 'Close');
  const list = (keys) => el('dl', {}, keys.flatMap(([key, what]) => [
    el('dt', {}, key.split(' ').map((one) => el('kbd', {}, one))), el('dd', {}, what)]));
  dialog.replaceChildren(el('h2', { id: 'keys-title' }, 'Keys'),
    list([...VIEWS.map(({ key, name }) => [`g ${key}`, name]), ['?', 'These keys']]),
    ...(view?.keys?.length ? [el('h2', {}, view.name), list(view.keys)] : []), close);
  dialog.showModal();
  close.focus();
}
