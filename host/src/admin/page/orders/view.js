// Orders: the list at its path, an order below it, by reference or number.

import { ROW_KEYS } from '../frame/rows.js';
import { showOrder } from './order.js';
import { showOrders } from './list.js';

export const orders = {
  name: 'Orders',
  key: 'o',
  path: '/console/orders',
  keys: [...ROW_KEYS, ['/', 'Narrow the list']],
  show: (main, [reference], go) => (reference ? showOrder(main, reference) : showOrders(main, go)),
};
