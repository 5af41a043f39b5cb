// The sentence of the shop's state, and what of it needs somebody.

import { at } from '../frame/root.js';
import { duration, el, foreign, short, whole } from '../frame/text.js';

// What is told is of the last minute: a sample is some seconds.
const LAST_S = 60;
const REFUSALS = ['rejected', 'insufficient_stock'];

/** Draws the state from the host's answers; `rollout` is `null` if none is open. */
export function drawState(sentence, warnings, { charts, plugins, rollout }) {
  const { asked, selling, refused, failed, p99_ms } = lastMinute(charts);
  const parts = [asked > 0
    ? [el('strong', {}, `Selling ${short(selling)}/s`), `, ${percent(refused)} of the checkouts refused, `, el('span', { class: failed > 0 ? 'state bad' : '' }, `${percent(failed)} failed`), p99_ms === null ? '' : `, 99 in 100 within ${duration(p99_ms * 1000)}`]
    : [el('strong', {}, 'Nobody buys'), ' at the moment']];
  if (rollout && ['running', 'paused'].includes(rollout.state)) parts.push(['; ', ...ofRollout(rollout)]);
  sentence.replaceChildren(...parts.flat(), '.');

  const needs = charts.warnings.map((warning) => [warning]);
  for (const plugin of plugins.filter(({ breaker }) => breaker === 'open')) {
    needs.push([el('strong', {}, foreign(nameOf(plugin))), ' fails so often that calls are refused. ', el('a', { href: at('/traces?errors=true'), 'data-link': true }, 'Its failures'), ', ', el('a', { href: at('/console/plugins'), 'data-link': true }, 'roll back')]);
  }
  warnings.replaceChildren(...needs.map((need) => el('li', {}, el('span', { class: 'sign', 'aria-hidden': 'true' }, '\u25b2 '), ...need)));
}

function ofRollout({ state, version, mode, percent: share, gates, figures }) {
  const link = el('a', { href: at('/console/plugins'), 'data-link': true }, foreign(`${version.kind} ${version.name} #${version.number}`));
  const is = mode === 'shadow' ? 'runs in the shadow' : `is a canary${share === undefined ? '' : ` at ${share} %`}`;
  const wanted = gates?.calls_min ?? null;
  const calls = figures ? `, ${whole(figures.candidate.calls)}${wanted === null ? '' : ` of ${whole(wanted)}`} calls` : '';
  return [link, ` ${is}${state === 'paused' ? ', paused' : ''}${calls}`];
}

function nameOf({ kind, installation, name, version }) {
  return `${kind}${installation ? `/${installation}` : ''} ${name}@${version}`;
}

/** Returns what the last minute's samples say: checkouts asked for, sales a second, the shares that were refused and that failed, the 99th percentile. */
export function lastMinute({ times, every_s, routes, plugin_calls }) {
  const count = Math.max(1, Math.round(LAST_S / every_s));
  const samples = Math.min(count, times.length);
  const total = (values) => values.slice(-count).reduce((sum, value) => sum + (value ?? 0), 0);
  const checkout = routes.find(({ route }) => route === '/checkout');
  if (!checkout || samples === 0) return { asked: 0, selling: 0, refused: 0, failed: 0, p99_ms: null };
  const asked = total(checkout.requests);
  const refused = plugin_calls.filter(({ kind, outcome }) => kind === 'checkout' && REFUSALS.includes(outcome)).reduce((sum, line) => sum + total(line.calls), 0);
  const p99 = checkout.p99_ms.slice(-count).filter((value) => value !== null);
  const share = (part) => (asked > 0 ? Math.min(1, part / asked) : 0);
  const failed = total(checkout.errors);
  return { asked, selling: Math.max(0, asked - refused - failed) / samples, refused: share(refused), failed: share(failed), p99_ms: p99.length === 0 ? null : Math.max(...p99) };
}

function percent(share) {
  return `${share === 0 ? 0 : short(100 * share)} %`;
}
