// The orders, the newest first, narrowed by reference, item, state and time.

import { read } from '../frame/api.js';
import { Narrowing, why } from '../frame/form.js';
import { isForPage } from '../frame/keys.js';
import { live } from '../frame/live.js';
import { at } from '../frame/root.js';
import { rowsTable } from '../frame/rows.js';
import { say } from '../frame/say.js';
import { cut, day, el, money, plural, whole } from '../frame/text.js';

const PAGE = 100;
const REFRESH_MS = 3000;
const STATES = [['', 'any'], ['COMPLETED', 'completed'], ['FAILED', 'failed'], ['PENDING', 'pending'], ['PENDING_RELEASE', 'waiting for a release']];
const WORDS = Object.fromEntries(STATES);

/** Returns the state as the field's word, with a class for its colour. */
export function stateOf(order) {
  const name = order.status === 'COMPLETED' ? 'good' : order.status === 'FAILED' ? 'bad' : 'warn';
  return el('span', { class: `state ${name}` }, WORDS[order.status] ?? order.status);
}

export function showOrders(main, go) {
  document.title = 'Orders \u00b7 Till';
  const table = rowsTable('Orders, the newest first. Arrow keys, or j and k, go from one to the next, Enter opens it.', [
    ['Placed', ''], ['Reference', ''], ['Items', ''], ['State', ''], ['Total', 'number'], ['Why', '']]);
  const status = el('p', { class: 'status', role: 'status' });
  const note = el('div', { class: 'note', hidden: true });
  const more = el('button', { type: 'button', class: 'more', hidden: true, onclick: () => older() }, 'Show older orders');
  let shown = [];
  let nextAfter = null;
  let isFirstPage = true;

  const narrowing = new Narrowing('/console/orders', 'Narrow the orders', [
    { name: 'reference', label: 'Reference or number', hint: 'opens the order' },
    { name: 'item', label: 'Item', hint: 'laptop' },
    { name: 'status', label: 'State', options: STATES },
    { name: 'from', label: 'Placed from', type: 'datetime-local' },
    { name: 'to', label: 'Placed before', type: 'datetime-local' },
  ], ({ reference }) => {
    if (reference) return go(at(`/console/orders/${encodeURIComponent(reference)}`));
    isFirstPage = true;
    return load();
  });
  main.append(
    el('div', { class: 'titleline' }, el('h1', {}, 'Orders')),
    narrowing.element,
    el('section', { class: 'sheet', 'aria-label': 'Orders' }, el('div', { class: 'head' }, status), table.element, note, more));

  const query = (values) => {
    const { item, status: state, from, to } = narrowing.values;
    const ms = (text) => (text ? String(new Date(text).getTime()) : undefined);
    const all = { sort: 'newest', limit: PAGE, item, status: state, placed_from_ms: ms(from), placed_before_ms: ms(to), ...values };
    return new URLSearchParams(Object.entries(all).filter(([, value]) => value !== undefined)).toString();
  };
  const draw = () => {
    table.draw(shown.map(row));
    table.element.hidden = shown.length === 0;
    more.hidden = nextAfter === null;
    status.textContent = shown.length === 0 ? '' : `${plural(shown.length, 'order')}${nextAfter === null ? '' : ', and older ones'} \u00b7 newest first`;
    note.hidden = shown.length > 0;
    if (shown.length === 0) note.replaceChildren(el('p', { class: 'title' }, 'No order is like that'));
  };
  const failed = (error) => {
    const told = why(error);
    note.hidden = told === null;
    if (told) note.replaceChildren(told);
  };
  const load = async (signal) => {
    if (!isFirstPage) return;
    try {
      const page = await read(`/orders?${query({})}`, signal);
      if (!isFirstPage) return;
      [shown, nextAfter] = [page.orders, page.next_after ?? null];
      draw();
    } catch (error) {
      failed(error);
    }
  };
  const older = async () => {
    isFirstPage = false;
    try {
      const page = await read(`/orders?${query({ after: nextAfter })}`);
      [shown, nextAfter] = [[...shown, ...page.orders], page.next_after ?? null];
      draw();
      say(`${plural(page.orders.length, 'older order')} added`);
    } catch (error) {
      failed(error);
    }
  };
  const slash = (event) => {
    if (event.key !== '/' || !isForPage(event)) return;
    event.preventDefault();
    narrowing.focus();
  };
  document.addEventListener('keydown', slash);
  const stop = live(load, REFRESH_MS);
  return () => {
    stop();
    narrowing.leave();
    table.leave();
    document.removeEventListener('keydown', slash);
  };
}

function row(order) {
  const { reference, lines, placed_at_ms, total_price, currency, reason } = order;
  const link = el('a', { href: at(`/console/orders/${encodeURIComponent(reference)}`), 'data-link': true, 'data-row': true, tabindex: '-1' }, cut(reference));
  const first = lines[0];
  const items = `${first.quantity} \u00d7 ${first.item}${lines.length > 1 ? ` and ${whole(lines.length - 1)} more` : ''}`;
  return el('tr', { data: { key: reference } },
    el('td', {}, el('time', { datetime: order.placed_at }, day(placed_at_ms * 1000).slice(0, 19))),
    el('td', {}, link),
    el('td', {}, cut(items)),
    el('td', {}, stateOf(order)),
    el('td', { class: 'number' }, total_price === undefined ? '' : money(total_price, currency)),
    el('td', {}, reason ? cut(reason) : ''));
}
