// Which view is shown: the list at /traces, a trace at /traces/{id}. Links between them don't load the page anew.

import { showList } from './list.js';
import { at } from './root.js';
import { showTrace } from './trace.js';

let leave = () => {};
let shown = null;

const main = document.getElementById('main');
// The document's own addresses are relative to the view that was loaded, and the browser asks for some of them again.
document.querySelector('a.brand').href = at('/traces');
document.querySelector('link[rel=icon]').href = at('/page/icon.svg');

function show() {
  shown = location.pathname + location.search;
  leave();
  main.replaceChildren();
  const [, id] = location.pathname.slice(at('/').length).split('/');
  leave = id ? showTrace(main, decodeURIComponent(id), go) : showList(main, go);
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
show();
