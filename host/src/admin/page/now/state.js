// The sentence of the shop's state, and what of it needs somebody.

import { at } from '../frame/root.js';
import { duration, el, foreign, short, whole } from '../frame/text.js';

/** The query of the checkouts whose shares the sentence says. */
export const LAST_MINUTE = 'route:/checkout since:1m';
const LAST_S = 60;

/**
 * Draws the state from the host's answers. `checkouts` are the figures of the last minute's checkouts by status, `null` if no
 * traces are kept; `rollout` is `null` if there was none.
 */
export function drawState(sentence, warnings, { charts, checkouts, plugins, rollout }) {
  // The charts' first sample comes some seconds after a start.
  const asked = Math.max(perSecond(charts), (checkouts?.matched ?? 0) / LAST_S);
  const parts = asked > 0 ? ofSales(asked, checkouts) : [el('strong', {}, 'Nobody buys'), ' at the moment'];
  if (rollout && ['running', 'paused'].includes(rollout.state)) parts.push('; ', ...ofRollout(rollout));
  sentence.replaceChildren(...parts, '.');

  const needs = charts.warnings.map((warning) => [warning]);
  for (const plugin of plugins.filter(({ breaker }) => breaker === 'open')) {
    needs.push([el('strong', {}, foreign(nameOf(plugin))), ' fails so often that calls are refused. ', link('/traces?q=error%3Atrue', 'Its failures'), ', ', link('/console/plugins', 'roll back')]);
  }
  warnings.replaceChildren(...needs.map((need) => el('li', {}, el('span', { class: 'sign', 'aria-hidden': 'true' }, '\u25b2 '), ...need)));
}

/** Returns how many checkouts there were a second in the last minute. */
function perSecond({ times, every_s, routes }) {
  const count = Math.min(Math.round(LAST_S / every_s), times.length);
  const requests = routes.find(({ route }) => route === '/checkout')?.requests.slice(-count) ?? [];
  return requests.reduce((sum, value) => sum + (value ?? 0), 0) / Math.max(1, count);
}

function ofSales(asked, checkouts) {
  if (!checkouts || checkouts.matched === 0) return [el('strong', {}, `${often(asked)} checkouts`)];
  const share = (begin) => checkouts.groups.filter(({ value }) => value.startsWith(begin)).reduce((sum, { matched }) => sum + matched, 0) / checkouts.matched;
  const [sold, refused, failed] = ['2', '4', '5'].map(share);
  return [
    el('strong', {}, `Selling ${often(asked * sold)}`), ', ',
    ofTraces('status:4xx', `${percent(refused)} of the checkouts refused`), ', ',
    ofTraces('status:5xx', `${percent(failed)} failed`, failed > 0 ? 'state bad' : ''), `, 99 in 100 within ${duration(checkouts.duration.p99_us)}`,
  ];
}

function ofRollout({ state, version, mode, percent: share, gates, figures }) {
  const is = mode === 'shadow' ? 'runs in the shadow' : `is a canary at ${share} %`;
  const calls = figures ? `, ${whole(figures.candidate.calls)} of ${whole(gates.calls_min)} calls` : '';
  return [link('/console/plugins', foreign(`${version.kind} ${version.name} #${version.id}`)), ` ${is}${state === 'paused' ? ', paused' : ''}${calls}`];
}

function nameOf({ kind, installation, name, version }) {
  return `${kind}${installation ? `/${installation}` : ''} ${name}@${version}`;
}

/** Returns a link to the last checkouts that are like that. */
function ofTraces(terms, text, name = '') {
  return link(`/traces?${new URLSearchParams({ q: `route:/checkout ${terms}` })}`, text, name);
}

function link(path, text, name = '') {
  return el('a', { href: at(path), 'data-link': true, class: name }, text);
}

/** Returns a rate, by the minute where that is less than one a second. */
function often(perSecond) {
  return perSecond < 1 ? `${short(perSecond * 60)}/min` : `${short(perSecond)}/s`;
}

function percent(share) {
  return `${share === 0 ? 0 : short(100 * share)} %`;
}
