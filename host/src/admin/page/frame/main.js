// Shows the view that the path names, in the frame of the rail. Links between views don't load the page anew.

import { listenToKeys } from './keys.js';
import { at } from './root.js';
import { el, foreign } from './text.js';
import { VIEWS, viewOf } from './views.js';

let leave = () => {};
let shown = null;

const main = document.getElementById('main');
// The document's own addresses are relative to the view that was loaded, and the browser asks for some of them again.
document.querySelector('a.brand').href = at('/console');
document.querySelector('link[rel=icon]').href = at('/page/icon.svg');
for (const image of document.querySelectorAll('.brand img')) image.src = at('/page/icon.svg');

const links = new Map(VIEWS.map((view) => [view, el('a', { href: at(view.path), 'data-link': true },
  view.name, el('kbd', { 'aria-hidden': 'true' }, view.key))]));
document.getElementById('views').append(...[...links.values()].map((link) => el('li', {}, link)));

function show() {
  shown = location.pathname + location.search;
  leave();
  main.replaceChildren();
  const found = viewOf(location.pathname.slice(at('').length));
  for (const [view, link] of links) {
    if (view !== found?.view) {
      link.removeAttribute('aria-current');
      continue;
    }
    link.setAttribute('aria-current', 'page');
    // In a small window the rail is wider than its place.
    link.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }
  leave = found ? found.view.show(main, found.rest, go) : showNothing();
}

function showNothing() {
  document.title = 'No such view \u00b7 Till';
  main.append(el('h1', {}, 'There is no such view'),
    el('p', { class: 'note' }, 'The console has no ', el('code', {}, foreign(location.pathname)), '. The rail has its views.'));
  return () => {};
}

/** Goes to a path of this page. */
export function go(path) {
  history.pushState({ from: location.pathname + location.search }, '', path);
  show();
  scrollTo(0, 0);
  main.focus({ preventScroll: true });
}

document.addEventListener('click', (event) => {
  const link = event.target.closest('a[data-link]');
  if (!link || event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(link.getAttribute('href'));
});
addEventListener('popstate', () => {
  // A jump within the page, as of "skip to the content", changes nothing of this.
  if (location.pathname + location.search !== shown || location.hash === '') show();
});
listenToKeys(() => viewOf(location.pathname.slice(at('').length))?.view, go);
show();
