// The plugins' calls of a trace: which version, in which role, and where the time went.

import { read } from '../frame/api.js';
import { at } from '../frame/root.js';
import { bytes, cut, duration, el, foreign, plural, short, whole } from '../frame/text.js';

const HEADS = ['Plugin', 'Role', 'Outcome', 'Took', 'Instantiated in', 'In the guest', 'Host and waiting', 'Host calls', 'Fuel', 'Memory'];
// Which columns aren't of numbers.
const TEXTS = 3;

export function calls(trace, signal) {
  const made = trace.spans.filter((span) => span.attribute('plugin.name') !== undefined);
  if (made.length === 0) return null;
  const roles = [];
  const rows = made.map((span) => {
    const of = (name) => span.attribute(`plugin.${name}`);
    const role = el('td', {}, foreign(of('rollout') ?? ''));
    if (of('rollout') === 'canary' || of('rollout') === 'shadow') roles.push({ role, number: of('number') });
    const instantiated = of('instantiate_us');
    const guest = of('guest_us');
    const rest = guest === undefined ? undefined : Math.max(0, span.duration_us - guest - (instantiated ?? 0));
    const time = (us) => el('td', { class: 'number' }, us === undefined ? el('span', { class: 'dim' }, '\u2013') : duration(us));
    return el('tr', { class: span.isError ? 'is-error' : '' },
      el('th', { scope: 'row' }, named(span)),
      role,
      el('td', { class: of('outcome') === 'ok' ? 'dim' : '' }, cut(of('outcome') ?? '')),
      time(span.duration_us),
      of('instance') === 'reused' ? el('td', { class: 'number dim' }, 'reused') : time(instantiated),
      time(guest), time(rest),
      el('td', { class: 'number' }, of('host_calls') === undefined ? '\u2013' : whole(of('host_calls'))),
      el('td', { class: 'number' }, of('fuel_used') === undefined ? el('span', { class: 'dim', title: 'Fuel isn\u2019t counted here' }, '\u2013') : short(Number(of('fuel_used')))),
      el('td', { class: 'number' }, of('memory_bytes') === undefined ? '\u2013' : bytes(of('memory_bytes'))));
  });
  if (roles.length > 0) tellShare(roles, signal);
  return el('section', { class: 'sheet', 'aria-labelledby': 'calls-title' },
    el('div', { class: 'head' }, el('h2', { id: 'calls-title' }, 'Plugin calls ', el('span', { class: 'count' }, whole(made.length)))),
    el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Plugin calls, as a table' }, el('table', { class: 'rows calls' },
      el('caption', { class: 'unseen' }, plural(made.length, 'call')),
      el('thead', {}, el('tr', {}, HEADS.map((head, index) => el('th', { scope: 'col', class: index >= TEXTS ? 'number' : '' }, head)))),
      el('tbody', {}, rows))));
}

/** Returns the version's name and number, which leads to the traces that called it. */
function named(span) {
  const of = (name) => span.attribute(`plugin.${name}`);
  const where = of('installation') === undefined ? of('kind') : `${of('kind')}/${of('installation')}`;
  const number = of('number');
  return [
    foreign(`${of('name')} ${of('version') ?? ''}`.trim()), ' ',
    number === undefined ? '' : el('a', { href: at(`/traces?q=${encodeURIComponent(`plugin:#${number}`)}`), 'data-link': true, title: 'Traces that called this version' }, `#${number}`),
    ' ', foreign(where ?? '', { class: 'dim' }),
  ];
}

/** Says which share of the requests a rollout has, if it is still the one of these calls. */
async function tellShare(roles, signal) {
  try {
    const { state, mode, percent, version } = await read('/plugins/rollout', signal);
    for (const { role, number } of roles) {
      if (state === 'running' && mode === 'canary' && version.id === number) role.append(` at ${percent} %`);
    }
  } catch {
    // There is no rollout any more, or none that says so.
  }
}
