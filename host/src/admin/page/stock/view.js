// Stock: what is on hand of each item, how fast it sells, for how many hours it lasts; changes by hand, with their reasons.

import { read, send } from '../frame/api.js';
import { Narrowing, why } from '../frame/form.js';
import { live } from '../frame/live.js';
import { at } from '../frame/root.js';
import { ROW_KEYS, rowsTable } from '../frame/rows.js';
import { say } from '../frame/say.js';
import { cut, day, el, foreign, plural, short, whole } from '../frame/text.js';

const REFRESH_MS = 5000;
// More items than that aren't read for the page; who has more looks for one by its name.
const ITEMS_MAX = 200_000;
const SHOWN = 200;
const HOUR_MS = 3_600_000;
// Fewer hours than that are told in the colour of warnings.
const SCARCE_HOURS = 24;

export const stock = {
  name: 'Stock',
  key: 's',
  path: '/console/stock',
  keys: [...ROW_KEYS],
  show: (main) => new Stock(main).leave,
};

class Stock {
  #items = [];
  #sales = null;

  constructor(main) {
    document.title = 'Stock \u00b7 Till';
    this.table = rowsTable('Items, those that are sold out first.', [
      ['Item', ''], ['On hand', 'number'], ['Sold, last hour', 'number'], ['Lasts', 'number'], ['By hand', 'number']]);
    this.narrowing = new Narrowing('/console/stock', 'Narrow the items', [
      { name: 'item', label: 'Item', hint: 'part of its name' },
      { name: 'sort', label: 'Order', options: [['', 'soonest sold out'], ['name', 'by name'], ['on_hand', 'fewest on hand'], ['sold', 'most sold']] },
    ], () => this.#draw());
    this.status = el('p', { class: 'status', role: 'status' });
    this.note = el('div', { class: 'note', hidden: true });
    this.changes = rowsTable('Changes of stock by hand, the newest first.', [['When', ''], ['Item', ''], ['Pieces', 'number'], ['How', ''], ['Why', '']]);
    this.dialog = el('dialog', { class: 'dialog', 'aria-labelledby': 'change-title' });
    main.append(
      el('div', { class: 'titleline' }, el('h1', {}, 'Stock')),
      this.narrowing.element,
      el('section', { class: 'sheet', 'aria-label': 'Items' }, el('div', { class: 'head' }, this.status), this.table.element, this.note),
      el('section', { class: 'sheet', 'aria-labelledby': 'changes-title' }, el('div', { class: 'head' }, el('h2', { id: 'changes-title' }, 'Changes by hand')), this.changes.element,
        (this.none = el('p', { class: 'note', hidden: true }, 'Nobody has changed the stock by hand yet.'))),
      this.dialog);
    this.stop = live((signal) => this.#load(signal), REFRESH_MS);
  }

  leave = () => {
    this.stop();
    this.narrowing.leave();
    this.table.leave();
    this.changes.leave();
    this.dialog.remove();
  };

  async #load(signal) {
    try {
      const items = [];
      let after;
      do {
        const page = await read(`/stock${after === undefined ? '' : `?after=${encodeURIComponent(after)}`}`, signal);
        items.push(...page.items);
        after = page.next_after;
      } while (after !== undefined && items.length < ITEMS_MAX);
      const [sales, { movements }] = await Promise.all([read('/sales?minutes=60', signal), read('/movements?limit=50', signal)]);
      this.#items = items;
      this.#sales = sales;
      this.#draw();
      this.#drawChanges(movements);
    } catch (error) {
      const told = why(error);
      this.note.hidden = told === null;
      if (told) this.note.replaceChildren(told);
    }
  }

  #draw() {
    if (this.#sales === null) return;
    const { item: wanted = '', sort = '' } = this.narrowing.values;
    const sold = new Map(this.#sales.items.map(({ item, pieces }) => [item, pieces]));
    const hours = Math.max(1 / 60, (this.#sales.until_ms - this.#sales.since_ms) / HOUR_MS);
    const rows = this.#items
      .filter(({ item }) => item.toLowerCase().includes(wanted.toLowerCase()))
      .map(({ item, on_hand }) => {
        const pieces = sold.get(item) ?? 0;
        return { item, on_hand, pieces, left: pieces > 0 ? on_hand / (pieces / hours) : Infinity };
      });
    const by = {
      '': (a, b) => a.left - b.left || a.on_hand - b.on_hand,
      name: () => 0, on_hand: (a, b) => a.on_hand - b.on_hand, sold: (a, b) => b.pieces - a.pieces,
    }[sort] ?? (() => 0);
    // Infinity minus Infinity is no number, and so doesn't sort.
    rows.sort((a, b) => (a.left === b.left && sort === '' ? a.on_hand - b.on_hand : by(a, b)));
    this.table.draw(rows.slice(0, SHOWN).map((row) => this.#row(row)));
    this.table.element.hidden = rows.length === 0;
    this.note.hidden = rows.length > 0;
    this.note.replaceChildren(el('p', { class: 'title' }, wanted ? 'No item has that in its name' : 'The shop has no items yet'),
      el('p', {}, 'An item comes with its first pieces: ', el('code', {}, 'till stock add NAME PIECES'), '.'));
    const cut = rows.length > SHOWN ? `${whole(SHOWN)} of ` : '';
    const since = this.#sales.until_ms - this.#sales.since_ms < HOUR_MS * 0.99 ? ` \u00b7 sales of the last ${whole(Math.round((this.#sales.until_ms - this.#sales.since_ms) / 60_000))} minutes` : '';
    this.status.textContent = `${cut}${plural(rows.length, 'item')}${since}`;
  }

  #row({ item, on_hand, pieces, left }) {
    const name = left === Infinity ? '' : left < 1 ? 'state bad' : left < SCARCE_HOURS ? 'state warn' : '';
    const orders = at(`/console/orders?item=${encodeURIComponent(item)}`);
    return el('tr', { data: { key: item } },
      el('td', {}, el('a', { href: orders, 'data-link': true, 'data-row': true, tabindex: '-1', title: 'Its orders' }, cut(item))),
      el('td', { class: 'number' }, el('span', { class: on_hand === 0 ? 'state bad' : '' }, whole(on_hand))),
      el('td', { class: 'number' }, pieces === 0 ? '' : whole(pieces)),
      el('td', { class: 'number' }, left === Infinity ? '' : el('span', { class: name }, on_hand === 0 ? 'sold out' : hoursOf(left))),
      el('td', { class: 'number' }, el('button', { type: 'button', class: 'quiet', onclick: () => this.#ask(item, on_hand) }, 'Change', el('span', { class: 'unseen' }, ' the stock of ', foreign(item)))));
  }

  #drawChanges(movements) {
    this.none.hidden = movements.length > 0;
    this.changes.element.hidden = movements.length === 0;
    this.changes.draw(movements.map(({ id, at_ms, item, delta, kind, why: reason }) => el('tr', { data: { key: String(id) } },
      el('td', {}, el('time', {}, day(at_ms * 1000).slice(0, 19))),
      el('td', {}, cut(item)),
      el('td', { class: 'number' }, `${delta > 0 ? '+' : ''}${whole(delta)}`),
      el('td', {}, kind === 'set' ? 'counted' : 'added'),
      el('td', { class: 'wraps' }, reason === '' ? el('span', { class: 'dim' }, 'nobody said') : foreign(reason)))));
  }

  /** Asks how an item's stock is to be changed, and why. */
  #ask(item, on_hand) {
    const choice = (value, label, checked) => el('label', {}, el('input', { type: 'radio', name: 'how', value, checked }), ` ${label}`);
    const pieces = el('input', { id: 'change-pieces', type: 'number', step: '1', required: true });
    const reason = el('input', { id: 'change-why', type: 'text', maxlength: '200', placeholder: 'delivery 4711', autocomplete: 'off' });
    const bad = el('div', { role: 'alert' });
    const form = el('form', { class: 'change' },
      el('h2', { id: 'change-title' }, 'Stock of ', foreign(item)),
      el('p', {}, `${whole(on_hand)} on hand.`),
      el('p', { role: 'group', 'aria-label': 'How' }, choice('add', 'Add pieces (negative: subtract)', true), choice('set', 'Set to what was counted', false)),
      el('label', { for: 'change-pieces' }, 'Pieces'), pieces,
      el('label', { for: 'change-why' }, 'Why'), reason, bad,
      el('p', { class: 'ends' },
        el('button', { type: 'button', class: 'quiet', onclick: () => this.dialog.close() }, 'Cancel'),
        el('button', { type: 'submit', class: 'main' }, 'Change the stock')));
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      const how = form.elements.how.value;
      try {
        const changed = await send('POST', `/stock/${encodeURIComponent(item)}`, { [how]: Number(pieces.value), why: reason.value });
        this.dialog.close();
        say(`${changed.item}: ${changed.on_hand} on hand`);
        await this.#load();
      } catch (error) {
        bad.replaceChildren(why(error) ?? '');
      }
    });
    this.dialog.replaceChildren(form);
    this.dialog.showModal();
    pieces.focus();
  }
}

/** Returns a number of hours, or of minutes where it is less than one. */
function hoursOf(hours) {
  return hours < 1 ? `${whole(Math.ceil(hours * 60))} min` : `${short(hours)} h`;
}
