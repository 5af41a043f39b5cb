// What was changed and what happened, as long as the store remembers: swaps, rollouts, starts, settings, breakers.

import { read } from '../frame/api.js';
import { why } from '../frame/form.js';
import { at } from '../frame/root.js';
import { say } from '../frame/say.js';
import { clock, day, el, foreign, plural } from '../frame/text.js';

const PAGE = 50;
// The time around an event whose traces it leads to.
const AROUND_MS = [60_000, 120_000];
const SIGNS = { 'host-start': '\u25b6', 'host-stop': '\u25a0', 'breaker-open': '\u25b2', 'breaker-close': '\u25bd', 'catalogue-import': '\u21e3', refuse: '\u2715', rollback: '\u21a9', abort: '\u21a9' };

export class Timeline {
  #newest = [];
  #older = [];
  #next = null;

  constructor() {
    this.list = el('ol', { class: 'timeline' });
    this.more = el('button', { type: 'button', class: 'more', hidden: true, onclick: () => this.#loadOlder() }, 'Show what was before');
    this.note = el('div', { class: 'note', hidden: true });
    this.element = el('section', { class: 'sheet', 'aria-labelledby': 'timeline-title' },
      el('div', { class: 'head' }, el('h2', { id: 'timeline-title' }, 'What happened')), this.list, this.note, this.more);
  }

  async load(signal) {
    try {
      const { events, next_before_ms: next } = await read(`/timeline?limit=${PAGE}`, signal);
      if (JSON.stringify(events) === JSON.stringify(this.#newest)) return;
      this.#newest = events;
      if (this.#older.length === 0) this.#next = next ?? null;
      this.#draw();
    } catch (error) {
      const told = why(error);
      this.note.hidden = told === null;
      if (told) this.note.replaceChildren(told);
    }
  }

  async #loadOlder() {
    const { events, next_before_ms: next } = await read(`/timeline?limit=${PAGE}&before_ms=${this.#next}`);
    this.#older.push(...events);
    this.#next = next ?? null;
    this.#draw();
    say(`${plural(events.length, 'older event')} added`);
  }

  #draw() {
    const oldest = this.#newest.at(-1)?.at_ms ?? Infinity;
    const all = [...this.#newest, ...this.#older.filter((event) => event.at_ms < oldest)];
    let shownDay = null;
    this.list.replaceChildren(...all.flatMap((event) => {
      const date = day(event.at_ms * 1000).slice(0, 10);
      const head = date === shownDay ? [] : [el('li', { class: 'day' }, date)];
      shownDay = date;
      return [...head, drawn(event)];
    }));
    this.note.hidden = all.length > 0;
    this.note.replaceChildren(el('p', {}, 'Nothing yet.'));
    this.more.hidden = this.#next === null;
  }
}

function drawn({ at_ms, what, by, plugin, version, text }) {
  const traces = at(`/traces?after_us=${(at_ms - AROUND_MS[0]) * 1000}&before_us=${(at_ms + AROUND_MS[1]) * 1000}`);
  return el('li', { class: what === 'breaker-open' || what === 'refuse' ? 'event bad' : 'event' },
    el('a', { href: traces, 'data-link': true, title: 'The traces of that time' }, el('time', { title: day(at_ms * 1000) }, clock(at_ms * 1000, false))),
    el('span', { class: 'sign', 'aria-hidden': 'true' }, SIGNS[what] ?? '\u25c6'),
    el('span', { class: 'what' }, el('strong', {}, what), ' ',
      plugin && [version ? el('a', { href: at(`/console/plugins/${version}`), 'data-link': true }, foreign(plugin), ` #${version}`) : foreign(plugin), ' '],
      text !== '' && [foreign(text), ' '], el('span', { class: 'dim' }, 'by ', foreign(by))));
}
