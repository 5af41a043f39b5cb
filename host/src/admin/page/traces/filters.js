// What the list is narrowed to. It is the URL's query, in the words of GET /recent/traces, so that a link shows what its
// sender saw.

import { at } from '../frame/root.js';
import { clock, el } from '../frame/text.js';

const TYPING_MS = 250;
// How many values are offered for one field.
const KNOWN = 50;

const TEXTS = [
  { name: 'route', label: 'Route', hint: '/checkout', known: (trace) => [trace.route] },
  { name: 'status', label: 'Status', hint: '500', known: (trace) => [trace.status], class: 'narrow', mode: 'numeric' },
  { name: 'outcome', label: 'Outcome', hint: 'ok', known: (trace) => [trace.outcome] },
  { name: 'plugin', label: 'Plugin version', hint: 'checkout/\u2026', known: (trace) => trace.plugins ?? [] },
  { name: 'item', label: 'Item', hint: 'laptop', known: (trace) => [trace.item] },
  { name: 'min_ms', label: 'At least, ms', hint: '0', class: 'narrow', mode: 'decimal' },
  { name: 'max_ms', label: 'At most, ms', hint: '\u221e', class: 'narrow', mode: 'decimal' },
  { name: 'trace_id', label: 'Trace id', hint: '32 hex digits', class: 'wide' },
];
const NAMES = [...TEXTS.map((text) => text.name), 'errors', 'after_us', 'before_us', 'sort'];

/** The form, and the values that stand in the URL. */
export class Filters {
  #inputs = new Map();
  #known = new Map();
  #typing = 0;

  constructor(onChange) {
    this.onChange = onChange;
    this.values = read();
    this.errors = el('input', { type: 'checkbox', id: 'filter-errors', onchange: () => this.#typed(0) });
    this.range = el('span', { class: 'range' });
    this.clear = el('button', { type: 'button', class: 'quiet', onclick: () => this.set({}) }, 'Clear filters');
    const form = el('form', { class: 'filters', role: 'search', 'aria-label': 'Filter traces' },
      TEXTS.map((text) => this.#field(text)),
      el('div', { class: 'field check' }, this.errors, el('label', { for: 'filter-errors' }, 'Errors only')),
      el('div', { class: 'field ends' }, this.range, this.clear));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#typed(0);
    });
    // On a narrow screen the filters fold away behind their number.
    this.folded = el('summary', {}, 'Filters');
    this.element = el('details', { class: 'fold' }, this.folded, form);
    const wide = matchMedia('(min-width: 700px)');
    this.element.open = wide.matches;
    wide.onchange = () => (this.element.open = wide.matches);
    this.#draw();
  }

  leave() {
    clearTimeout(this.#typing);
  }

  focus() {
    this.element.open = true;
    this.#inputs.get('route').focus();
  }

  /** Returns whether anything is left out. */
  get narrow() {
    return NAMES.some((name) => name !== 'sort' && this.values[name]);
  }

  /** Returns the query, with more in it. */
  query(more = {}) {
    return toQuery({ ...this.values, ...more });
  }

  /** Sets these values and no others. */
  set(values) {
    this.#change(values);
    this.#draw();
  }

  /** Sets these values and leaves the others. */
  also(values) {
    this.set({ ...this.values, ...values });
  }

  /** Offers what was seen so far. */
  offer(traces) {
    for (const text of TEXTS.filter((text) => text.known)) {
      const known = this.#known.get(text.name) ?? new Set();
      const before = known.size;
      for (const value of traces.flatMap(text.known)) {
        if (value !== undefined && value !== null && known.size < KNOWN) known.add(String(value));
      }
      this.#known.set(text.name, known);
      if (known.size !== before) {
        document.getElementById(`known-${text.name}`)
          ?.replaceChildren(...[...known].sort().map((value) => el('option', { value })));
      }
    }
  }

  #field(text) {
    const list = text.known ? `known-${text.name}` : null;
    const input = el('input', {
      id: `filter-${text.name}`, type: 'text', placeholder: text.hint, list, inputmode: text.mode,
      autocomplete: 'off', spellcheck: 'false', oninput: () => this.#typed(TYPING_MS),
    });
    this.#inputs.set(text.name, input);
    return el('div', { class: `field ${text.class ?? ''}` },
      el('label', { for: input.id }, text.label), input, list && el('datalist', { id: list }));
  }

  #typed(wait) {
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => {
      const values = { ...this.values, errors: this.errors.checked ? 'true' : '' };
      for (const [name, input] of this.#inputs) values[name] = input.value.trim();
      this.#change(values);
      this.#drawRest();
    }, wait);
  }

  #change(values) {
    const query = toQuery(values);
    if (query === this.query()) return;
    this.values = read(query);
    history.replaceState(history.state, '', at(query === '' ? '/traces' : `/traces?${query}`));
    this.onChange();
  }

  #draw() {
    for (const [name, input] of this.#inputs) input.value = this.values[name];
    this.errors.checked = this.values.errors === 'true';
    this.#drawRest();
  }

  /** Draws what isn't typed into. */
  #drawRest() {
    const said = timeRange(this.values);
    this.range.replaceChildren();
    if (said) {
      const all = () => this.also({ after_us: '', before_us: '' });
      this.range.append(el('span', { class: 'chip' }, said,
        el('button', { type: 'button', 'aria-label': 'Clear the time range', onclick: all }, '\u00d7')));
    }
    const set = NAMES.filter((name) => name !== 'sort' && this.values[name]).length;
    this.clear.hidden = set === 0;
    this.folded.textContent = set === 0 ? 'Filters' : `Filters (${set})`;
  }
}

function read(query = location.search) {
  const given = new URLSearchParams(query);
  return Object.fromEntries(NAMES.map((name) => [name, given.get(name) ?? '']));
}

function toQuery(values) {
  return new URLSearchParams(Object.entries(values).filter(([, value]) => value)).toString();
}

function timeRange({ after_us, before_us }) {
  const time = (us) => clock(Number(us), false);
  if (after_us && before_us) return `${time(after_us)} to ${time(before_us)}`;
  if (after_us) return `after ${time(after_us)}`;
  return before_us ? `before ${time(before_us)}` : null;
}
