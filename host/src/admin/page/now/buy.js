// A box that buys as a customer does, and opens the trace.

import { buy, read } from '../frame/api.js';
import { why } from '../frame/form.js';
import { isForPage } from '../frame/keys.js';
import { at } from '../frame/root.js';
import { say } from '../frame/say.js';
import { el, foreign } from '../frame/text.js';

// As many names as a list of suggestions bears.
const OFFERED = 200;

/** Returns `{element, leave}`. */
export function buyBox(go) {
  const known = el('datalist', { id: 'buy-known' });
  const input = (id, label, properties) => [el('label', { for: id }, label), el('input', { id, required: true, autocomplete: 'off', ...properties })];
  const result = el('div', { role: 'status' });
  const [itemLabel, item] = input('buy-item', 'Item', { type: 'text', list: 'buy-known', value: 'headphones' });
  const [quantityLabel, quantity] = input('buy-quantity', 'Pieces', { type: 'number', min: '1', step: '1', value: '1' });
  const [priceLabel, price] = input('buy-price', 'Price each', { type: 'number', min: '0', step: 'any', value: '99.99' });
  const button = el('button', { type: 'submit', class: 'main' }, 'Buy, and open the trace');
  const form = el('form', { class: 'buy' },
    el('div', { class: 'field' }, itemLabel, item, known), el('div', { class: 'field' }, quantityLabel, quantity), el('div', { class: 'field' }, priceLabel, price), button, result);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      const { ok, body, trace_id } = await buy({ item: item.value, quantity: Number(quantity.value), price: Number(price.value) });
      const told = ok ? `Sold: order ${body.order_id}` : body?.detail ?? body?.title ?? 'Refused';
      say(told);
      if (trace_id) return go(at(`/traces/${trace_id}`));
      result.replaceChildren(el('p', { class: ok ? '' : 'bad' }, foreign(told)));
    } catch (error) {
      result.replaceChildren(why(error) ?? '');
    } finally {
      button.disabled = false;
    }
    return undefined;
  });
  const asked = new AbortController();
  read('/stock', asked.signal).then(({ items }) => known.append(...items.slice(0, OFFERED).map(({ item: value }) => el('option', { value }))), () => {});
  const key = (event) => {
    if (event.key !== 'b' || !isForPage(event)) return;
    event.preventDefault();
    item.focus();
  };
  document.addEventListener('keydown', key);
  const element = el('section', { class: 'sheet', 'aria-labelledby': 'buy-title' },
    el('div', { class: 'head' }, el('h2', { id: 'buy-title' }, 'Buy something')),
    el('p', { class: 'note small' }, 'A real order of this shop: it takes stock, and plugins are asked as for any customer.'), form);
  return {
    element,
    leave() {
      asked.abort();
      document.removeEventListener('keydown', key);
    },
  };
}
