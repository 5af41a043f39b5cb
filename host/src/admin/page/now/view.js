// Now: one sentence of the shop's state with its way back, the charts, what happened, and a box that buys.

import { Refused, read } from '../frame/api.js';
import { Charts } from '../charts/charts.js';
import { why } from '../frame/form.js';
import { live } from '../frame/live.js';
import { at } from '../frame/root.js';
import { el } from '../frame/text.js';
import { buyBox } from './buy.js';
import { drawState } from './state.js';
import { Timeline } from './timeline.js';

const REFRESH_MS = 2000;
const SLOW_MS = 5000;

export const now = {
  name: 'Now',
  key: 'n',
  path: '/console',
  keys: [['b', 'Buy something']],
  show: (main, rest, go) => new Now(main, go).leave,
};

class Now {
  constructor(main, go) {
    document.title = 'Now \u00b7 Till';
    this.state = el('p', { class: 'sentence', id: 'state', role: 'status' }, 'Asking the host\u2026');
    this.warnings = el('ul', { class: 'warnings', 'aria-label': 'What needs somebody' });
    this.charts = new Charts((after_us, before_us) => go(at(`/traces?after_us=${Math.floor(after_us)}&before_us=${Math.ceil(before_us)}`)));
    // What happened stands below them, and lasts.
    this.charts.marks.hidden = true;
    this.timeline = new Timeline();
    this.buy = buyBox(go);
    main.append(el('h1', { class: 'unseen' }, 'Now'),
      el('section', { class: 'sheet now', 'aria-labelledby': 'state' }, this.state, this.warnings),
      this.charts.element,
      el('div', { class: 'beside' }, this.timeline.element, this.buy.element));
    this.stops = [live((signal) => this.#load(signal), REFRESH_MS), live((signal) => this.timeline.load(signal), SLOW_MS)];
  }

  leave = () => {
    this.stops.forEach((stop) => stop());
    this.charts.leave();
    this.buy.leave();
  };

  async #load(signal) {
    try {
      const [charts, live, rollout] = await Promise.all([
        read('/recent/charts', signal), read('/plugins', signal), orNone(read('/plugins/rollout', signal))]);
      this.charts.draw(charts);
      drawState(this.state, this.warnings, { charts, plugins: live.plugins, rollout });
    } catch (error) {
      const told = why(error);
      if (told) this.state.replaceChildren(told);
    }
  }
}

/** Returns `null` for what there is none of. */
function orNone(asked) {
  return asked.catch((error) => {
    if (error instanceof Refused && error.status === 404) return null;
    throw error;
  });
}
