// Now: one sentence of the shop's state with its way back, the charts, what happened, and a box that buys.

import { Refused, read } from '../frame/api.js';
import { Charts } from '../charts/charts.js';
import { why } from '../frame/form.js';
import { live, restAfter } from '../frame/live.js';
import { at } from '../frame/root.js';
import { el } from '../frame/text.js';
import { Heatmap } from '../traces/heatmap.js';
import { tookTerm } from '../traces/terms.js';
import { buyBox } from './buy.js';
import { LAST_MINUTE, drawState } from './state.js';
import { Timeline } from './timeline.js';

const REFRESH_MS = 2000;
const SLOW_MS = 5000;
// The host reads every kept trace for the heatmap, and for the sentence's shares.
const HEATMAP_MS = 10_000;
// What the charts and the heatmap may show, minutes. The charts have no more than the last.
const RANGES = [5, 15];
const SOLD = 'route:/checkout';

export const now = {
  name: 'Now',
  key: 'n',
  path: '/console',
  keys: [['b', 'Buy something']],
  show: (main, rest, go) => new Now(main, go).leave,
};

class Now {
  checkouts = null;
  due = 0;

  constructor(main, go) {
    document.title = 'Now \u00b7 Till';
    this.state = el('p', { class: 'sentence', id: 'state', role: 'status' }, 'Asking the host\u2026');
    this.warnings = el('ul', { class: 'warnings', 'aria-label': 'What needs somebody' });
    const traces = (query) => go(at(`/traces?${new URLSearchParams(query)}`));
    this.charts = new Charts((after_us, before_us) => traces({ after_us: Math.floor(after_us), before_us: Math.ceil(before_us) }));
    this.heatmap = new Heatmap(({ after_us, before_us, from_us, to_us }) => traces({
      q: `${SOLD} ${tookTerm(from_us, to_us)}`, after_us, before_us,
    }));
    this.range = el('select', { id: 'now-range', onchange: () => this.#draw() }, RANGES.map((minutes) => el('option', { value: minutes, selected: minutes === RANGES.at(-1) }, `the last ${minutes} minutes`)));
    // What happened stands below them, and lasts.
    this.charts.marks.hidden = true;
    this.timeline = new Timeline();
    this.buy = buyBox(go);
    main.append(el('h1', { class: 'unseen' }, 'Now'),
      el('section', { class: 'sheet now', 'aria-labelledby': 'state' }, this.state, this.warnings),
      el('p', { class: 'range-choice' }, el('label', { for: 'now-range' }, 'Show '), this.range),
      this.charts.element,
      el('section', { class: 'sheet now-heat', 'aria-labelledby': 'heat-title' }, el('h2', { id: 'heat-title' }, 'Checkouts by time and duration'), this.heatmap.element),
      el('div', { class: 'beside' }, this.timeline.element, this.buy.element));
    this.stops = [live((signal) => this.#load(signal), REFRESH_MS), live((signal) => this.timeline.load(signal), SLOW_MS), live((signal) => this.#loadHeatmap(signal), HEATMAP_MS)];
  }

  leave = () => {
    this.stops.forEach((stop) => stop());
    this.charts.leave();
    this.heatmap.leave();
    this.buy.leave();
  };

  get #minutes() {
    return Number(this.range.value);
  }

  #draw() {
    this.#drawCharts();
    this.#loadHeatmap();
  }

  #drawCharts() {
    if (this.all) this.charts.draw(lastOf(this.all, this.#minutes));
  }

  async #loadHeatmap(signal) {
    const query = new URLSearchParams({ q: `${SOLD} since:${this.#minutes}m`, group: 'item' });
    const found = await orNone(read(`/recent/statistics?${query}`, signal)).catch(() => undefined);
    if (found !== undefined) this.heatmap.draw(found?.heatmap);
  }

  /** Reads the last minute's checkouts anew, unless that took long not long ago. */
  async #loadCheckouts(signal) {
    const began = performance.now();
    if (began < this.due) return;
    this.checkouts = await orNone(read(`/recent/statistics?${new URLSearchParams({ q: LAST_MINUTE, group: 'status' })}`, signal));
    this.due = performance.now() + restAfter(began);
  }

  async #load(signal) {
    try {
      const [charts, live, { rollouts: [rollout = null] }] = await Promise.all([
        read('/recent/charts', signal), read('/plugins', signal), read('/plugins/rollouts?limit=1', signal),
        this.#loadCheckouts(signal)]);
      this.all = charts;
      this.#drawCharts();
      drawState(this.state, this.warnings, { charts, checkouts: this.checkouts, plugins: live.plugins, rollout });
    } catch (error) {
      const told = why(error);
      if (told) this.state.replaceChildren(told);
    }
  }
}

/** Returns the charts' last minutes. */
function lastOf(charts, minutes) {
  const count = Math.round((minutes * 60) / charts.every_s);
  const cut = (value) => (Array.isArray(value) && value.length === charts.times.length ? value.slice(-count) : value);
  const lines = (of) => of.map((line) => Object.fromEntries(Object.entries(line).map(([name, value]) => [name, cut(value)])));
  return { ...charts, times: cut(charts.times), routes: lines(charts.routes), plugin_calls: lines(charts.plugin_calls), stock: lines(charts.stock) };
}

/** Returns `null` for what there is none of. */
function orNone(asked) {
  return asked.catch((error) => {
    if (error instanceof Refused && error.status === 404) return null;
    throw error;
  });
}
