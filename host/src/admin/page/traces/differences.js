// What sets the chosen traces apart from the others: for each value its share in the ones and in the others.

import { Refused, read } from '../frame/api.js';
import { say } from '../frame/say.js';
import { cut, el, foreign, plural, whole } from '../frame/text.js';
import { keyOf, termsOf } from './terms.js';

export class Differences {
  #asked = null;

  /** `choice` is what is chosen. */
  constructor(choice) {
    this.choice = choice;
    this.against = el('input', { id: 'against', type: 'text', autocomplete: 'off', spellcheck: 'false', placeholder: 'all others', 'aria-describedby': 'against-bad' });
    this.against.value = sameRequests(choice.values.q);
    this.bad = el('p', { class: 'bad', id: 'against-bad', role: 'alert' });
    this.compare = el('button', { type: 'submit', class: 'main' }, 'Compare');
    this.form = el('form', { class: 'by' }, el('label', { for: 'against' }, 'Compared with'), this.against, this.compare);
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.load();
    });
    this.said = el('p', { class: 'dim', role: 'status' }, 'What is chosen by the query is compared with the other traces that are kept, value by value.');
    this.rows = el('tbody');
    this.table = el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'What differs, as a table', hidden: true },
      el('table', { class: 'rows differs' }, el('caption', { class: 'unseen' }, 'What differs most comes first; a row narrows the query'),
        el('thead', {}, el('tr', {}, ['Value', 'Chosen', 'Others'].map((head, index) => el('th', { scope: 'col', class: index > 0 ? 'number' : '' }, head)))), this.rows));
    this.more = el('p', { class: 'dim' });
    this.element = el('section', { class: 'differences', 'aria-label': 'What differs' }, this.form, this.bad, this.said, this.table, this.more);
  }

  leave() {
    this.#asked?.abort();
  }

  async load() {
    this.#asked?.abort();
    const asked = (this.#asked = new AbortController());
    try {
      const found = await read(`/recent/differences?${this.choice.asked({ against: this.against.value.trim() })}`, asked.signal);
      if (!asked.signal.aborted) this.#draw(found);
    } catch (error) {
      if (error.name === 'AbortError') return;
      this.bad.replaceChildren(error instanceof Refused ? foreign(error.message) : 'The host can\u2019t be reached.');
    }
  }

  #draw({ selected, rest, rows, left_out, is_cut }) {
    this.bad.replaceChildren();
    this.said.textContent = selected === 0 || rest === 0
      ? `${plural(selected, 'trace')} chosen, ${plural(rest, 'other')}: choose some, but not all.`
      : `${plural(selected, 'trace')} chosen, compared with ${plural(rest, 'other')}.`;
    this.table.hidden = rows.length === 0 || selected === 0 || rest === 0;
    // That what is chosen by a key differs in that key isn't news.
    const chosenBy = new Set(termsOf(this.choice.values.q).map(({ text }) => keyOf(text)));
    this.rows.replaceChildren(...rows.filter(({ key }) => !chosenBy.has(key)).map((row) => el('tr', {},
      el('th', { scope: 'row' }, el('a', { href: this.choice.narrowed(row.query), 'data-link': true },
        foreign(row.key, { class: 'key' }), ' ', cut(row.value || '\u2013', { class: 'value' })), row.label && el('div', {}, cut(row.label, { class: 'dim' }))),
      share(row.selected_share, row.selected, 'ours'), share(row.rest_share, row.rest, 'others'))));
    const parts = [left_out.length > 0 && `Not compared, for they have too many values: ${left_out.join(', ')}.`, is_cut && 'There are too many to look at all; this is of a part of them.'];
    this.more.replaceChildren(...parts.filter(Boolean).map((part) => foreign(part)));
    say(rows.length === 0 ? 'Nothing differs' : `${plural(rows.length, 'value')} differ`);
  }
}

function share(of, count, side) {
  const percent = `${(of * 100).toFixed(of > 0 && of < 0.0995 ? 1 : 0)} %`;
  return el('td', { class: 'number', title: whole(count) }, el('span', { class: `share ${side}`, 'aria-hidden': 'true', vars: { '--share': of.toFixed(4) } }), el('span', {}, percent));
}

/** Returns the terms that the others should have, too: a checkout is compared with checkouts. */
function sameRequests(query) {
  return termsOf(query).map(({ text }) => text).filter((text) => keyOf(text) === 'route').join(' ');
}
