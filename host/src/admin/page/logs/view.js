// Logs: the host's last lines and those that come, by level, plugin and text.

import { read } from '../frame/api.js';
import { Narrowing, why } from '../frame/form.js';
import { live } from '../frame/live.js';
import { at } from '../frame/root.js';
import { clock, day, el, foreign, long, plural, visible, cut } from '../frame/text.js';

const REFRESH_MS = 1000;
const READ = 500;
const SHOWN = 1000;

export const logs = {
  name: 'Logs',
  key: 'l',
  path: '/console/logs',
  keys: [],
  show: (main) => new Logs(main).leave,
};

class Logs {
  #after = null;
  #isPaused = false;

  constructor(main) {
    document.title = 'Logs \u00b7 Till';
    this.narrowing = new Narrowing('/console/logs', 'Narrow the lines', [
      { name: 'level', label: 'Level', options: [['', 'all'], ['error', 'errors'], ['warn', 'warnings and errors'], ['info', 'info and worse']] },
      { name: 'plugin', label: 'Plugin', hint: 'checkout/' },
      { name: 'text', label: 'Text', hint: 'in the message or a field' },
      { name: 'trace_id', label: 'Trace id', hint: '32 hex digits' },
    ], () => this.#anew());
    this.status = el('p', { class: 'status' });
    this.pause = el('button', { type: 'button', class: 'live', 'aria-pressed': 'false', onclick: () => this.#toggle() }, 'Live');
    this.list = el('ol', { class: 'lines', 'aria-label': 'Log lines, the newest first', tabindex: '0' });
    this.note = el('div', { class: 'note', hidden: true });
    main.append(
      el('div', { class: 'titleline' }, el('h1', {}, 'Logs')),
      this.narrowing.element,
      el('section', { class: 'sheet panel whole', 'aria-label': 'Log' }, el('div', { class: 'panelhead' }, this.status, this.pause), this.list, this.note));
    this.stop = live((signal) => this.#load(signal), REFRESH_MS);
  }

  leave = () => {
    this.stop();
    this.narrowing.leave();
  };

  #toggle() {
    this.#isPaused = !this.#isPaused;
    this.pause.setAttribute('aria-pressed', String(this.#isPaused));
    this.pause.classList.toggle('still', this.#isPaused);
    this.pause.textContent = this.#isPaused ? 'Paused' : 'Live';
  }

  #anew() {
    this.#after = null;
    this.list.replaceChildren();
    return this.#load();
  }

  async #load(signal) {
    if (this.#isPaused && this.#after !== null) return;
    const asked = this.#after;
    const query = new URLSearchParams({ ...this.narrowing.values, limit: READ, ...(asked === null ? {} : { after: asked }) });
    try {
      const { lines, last } = await read(`/recent/lines?${query}`, signal);
      if (this.#after !== asked) return;
      // A host that has started anew counts from the beginning.
      this.#after = asked !== null && last < asked ? null : last;
      this.list.prepend(...lines.reverse().map(drawn));
      while (this.list.children.length > SHOWN) this.list.lastElementChild.remove();
      this.note.hidden = this.list.children.length > 0;
      this.note.replaceChildren(el('p', {}, 'No line that is kept is like that. ', el('code', {}, 'log.kept_kib'), ' is how much is kept.'));
      this.status.textContent = `${plural(this.list.children.length, 'line')} \u00b7 newest first`;
    } catch (error) {
      const told = why(error);
      this.note.hidden = told === null;
      if (told) this.note.replaceChildren(told);
    }
  }
}

function drawn({ time_us, level, message, target, trace_id, span_id, fields }) {
  const name = String(level).toLowerCase();
  const link = trace_id && el('a', { href: at(`/traces/${trace_id}${span_id ? `?span=${span_id}` : ''}`), 'data-link': true }, 'trace ', el('code', {}, trace_id.slice(0, 8)));
  const pairs = Object.entries(fields ?? {});
  return el('li', { class: `line ${['error', 'warn'].includes(name) ? name : ''}` },
    el('div', { class: 'logline' },
      el('time', { title: day(time_us) }, clock(time_us)),
      el('span', { class: 'level' }, visible(level).slice(0, 8)),
      foreign(message, { class: 'message' }),
      el('span', { class: 'of' }, link || foreign(target, { class: 'cut dim' }))),
    pairs.length > 0 && el('dl', { class: 'fields' }, pairs.map(([key, value]) => el('div', {}, el('dt', {}, cut(key)), el('dd', {}, long(typeof value === 'object' ? JSON.stringify(value) : value))))));
}
