// The changes of hooks' plugins that wait for a second person, and the decision about each.

import { send } from '../frame/api.js';
import { cut, day, el, foreign } from '../frame/text.js';
import { confirmed } from './confirm.js';
import { age, named, place, versionLink } from './words.js';

/** Returns the sheet of what waits, or `null` if nothing does; `changed` is told what a decision came to. */
export function approvalsSheet(approvals, changed) {
  const waiting = approvals.filter(({ state }) => state === 'waiting');
  if (waiting.length === 0) return null;
  return el('section', { class: 'sheet', 'aria-labelledby': 'approvals-title' },
    el('div', { class: 'head' }, el('h2', { id: 'approvals-title' }, 'Waits for another person'), el('span', { class: 'status' }, 'whoever asked for it can\u2019t approve it')),
    el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Changes that wait' }, el('table', { class: 'rows' },
      el('thead', {}, el('tr', {}, ['Change', 'What', 'Asked by', 'Since', 'Why', ''].map((name) => el('th', { scope: 'col' }, name || el('span', { class: 'unseen' }, 'Decision'))))),
      el('tbody', {}, waiting.map((approval) => row(approval, changed))))));
}

function row(approval, changed) {
  const { id, action, version, before, installations, asked_by, asked_at_ms, reason } = approval;
  const decide = (decision, label, sentence) => el('button', {
    type: 'button', class: 'quiet', 'data-keep': `${decision}-${id}`, 'aria-label': `${label} ${action} of ${place(approval)}`,
    onclick: async () => changed(await confirmed({
      title: `${label} approval ${id}?`, sentence, button: label,
      act: async (by) => {
        const { state } = await send('POST', `/plugins/approvals/${id}`, { decision, ...by });
        return `${action} of ${place(approval)} is ${state}`;
      },
    })),
  }, label);
  return el('tr', {},
    el('th', { scope: 'row' }, `${action} ${place(approval)}`),
    el('td', {}, version ? [versionLink(version), before ? `, before ${before}` : ''] : cut((installations ?? []).join(', '))),
    el('td', {}, cut(asked_by)),
    el('td', {}, el('time', { title: day(asked_at_ms * 1000) }, age(Date.now() - asked_at_ms))),
    el('td', { class: 'wraps' }, foreign(reason, { class: 'clamp' })),
    el('td', {}, el('div', { class: 'buttons' },
      decide('approve', 'Approve', approving(approval)),
      decide('reject', 'Reject', 'Nothing is changed. Whoever wants it has to ask again.'))));
}

/** Returns what happens when it is approved, as a sentence. */
function approving({ action, kind, version, before, installations, ...rest }) {
  const at = place({ kind, ...rest });
  if (action === 'install') return `${named(version)} is asked at ${at}${before ? `, before ${before}` : ''}, from the next request on.`;
  if (action === 'uninstall') return `${at} isn\u2019t asked any more, from the next request on.`;
  return `${kind} are asked in this order, from the next request on: ${(installations ?? []).join(', ')}.`;
}
