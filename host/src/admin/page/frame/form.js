// Fields that narrow a list, kept in the address; and what a request ended with.

import { Refused } from './api.js';
import { at } from './root.js';
import { el, foreign } from './text.js';

const TYPING_MS = 250;

/**
 * A form of fields whose values are the address's query. A field is `{name, label, hint?, options?, type?}`; `options` are
 * `[value, label]`. Calls `changed` with the values a moment after the last key.
 */
export class Narrowing {
  #typing = 0;
  #inputs = new Map();

  constructor(path, label, fields, changed) {
    this.path = path;
    this.changed = changed;
    const given = new URLSearchParams(location.search);
    const inputs = fields.map((field) => this.#field(field, given.get(field.name) ?? ''));
    this.element = el('form', { class: 'filters', role: 'search', 'aria-label': label }, inputs);
    this.element.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#typed(0);
    });
  }

  leave() {
    clearTimeout(this.#typing);
  }

  focus() {
    [...this.#inputs.values()][0]?.focus();
  }

  /** Returns the values that aren't empty. */
  get values() {
    const all = [...this.#inputs].map(([name, input]) => [name, input.value.trim()]);
    return Object.fromEntries(all.filter(([, value]) => value !== ''));
  }

  set(values) {
    for (const [name, input] of this.#inputs) input.value = values[name] ?? '';
    this.#typed(0);
  }

  #field({ name, label, hint, options, type = 'text', known }, value) {
    const properties = { id: `field-${name}`, name, autocomplete: 'off', spellcheck: 'false' };
    const input = options
      ? el('select', { ...properties, onchange: () => this.#typed(0) }, options.map(([of, text]) => el('option', { value: of }, text)))
      : el('input', { ...properties, type, placeholder: hint, list: known && `known-${name}`, oninput: () => this.#typed(TYPING_MS) });
    input.value = value;
    this.#inputs.set(name, input);
    return el('div', { class: 'field' }, el('label', { for: input.id }, label), input, known && el('datalist', { id: `known-${name}` }));
  }

  #typed(wait) {
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => {
      const query = new URLSearchParams(this.values).toString();
      history.replaceState(history.state, '', at(query === '' ? this.path : `${this.path}?${query}`));
      this.changed(this.values);
    }, wait);
  }
}

/** Returns why a request failed, for people; nothing if it was given up. */
export function why(error) {
  if (error.name === 'AbortError') return null;
  if (error instanceof Refused) return el('p', { class: 'bad' }, foreign(error.message));
  return el('p', { class: 'bad' }, 'The host can\u2019t be reached; what is shown is from before. Trying again.');
}
