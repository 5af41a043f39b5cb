// The traces before and after this one: of the same item, of the same plugin's version, of the same route.

import { read } from '../frame/api.js';
import { at } from '../frame/root.js';
import { clock, cut, day, duration, el, foreign } from '../frame/text.js';
import { written } from '../traces/terms.js';

// How many on each side.
const COUNT = 3;

export function neighbours(trace, signal) {
  const first = (key) => trace.spans.map((span) => span.attribute(key)).find((value) => value !== undefined);
  const queries = [
    ['Same item', 'item', first('order.item') ?? first('inventory.item')],
    ['Same plugin', 'plugin', first('plugin.number') === undefined ? undefined : `#${first('plugin.number')}`],
    ['Same route', 'route', first('http.route')],
  ].filter(([, , value]) => value !== undefined);
  if (queries.length === 0) return null;
  const body = el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Before and after, as a table' });
  const buttons = queries.map(([label, key, value]) => {
    const button = el('button', { type: 'button', 'aria-pressed': 'false' }, label);
    button.addEventListener('click', () => show(button, `${key}:${written(value)}`));
    return button;
  });
  const all = el('a', { 'data-link': true }, 'All of them');
  const show = async (button, query) => {
    for (const each of buttons) each.setAttribute('aria-pressed', String(each === button));
    all.href = at(`/traces?q=${encodeURIComponent(query)}`);
    try {
      const [before, after] = await around(trace, query, signal);
      if (button.getAttribute('aria-pressed') === 'true') body.replaceChildren(table(trace, before, after));
    } catch (error) {
      if (error.name !== 'AbortError') body.replaceChildren(el('p', { class: 'bad' }, foreign(error.message)));
    }
  };
  buttons[0].click();
  return el('section', { class: 'sheet', 'aria-labelledby': 'neighbours-title' },
    el('div', { class: 'head' }, el('h2', { id: 'neighbours-title' }, 'Before and after'),
      el('div', { class: 'switch', role: 'group', 'aria-label': 'Which traces' }, buttons), all),
    body);
}

async function around(trace, query, signal) {
  const start_us = rootOf(trace).start_us;
  const ask = async (more) => {
    const asked = new URLSearchParams({ q: query, limit: String(COUNT + 1), ...more });
    const { traces } = await read(`/recent/traces?${asked}`, signal);
    return traces.filter(({ trace_id }) => trace_id !== trace.id).slice(0, COUNT);
  };
  const [before, after] = await Promise.all([ask({ before_us: String(start_us) }), ask({ after_us: String(start_us), sort: 'oldest' })]);
  const seen = new Set(before.map(({ trace_id }) => trace_id));
  return [before.reverse(), after.filter(({ trace_id }) => !seen.has(trace_id))];
}

function rootOf(trace) {
  return trace.roots[0];
}

function table(trace, before, after) {
  const own = { trace_id: trace.id, start_us: rootOf(trace).start_us, duration_us: trace.duration_us, isOwn: true };
  return el('table', { class: 'rows' },
    el('caption', { class: 'unseen' }, 'The traces before and after this one'),
    el('thead', {}, el('tr', {}, ['Began', 'Request', 'Outcome', 'Duration', 'Compare'].map((head, index) => el('th', { scope: 'col', class: index === 3 ? 'number' : '' }, head)))),
    el('tbody', {}, [...before, own, ...after].map((of) => (of.isOwn
      ? el('tr', { class: 'own' }, el('th', { scope: 'row', title: day(of.start_us) }, clock(of.start_us)), el('td', { colspan: '2' }, 'This trace'), el('td', { class: 'number' }, duration(of.duration_us)), el('td'))
      : el('tr', { class: of.is_error ? 'is-error' : '' },
        el('th', { scope: 'row', title: day(of.start_us) }, clock(of.start_us)),
        el('td', {}, el('a', { href: at(`/traces/${of.trace_id}`), 'data-link': true }, cut(of.name)), of.item && [' ', cut(of.item, { class: 'dim' })]),
        el('td', {}, of.is_error && el('span', { class: 'went failed' }, '\u2715 '), cut(of.outcome ?? (of.status ?? ''))),
        el('td', { class: 'number' }, duration(of.duration_us)),
        el('td', {}, el('a', { href: at(`/traces/compare?a=${of.trace_id}&b=${trace.id}`), 'data-link': true, 'aria-label': `Compare with the trace of ${clock(of.start_us)}` }, 'Compare')))))));
}
