// The query's field: suggests keys and the values that are kept, and says at the field what is wrong.

import { read } from '../frame/api.js';
import { el, foreign, visible, whole } from '../frame/text.js';
import { keyOf, termsOf } from './terms.js';

const SUGGESTED = 12;
// How long the values that are kept are taken for true.
const FRESH_MS = 15_000;

/** A combobox. `onQuery` gets the text when it is entered. */
export class Field {
  #options = [];
  #active = -1;
  #keys = [];
  #readAt = -Infinity;
  /** Whether suggestions are wanted that couldn't be made yet. */
  #waits = false;

  constructor(text, onQuery) {
    this.onQuery = onQuery;
    this.input = el('input', {
      id: 'query', type: 'text', role: 'combobox', 'aria-expanded': 'false', 'aria-controls': 'query-list', 'aria-autocomplete': 'list',
      'aria-describedby': 'query-bad', autocomplete: 'off', spellcheck: 'false', autocapitalize: 'off', placeholder: 'item:laptop outcome:!ok took:>1s "some text"',
      onkeydown: (event) => this.#key(event), oninput: () => this.#suggest(), onclick: () => this.#suggest(),
      onfocus: () => this.#readKeys(), onblur: () => this.#close(),
      onchange: () => this.#enter(),
    });
    this.input.value = text;
    // A press on the list mustn't take the focus off the field.
    this.list = el('ul', { id: 'query-list', role: 'listbox', 'aria-label': 'Suggestions', class: 'suggestions', hidden: true, onmousedown: (event) => event.preventDefault() });
    this.bad = el('p', { id: 'query-bad', class: 'bad', role: 'alert' });
    this.element = el('form', { class: 'query', role: 'search', 'aria-label': 'Find traces', onsubmit: (event) => event.preventDefault() },
      el('label', { for: 'query' }, 'Query'), el('div', { class: 'combo' }, this.input, this.list), this.bad);
  }

  focus() {
    this.input.focus();
    this.input.setSelectionRange(this.input.value.length, this.input.value.length);
  }

  show(text) {
    if (this.input.value.trim() !== text) this.input.value = text;
  }

  /** Says what the host found wrong; null is nothing. */
  refuse(why) {
    this.input.setAttribute('aria-invalid', String(why !== null));
    if (this.bad.textContent !== (why ?? '')) this.bad.replaceChildren(why === null ? '' : foreign(why));
  }

  #enter() {
    this.#close();
    this.onQuery(this.input.value.trim());
  }

  async #readKeys() {
    if (performance.now() - this.#readAt < FRESH_MS) return;
    this.#readAt = performance.now();
    try {
      this.#keys = (await read('/recent/keys')).keys;
      if (this.#waits) this.#suggest();
    } catch {
      // The list says when the host is away; without its keys nothing is suggested.
      this.#readAt = -Infinity;
    }
  }

  /** Returns the term at the caret: what stands before the caret, and where the term is. */
  #term() {
    const caret = this.input.selectionStart;
    const term = termsOf(this.input.value).find(({ from, to }) => from <= caret && caret <= to);
    return { from: term?.from ?? caret, to: term?.to ?? caret, typed: term ? this.input.value.slice(term.from, caret) : '' };
  }

  #suggest() {
    this.#waits = this.#keys.length === 0;
    const { typed } = this.#term();
    const name = keyOf(typed);
    this.#options = (name === null ? this.#ofKeys(typed) : this.#ofValues(name, typed)).slice(0, SUGGESTED);
    this.#active = -1;
    this.list.replaceChildren(...this.#options.map(({ text, said, count }, index) =>
      el('li', { role: 'option', id: `query-option-${index}`, 'aria-selected': 'false', onclick: () => this.#take(index) },
        foreign(text, { class: 'cut value' }), el('span', { class: 'dim cut said' }, visible(said)), count !== undefined && el('span', { class: 'dim count' }, whole(count)))));
    this.#open(this.#options.length > 0 && document.activeElement === this.input);
  }

  #ofKeys(typed) {
    const wanted = typed.toLowerCase();
    const keys = this.#keys.filter((key) => key.name.startsWith(wanted));
    return keys.map(({ name, takes }) => ({ text: `${name}:`, said: takes, isKey: true }));
  }

  #ofValues(name, typed) {
    const key = this.#keys.find((key) => key.name === name);
    if (!key) return [];
    // What was typed before the value stays: the key, the sign of a negation, the alternatives before it.
    const kept = /^.*?:!?(?:.*,)?/su.exec(typed)[0];
    const wanted = typed.slice(kept.length).replace(/^"/u, '').toLowerCase();
    const has = ({ value, label }) => value.toLowerCase().includes(wanted) || label?.toLowerCase().includes(wanted);
    const values = key.values.filter((value) => has(value) && `${kept}${value.value}` !== typed);
    if (key.values.length === 0 && wanted === '') return [{ text: key.example, said: key.takes }];
    return values.map(({ value, label, traces }) => ({ text: `${kept}${value}`, said: label ?? '', count: traces }));
  }

  #take(index) {
    const { text, isKey } = this.#options[index];
    const { from, to } = this.#term();
    const { value } = this.input;
    const rest = value.slice(to);
    const after = isKey || rest.startsWith(' ') ? '' : ' ';
    this.input.value = value.slice(0, from) + text + after + rest;
    const caret = from + text.length + (isKey ? 0 : 1);
    this.input.setSelectionRange(caret, caret);
    if (isKey) this.#suggest();
    else this.#enter();
  }

  #open(isOpen) {
    this.list.hidden = !isOpen;
    this.input.setAttribute('aria-expanded', String(isOpen));
    if (!isOpen) this.#mark(-1);
  }

  #close() {
    this.#waits = false;
    this.#open(false);
  }

  #mark(index) {
    this.#active = index;
    [...this.list.children].forEach((option, at) => option.setAttribute('aria-selected', String(at === index)));
    if (index < 0) this.input.removeAttribute('aria-activedescendant');
    else {
      this.input.setAttribute('aria-activedescendant', `query-option-${index}`);
      this.list.children[index].scrollIntoView({ block: 'nearest' });
    }
  }

  #key(event) {
    const count = this.#options.length;
    const isOpen = !this.list.hidden;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && !isOpen) this.#suggest();
    if (step && count > 0) {
      event.preventDefault();
      this.#mark((this.#active + step + count + (this.#active < 0 && step < 0 ? 1 : 0)) % count);
    } else if (event.key === 'Enter') {
      event.preventDefault();
      if (isOpen && this.#active >= 0) this.#take(this.#active);
      else this.#enter();
    } else if (event.key === 'Escape' && isOpen) {
      event.preventDefault();
      event.stopPropagation();
      this.#close();
    }
  }
}
