// The traces that are marked, to compare two of them.

import { at } from '../frame/root.js';
import { say } from '../frame/say.js';
import { clock, el } from '../frame/text.js';

const COUNT = 2;

export class Picked {
  /** The traces, the earlier marked first, with their checkboxes. */
  #marked = [];

  constructor() {
    this.element = el('p', { class: 'picked', hidden: true });
  }

  has(traceId) {
    return this.#marked.some(({ of }) => of.trace_id === traceId);
  }

  /** Marks a trace, or takes its mark off. With a third the first one is no longer marked. */
  toggle(of, box) {
    if (this.has(of.trace_id)) this.#marked = this.#marked.filter(({ of: { trace_id } }) => trace_id !== of.trace_id);
    else this.#marked.push({ of, box });
    while (this.#marked.length > COUNT) this.#marked.shift().box.checked = false;
    this.#draw();
  }

  #draw() {
    const [first, second] = this.#marked.map(({ of }) => of);
    this.element.hidden = !first;
    if (!first) return;
    const clear = el('button', { type: 'button', class: 'quiet', onclick: () => this.#clear() }, 'Unmark');
    if (!second) {
      this.element.replaceChildren(`The trace of ${clock(first.start_us)} is marked; mark another to compare them. `, clear);
      say('Marked; mark another to compare them');
      return;
    }
    this.element.replaceChildren(el('a', { href: at(`/traces/compare?a=${first.trace_id}&b=${second.trace_id}`), 'data-link': true }, 'Compare the two'), ' ', clear);
    say('Two are marked: Compare the two is above the list');
  }

  #clear() {
    for (const { box } of this.#marked) box.checked = false;
    this.#marked = [];
    this.#draw();
  }
}
