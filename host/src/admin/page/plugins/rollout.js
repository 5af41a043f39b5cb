// The rollout under way: how far it is, each gate's figure beside its limit, calls that differ, and what can be decided.

import { at } from '../frame/root.js';
import { send } from '../frame/api.js';
import { clock, cut, el, foreign, plural, whole } from '../frame/text.js';
import { confirmed } from './confirm.js';
import { age, named, percent, place, versionLink } from './words.js';

const DIFFERENCES_MAX = 20;

/** Returns the sheet of a rollout; `changed` is told what a change came to. */
export function rolloutSheet(rollout, live, differences, changed) {
  const { mode, percent: share, version, state, started_by, started_at_ms, reason } = rollout;
  const how = mode === 'shadow' ? 'a shadow of every request' : `a canary on ${share} % of the requests`;
  const isOpen = state === 'running' || state === 'paused';
  const good = { running: 'good', promoted: 'good', paused: 'warn' }[state] ?? 'bad';
  return el('section', { class: 'sheet rollout', 'aria-labelledby': 'rollout-title' },
    el('div', { class: 'head' },
      el('h2', { id: 'rollout-title' }, isOpen ? 'Tried beside the live version' : 'The last rollout'),
      el('span', { class: `state ${good}` }, state.replace('_', ' ')),
      el('span', { class: 'status' }, versionLink(version), ` at ${place(version)}, as ${how}, since ${age(Date.now() - started_at_ms)}, by `, cut(started_by))),
    el('p', { class: 'line' }, foreign(reason)),
    rollout.figures && gates(rollout),
    differences.count > 0 && differing(differences),
    isOpen && el('div', { class: 'actions' }, actions(rollout, live, changed)));
}

function gates({ gates: limits, figures, mode }) {
  const { candidate, live, differing } = figures;
  const calls = candidate.calls;
  const row = (name, figure, limit, beside, isOver) => el('tr', { class: isOver ? 'is-error' : null },
    el('th', { scope: 'row' }, name), el('td', { class: 'number' }, figure), el('td', { class: 'number' }, limit), el('td', { class: 'number' }, beside),
    el('td', {}, el('span', { class: `state ${isOver ? 'bad' : 'good'}` }, isOver ? 'over its limit' : 'within')));
  const share = (of, part) => percent(part, of.calls);
  const over = (part, of, max) => of > 0 && (100 * part) / of > max;
  const p99 = live.p99_micros > 0 ? (100 * candidate.p99_micros) / live.p99_micros : 0;
  const apart = outcomesApart(candidate, live);
  return el('div', {},
    el('div', { class: 'progress' },
      el('label', { for: 'rollout-calls' }, `${whole(calls)} of ${plural(limits.calls_min, 'call')}`),
      el('progress', { id: 'rollout-calls', max: String(limits.calls_min), value: String(Math.min(calls, limits.calls_min)) }),
      el('span', { class: 'dim' }, `then it is decided, at the latest ${age(limits.duration_ms)} after it began; a gate counts once chance is ruled out`)),
    el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Gates' }, el('table', { class: 'rows' },
      el('thead', {}, el('tr', {}, ['Gate', 'Candidate', 'Limit', 'Live', 'So far'].map((name, index) => el('th', { scope: 'col', class: index > 0 && index < 4 ? 'number' : null }, name)))),
      el('tbody', {},
        row('Faults', share(candidate, candidate.traps), `${limits.trap_percent_max} %`, share(live, live.traps), over(candidate.traps, calls, limits.trap_percent_max)),
        row('No decision', share(candidate, candidate.undecided), `${limits.trap_percent_max} %`, share(live, live.undecided), over(candidate.undecided, calls, limits.trap_percent_max)),
        row('Deadlines', share(candidate, candidate.deadlines), `${limits.deadline_percent_max} %`, share(live, live.deadlines), over(candidate.deadlines, calls, limits.deadline_percent_max)),
        mode === 'shadow'
          ? row('Differing calls', percent(differing ?? 0, calls), `${limits.outcome_percent_max} %`, '\u2013', over(differing ?? 0, calls, limits.outcome_percent_max))
          : [row('p99', `${whole(candidate.p99_micros)} \u00b5s`, `${limits.p99_percent_max} % of live`, `${whole(live.p99_micros)} \u00b5s`, p99 > limits.p99_percent_max),
            row('Outcomes apart', `${apart.toFixed(1)} points`, `${limits.outcome_percent_max} points`, '\u2013', apart > limits.outcome_percent_max)]))));
}

/** Returns the largest difference between the shares of an outcome, in percentage points. */
function outcomesApart(candidate, live) {
  const all = ({ outcomes }) => Object.values(outcomes).reduce((sum, calls) => sum + calls, 0);
  const [ours, theirs] = [all(candidate), all(live)];
  if (ours === 0 || theirs === 0) return 0;
  const words = new Set([...Object.keys(candidate.outcomes), ...Object.keys(live.outcomes)]);
  return Math.max(...[...words].map((word) => Math.abs((100 * (candidate.outcomes[word] ?? 0)) / ours - (100 * (live.outcomes[word] ?? 0)) / theirs)));
}

function differing({ count, differences }) {
  return el('div', { class: 'differing' },
    el('h3', {}, `${plural(count, 'call')} differed`),
    el('ul', {}, differences.slice(0, DIFFERENCES_MAX).map(({ trace_id, at_ms, parts }) => el('li', {},
      el('a', { href: at(`/traces/${trace_id}`), 'data-link': true, 'data-keep': `differs-${trace_id}` }, clock(at_ms * 1000)), ' ',
      parts.map(({ part, live, candidate }) => foreign(`${part}: ${candidate} instead of ${live} `))))));
}

function actions({ version, state }, live, changed) {
  const beside = live ? named(live) : 'the live version';
  const change = (what, title, button, sentence) => el('button', {
    type: 'button', class: what === 'promote' ? 'main' : 'quiet', 'data-keep': `rollout-${what}`,
    onclick: async () => changed(await confirmed({
      title, sentence, button,
      act: async (by) => {
        const { state: now, version: of, reason } = await send('POST', `/plugins/rollout/${what}`, by);
        return `${place(of)} ${named(of)} is ${now.replace('_', ' ')}: ${reason}`;
      },
    })),
  }, button);
  return [
    change('promote', `Promote #${version.id}?`, `Promote #${version.id}`, `${named(version)} becomes live at ${place(version)} for every request, in the place of ${beside}.`),
    state === 'running'
      ? change('pause', `Pause the trial of #${version.id}?`, 'Pause', `${named(version)} runs on no request until it is resumed; ${beside} serves them all.`)
      : change('resume', `Resume the trial of #${version.id}?`, 'Resume', `${named(version)} runs again beside ${beside}, and is counted from zero.`),
    change('abort', `Abort the trial of #${version.id}?`, `Abort #${version.id}`, `${named(version)} is withdrawn and runs on no request any more; ${beside} stays live.`),
  ];
}
