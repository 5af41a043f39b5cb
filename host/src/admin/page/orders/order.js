// One order: its receipt, its attributes, and the ways to its trace, its calls and its plugins.

import { read } from '../frame/api.js';
import { why } from '../frame/form.js';
import { at } from '../frame/root.js';
import { copyButton, say } from '../frame/say.js';
import { cut, day, duration, el, foreign, long, money, visible, whole } from '../frame/text.js';
import { stateOf } from './list.js';

const REFRESH_MS = 1000;

export function showOrder(main, reference) {
  document.title = `Order ${visible(reference).slice(0, 12)} \u00b7 Till`;
  const asked = new AbortController();
  const box = el('div', {}, el('p', { class: 'note' }, 'Reading the order\u2026'));
  main.append(el('nav', { class: 'back', 'aria-label': 'Back' }, el('a', { href: at('/console/orders'), 'data-link': true }, '\u2190 All orders')), box);
  let timer = 0;
  const load = async () => {
    try {
      const order = await read(`/orders/${encodeURIComponent(reference)}`, asked.signal);
      box.replaceChildren(...drawn(order));
      say(`Order ${order.status.toLowerCase()}`);
      if (order.ended_at_ms === undefined) timer = setTimeout(load, REFRESH_MS);
    } catch (error) {
      const told = why(error);
      if (told) box.replaceChildren(el('h1', {}, error.status === 404 ? 'There is no such order' : 'The order can\u2019t be read'), el('div', { class: 'note' }, told));
    }
  };
  load();
  return () => {
    clearTimeout(timer);
    asked.abort();
  };
}

function drawn(order) {
  const fact = (label, ...value) => el('div', {}, el('dt', {}, label), el('dd', {}, ...value));
  const took = order.ended_at_ms === undefined ? null : (order.ended_at_ms - order.placed_at_ms) * 1000;
  return [
    el('header', { class: 'tracehead' },
      el('div', { class: 'titlebar' }, el('h1', {}, `Order ${whole(order.order_id)}`),
        el('div', { class: 'handle' }, el('code', {}, foreign(order.reference, { class: 'cut' })), copyButton(order.reference, 'Copy reference'))),
      el('dl', { class: 'facts' },
        fact('State', stateOf(order)),
        order.total_price !== undefined && fact('Total', money(order.total_price, order.currency)),
        order.reason && fact('Why', cut(order.reason)),
        fact('Placed', el('time', { datetime: order.placed_at }, day(order.placed_at_ms * 1000))),
        took !== null && fact('Took', duration(took)),
        fact('Trace', el('a', { href: at(`/traces/${order.trace_id}`), 'data-link': true }, el('code', {}, order.trace_id.slice(0, 8)))),
        fact('Served by', foreign(order.plugins.replaceAll(';', '; '), { class: 'wrapped' })))),
    receipt(order),
    attributes('Attributes of the order', order.attributes),
    attributes('Attributes that plugins added', order.receipt_attributes),
  ].filter(Boolean);
}

function receipt({ lines, adjustments, subtotal, total_price, currency }) {
  const row = (cells, properties = {}) => el('tr', properties, cells.map((cell, index) => el('td', { class: index > 1 ? 'number' : '' }, cell)));
  const amount = (of) => money(of, currency);
  const sign = { subtract: '\u2212', add: '+' };
  return el('section', { class: 'sheet', 'aria-labelledby': 'receipt' },
    el('div', { class: 'head' }, el('h2', { id: 'receipt' }, total_price === undefined ? 'Cart' : 'Receipt')),
    el('div', { class: 'scroll' }, el('table', { class: 'rows' },
      el('thead', {}, el('tr', {}, ['Line', 'What', 'Pieces', 'Each', 'Amount'].map((label, index) => el('th', { scope: 'col', class: index > 1 ? 'number' : '' }, label)))),
      el('tbody', {},
        lines.map((line, index) => row([whole(index + 1), [el('a', { href: at(`/console/orders?item=${encodeURIComponent(line.item)}`), 'data-link': true }, cut(line.item)), pairs(line.attributes)], whole(line.quantity), amount(line.price), ''])),
        row(['', 'Subtotal', '', '', amount(subtotal)]),
        adjustments.map((change) => row([change.line === undefined ? '' : whole(change.line + 1), [cut(change.label), ' ', el('span', { class: 'dim' }, cut(change.category))], '', '', `${sign[change.effect] ?? ''}${amount(change.amount)}`])),
        total_price !== undefined && row(['', el('strong', {}, 'Total'), '', '', el('strong', {}, amount(total_price))])))));
}

function pairs(attributes) {
  const entries = Object.entries(attributes ?? {});
  return entries.length > 0 && el('dl', { class: 'pairs small' }, entries.map(([key, value]) => el('div', {}, el('dt', {}, cut(key)), el('dd', {}, long(value)))));
}

function attributes(title, of) {
  if (!of || Object.keys(of).length === 0) return null;
  return el('section', { class: 'sheet panel', 'aria-label': title }, el('h2', {}, title), pairs(of));
}
