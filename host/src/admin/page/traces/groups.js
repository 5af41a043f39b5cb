// Those with the same value of a key: how many, how many of them failed, how long they took. A row narrows the query.

import { cut, duration, el, plural, visible, whole } from '../frame/text.js';

// The keys to group by, in the words of GET /recent/keys.
export const GROUPS = ['item', 'route', 'outcome', 'plugin', 'role', 'status', 'error', 'code', 'span'];

export class Groups {
  /** `addressOf` returns the address that a term leads to, `onGroup` gets the key that was chosen. */
  constructor(addressOf, onGroup) {
    this.addressOf = addressOf;
    this.select = el('select', { id: 'group-by', onchange: () => onGroup(this.select.value) }, GROUPS.map((name) => el('option', { value: name }, name)));
    this.rows = el('tbody');
    this.rest = el('p', { class: 'dim', hidden: true });
    this.element = el('section', { class: 'groups', 'aria-label': 'Groups' },
      el('p', { class: 'by' }, el('label', { for: 'group-by' }, 'Group by'), ' ', this.select),
      el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Groups, as a table' },
        el('table', { class: 'rows' }, el('caption', { class: 'unseen' }, 'Groups; a row narrows the query'),
          el('thead', {}, el('tr', {}, ['Value', 'Count', 'Errors', 'p50', 'p99'].map((head, index) => el('th', { scope: 'col', class: index > 0 ? 'number' : '' }, head)))), this.rows)),
      this.rest);
  }

  draw(key, { groups, ungrouped }) {
    this.select.value = key;
    const focused = this.rows.contains(document.activeElement) ? document.activeElement.dataset.term : null;
    this.rows.replaceChildren(...groups.map(({ value, label, query, matched, errors, duration: took }) => el('tr', {},
      el('th', { scope: 'row' }, el('a', { href: this.addressOf(query), 'data-link': true, data: { term: query } }, cut(value || '\u2013')), label && el('div', {}, cut(label, { class: 'dim' }))),
      el('td', { class: 'number' }, whole(matched)),
      el('td', { class: `number ${errors > 0 ? 'bad' : 'dim'}` }, whole(errors)),
      el('td', { class: 'number' }, duration(took.p50_us)),
      el('td', { class: 'number' }, duration(took.p99_us)))));
    if (focused !== null) [...this.rows.querySelectorAll('a')].find((link) => link.dataset.term === focused)?.focus({ preventScroll: true });
    this.rest.hidden = ungrouped === 0 && groups.length > 0;
    this.rest.textContent = groups.length === 0 ? `None of them has a value of ${visible(key)}.` : `${plural(ungrouped, 'more')} without a value here.`.replace('mores', 'more');
  }
}
