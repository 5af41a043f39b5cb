// Two traces side by side: spans matched by their place in the tree and their names, with what differs.

import { Refused, read } from '../frame/api.js';
import { at } from '../frame/root.js';
import { say } from '../frame/say.js';
import { clock, cut, day, duration, el, foreign, plural, visible } from '../frame/text.js';
import { model, ownTime } from './model.js';

// Values that no two traces share.
const UNIQUE = new Set(['order.reference', 'db.order_id', 'network.peer.port', 'plugin.instantiate_us', 'plugin.guest_us']);

/** Shows the comparison in `main`; returns what ends it. */
export function showComparison(main, go) {
  const asked = new AbortController();
  const [a, b] = ['a', 'b'].map((name) => new URLSearchParams(location.search).get(name) ?? '');
  const back = () => history.state?.from ?? at('/traces');
  const key = (event) => {
    if (event.key === 'Escape' && !event.target.closest('input, select, textarea, dialog')) go(back());
  };
  document.title = 'Two traces \u00b7 Till';
  document.addEventListener('keydown', key);
  main.append(el('nav', { class: 'back', 'aria-label': 'Back' }, el('a', { href: at('/traces'), 'data-link': true }, '\u2190 All traces')),
    el('h1', {}, 'Two traces'));
  const place = el('div', {}, el('p', { class: 'note' }, 'Reading them\u2026'));
  main.append(place);
  const ask = (id) => read(`/recent/traces/${encodeURIComponent(id)}`, asked.signal).then(model);
  Promise.all([ask(a), ask(b)]).then(([one, other]) => {
    if (!asked.signal.aborted) place.replaceChildren(...drawn(one, other));
  }).catch((error) => {
    if (error.name === 'AbortError') return;
    const gone = error instanceof Refused && error.status === 404;
    place.replaceChildren(el('div', { class: 'note' }, el('p', { class: 'title' }, gone ? 'One of them isn\u2019t kept any more' : 'They can\u2019t be read'),
      el('p', {}, gone ? 'Errors are kept longest.' : foreign(error.message))));
  });
  return () => {
    asked.abort();
    document.removeEventListener('keydown', key);
  };
}

function drawn(one, other) {
  const pairs = matched(one, other);
  const longest = Math.max(one.duration_us, other.duration_us);
  const alone = pairs.filter(({ a, b }) => !a || !b).length;
  const own = (span) => (span ? ownTime(span) : 0);
  const by = other.duration_us - one.duration_us;
  const changes = pairs.map((pair) => ({ ...pair, by: own(pair.b) - own(pair.a) }));
  const most = changes.toSorted((x, y) => Math.sign(by) * (y.by - x.by))[0];
  const told = `B took ${duration(Math.abs(by))} ${by < 0 ? 'less' : 'longer'} than A`;
  say(told);
  return [
    el('p', { class: 'compared' }, el('b', {}, told), by !== 0 && ['; most of it in ', foreign((most.a ?? most.b).name, { class: 'cut' }), ` (${signed(most.by)} of its own time)`],
      alone > 0 && `; ${plural(alone, 'span')} of only one of them`, '.'),
    el('div', { class: 'sheet' }, el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Spans of both, as a table' },
      el('table', { class: 'rows compare' },
        el('caption', { class: 'unseen' }, 'The spans of both traces, parents before children'),
        el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'Span'), head('A', one), head('B', other),
          el('th', { scope: 'col', class: 'number' }, 'Difference'), el('th', { scope: 'col' }, 'What differs'))),
        el('tbody', {}, pairs.map((pair) => row(pair, one, other, longest)))))),
  ];
}

function head(name, trace) {
  const root = trace.roots[0];
  return el('th', { scope: 'col' }, el('a', { href: at(`/traces/${trace.id}`), 'data-link': true, title: day(trace.start_us) }, `${name}: ${clock(trace.start_us)}`), ' ',
    foreign(root.attribute('http.response.status_code') ?? '', { class: trace.cause ? 'went failed' : 'dim' }), ' ', duration(trace.duration_us));
}

function row({ a, b, depth }, one, other, longest) {
  const span = a ?? b;
  const bar = (of, trace, name) => el('td', { class: 'timed' }, !of ? el('span', { class: 'dim' }, '\u2013') : [
    el('span', { class: `bar ${name}`, 'aria-hidden': 'true', vars: { '--from': ((of.start_us - trace.start_us) / longest).toFixed(5), '--share': (of.duration_us / longest).toFixed(5) } }),
    el('a', { href: at(`/traces/${trace.id}?span=${of.id}`), 'data-link': true, 'aria-label': `${visible(of.name).slice(0, 80)} in ${name.toUpperCase()}: ${duration(of.duration_us)}` }, duration(of.duration_us)),
    of.isError && el('span', { class: 'went failed' }, ' \u2715', el('span', { class: 'unseen' }, ' error'))]);
  const by = a && b ? b.duration_us - a.duration_us : null;
  return el('tr', { class: a && b ? '' : 'alone' },
    el('th', { scope: 'row', vars: { '--depth': Math.min(depth, 12) } }, cut(span.name)),
    bar(a, one, 'a'), bar(b, other, 'b'),
    el('td', { class: `number ${by !== null && Math.abs(by) > longest / 10 ? 'bad' : ''}` }, by === null ? el('span', { class: 'dim' }, a ? 'only in A' : 'only in B') : signed(by)),
    el('td', { class: 'wraps' }, a && b ? changed(a, b) : ''));
}

function changed(a, b) {
  const keys = [...new Set([...a.attributes, ...b.attributes].map(([key]) => key))].sort();
  const differ = keys.filter((key) => !UNIQUE.has(key) && String(a.attribute(key)) !== String(b.attribute(key)));
  if (differ.length === 0) return el('span', { class: 'dim' }, 'nothing');
  const value = (of) => (of === undefined ? el('span', { class: 'dim' }, 'none') : cut(of));
  return el('details', {}, el('summary', {}, plural(differ.length, 'attribute')),
    el('dl', { class: 'changes' }, differ.map((key) => el('div', {}, el('dt', {}, foreign(key)), el('dd', {}, value(a.attribute(key)), ' \u2192 ', value(b.attribute(key)))))));
}

function signed(us) {
  return us === 0 ? '\u00b10' : `${us < 0 ? '\u2212' : '+'}${duration(Math.abs(us))}`;
}

/** Returns the spans of both in the order of a tree: `{a, b, depth}`, one of them undefined where only the other has it. */
function matched(one, other) {
  const pairs = [];
  const open = [...pairsOf(one.roots, other.roots)].reverse().map((pair) => ({ ...pair, depth: 0 }));
  while (open.length > 0) {
    const pair = open.pop();
    pairs.push(pair);
    const below = pairsOf(pair.a?.children ?? [], pair.b?.children ?? []);
    for (const child of below.reverse()) open.push({ ...child, depth: pair.depth + 1 });
  }
  return pairs;
}

/** Matches siblings by name: the first of a name with the first, the second with the second. */
function pairsOf(ones, others) {
  const left = [...others];
  const pairs = ones.map((a) => {
    const index = left.findIndex((b) => b.name === a.name);
    return { a, b: index < 0 ? undefined : left.splice(index, 1)[0] };
  });
  for (const b of left) {
    // Where it would stand by time among its siblings.
    const next = others.slice(others.indexOf(b) + 1);
    const index = pairs.findIndex((pair) => next.includes(pair.b));
    pairs.splice(index < 0 ? pairs.length : index, 0, { a: undefined, b });
  }
  return pairs;
}
