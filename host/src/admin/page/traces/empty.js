// What stands in place of a list that is empty.

import { copyButton } from '../frame/say.js';
import { el, plural } from '../frame/text.js';

/** Nothing that is kept matches. */
export function noneIsLikeThat(choice, kept) {
  return [
    el('p', { class: 'title' }, choice.values.view === 'spans' ? 'No kept span is like that' : 'No kept trace is like that'),
    el('p', {}, 'Loosen the query, or ', el('button', { type: 'button', class: 'inline', onclick: () => choice.clear() }, 'clear it'), '. ',
      kept?.traces > 0 ? `${plural(kept.traces, 'trace')} ${kept.traces === 1 ? 'is' : 'are'} kept.` : ''),
  ];
}

/** Nobody has bought anything yet. */
export function nothingYet() {
  const line = `curl -XPOST http://${location.hostname}:8000/checkout -H 'content-type: application/json' \\\n     -d '{"item":"headphones","quantity":1,"price":99.99}'`;
  return [
    el('p', { class: 'title' }, 'Nothing has happened yet'),
    el('p', {}, 'Buy something, and it stands here a moment later. With the demo\u2019s shop (its port is on the line that till printed at its start):'),
    el('div', { class: 'shell' }, el('pre', { tabindex: '0' }, line), copyButton(line, 'Copy')),
    el('p', {}, 'Then try ', el('code', {}, '3'), ' of ', el('code', {}, 'smartphone'), ', which is slow, and ', el('code', {}, '2'), ' of ', el('code', {}, 'laptop'), ', which often fails.'),
  ];
}
