// What all that match have in common: figures, heatmap, groups, and what sets them apart from the others.

import { Refused, read } from '../frame/api.js';
import { restAfter } from '../frame/live.js';
import { duration, el, foreign, whole } from '../frame/text.js';
import { Differences } from './differences.js';
import { Groups } from './groups.js';
import { Heatmap } from './heatmap.js';
import { tookTerm, without, withTerm } from './terms.js';

const REST_MS_MIN = 4000;

export class Overview {
  #asked = null;
  #due = 0;

  constructor(choice) {
    this.choice = choice;
    this.figures = el('dl', { class: 'figures', 'aria-label': 'Figures of all that match' });
    this.bad = el('p', { class: 'bad', hidden: true });
    this.heatmap = new Heatmap((range) => this.#narrow(range));
    this.groups = new Groups((term) => choice.narrowed(term), (group) => choice.set({ group }));
    this.differences = new Differences(choice);
    const panel = (name, label) => el('button', { type: 'button', onclick: () => choice.set({ panel: name }) }, label);
    this.panels = new Map([['', [panel('', 'Groups'), this.groups.element]], ['differences', [panel('differences', 'What differs'), this.differences.element]]]);
    this.element = el('section', { class: 'sheet overview', 'aria-label': 'All that match' },
      this.figures, this.bad,
      el('div', { class: 'halves' }, this.heatmap.element,
        el('div', { class: 'facets' },
          el('div', { class: 'switch', role: 'group', 'aria-label': 'Beside the heatmap' }, [...this.panels.values()].map(([button]) => button)),
          this.groups.element, this.differences.element)));
    this.#drawPanel();
    // Their place is taken at once, so that nothing moves when they come.
    this.#drawFigures({ matched: null, errors: null });
  }

  leave() {
    this.#asked?.abort();
    this.heatmap.leave();
    this.differences.leave();
  }

  changed() {
    this.#drawPanel();
    this.load();
  }

  get #isOfDifferences() {
    return this.choice.values.panel === 'differences';
  }

  #drawPanel() {
    for (const [name, [button, element]] of this.panels) {
      button.setAttribute('aria-pressed', String(name === this.choice.values.panel));
      element.hidden = name !== this.choice.values.panel;
    }
    if (this.#isOfDifferences) this.differences.load();
  }

  loadIfDue() {
    if (performance.now() >= this.#due) this.load();
  }

  async load() {
    this.#asked?.abort();
    const asked = (this.#asked = new AbortController());
    const began = performance.now();
    this.#due = Infinity;
    const group = this.choice.values.group || 'item';
    try {
      const found = await read(`/recent/statistics?${this.choice.asked({ group, of: this.choice.values.view })}`, asked.signal);
      if (asked.signal.aborted) return;
      this.bad.hidden = true;
      this.#drawFigures(found);
      this.heatmap.draw(found.heatmap);
      this.groups.draw(group, found);
    } catch (error) {
      if (error.name === 'AbortError') return;
      // What is wrong with the query is said at its field, and the list says when the host is away.
      this.bad.hidden = !(error instanceof Refused) || error.status === 422;
      this.bad.replaceChildren(foreign(error.message));
    }
    this.#due = performance.now() + Math.max(REST_MS_MIN, restAfter(began));
  }

  #drawFigures({ matched, errors, duration: took }) {
    const figure = (label, value, of = '') => el('div', { class: of }, el('dt', {}, label), el('dd', {}, value));
    const time = (name) => (took ? duration(took[name]) : '\u2013');
    const count = (of) => (of === null ? '\u2013' : whole(of));
    this.figures.replaceChildren(
      figure('Matched', count(matched)), figure('Errors', count(errors), errors > 0 ? 'bad' : ''),
      figure('p50', time('p50_us')), figure('p95', time('p95_us')), figure('p99', time('p99_us')), figure('Longest', time('max_us')));
  }

  /** Narrows the list to what was marked in the heatmap. */
  #narrow({ after_us, before_us, from_us, to_us }) {
    this.choice.set({ q: withTerm(without(without(this.choice.values.q, 'took'), 'since'), tookTerm(from_us, to_us)), after_us: String(after_us), before_us: String(before_us) });
  }
}
