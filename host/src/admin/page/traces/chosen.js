// What is chosen besides the query: a time, and whether traces or spans are listed.

import { clock, el } from '../frame/text.js';
import { valueOf, withTerm, without } from './terms.js';

// How far back one looks, as `since` takes it.
const SINCE = [['5m', '5 min'], ['15m', '15 min'], [null, 'All kept']];

export class Chosen {
  /** `more` stands at the end of the line. */
  constructor(choice, more) {
    this.choice = choice;
    this.since = new Map(SINCE.map(([value, label]) => [value, el('button', { type: 'button', onclick: () => this.#since(value) }, label)]));
    const view = (value, label) => el('button', { type: 'button', onclick: () => choice.set({ view: value }) }, label);
    this.views = new Map([['', view('', 'Traces')], ['spans', view('spans', 'Spans')]]);
    this.range = el('span', { class: 'range' });
    this.clear = el('button', { type: 'button', class: 'quiet', onclick: () => choice.clear() }, 'Clear filters');
    this.element = el('div', { class: 'chosen' },
      el('div', { class: 'switch', role: 'group', 'aria-label': 'Time' }, [...this.since.values()]),
      el('div', { class: 'switch', role: 'group', 'aria-label': 'What is listed' }, [...this.views.values()]),
      this.range, this.clear, more);
  }

  draw() {
    const { q, after_us, before_us, view } = this.choice.values;
    const since = valueOf(q, 'since');
    for (const [value, button] of this.since) button.setAttribute('aria-pressed', String(value === since && !after_us && !before_us));
    for (const [value, button] of this.views) button.setAttribute('aria-pressed', String(value === view));
    this.range.replaceChildren();
    const said = timeRange(this.choice.values);
    if (said) {
      const all = () => this.choice.set({ after_us: '', before_us: '' });
      this.range.append(el('span', { class: 'chip' }, said,
        el('button', { type: 'button', 'aria-label': 'Clear the time range', onclick: all }, '\u00d7')));
    }
    this.clear.hidden = !this.choice.narrow;
  }

  #since(value) {
    const rest = without(this.choice.values.q, 'since');
    this.choice.set({ q: value === null ? rest : withTerm(rest, `since:${value}`), after_us: '', before_us: '' });
  }
}

function timeRange({ after_us, before_us }) {
  const time = (us) => clock(Number(us), false);
  if (after_us && before_us) return `${time(after_us)} to ${time(before_us)}`;
  if (after_us) return `after ${time(after_us)}`;
  return before_us ? `before ${time(before_us)}` : null;
}
