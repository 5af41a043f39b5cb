/** What a checkout plugin asks the host for. */

import * as inventory from "till:plugin/inventory@0.1.0";
import { asking, PluginError } from "./till.js";

/**
 * @typedef {import("till:plugin/checkout@0.1.0").Adjustment} Adjustment
 * @typedef {import("till:plugin/checkout@0.1.0").Order} Order
 * @typedef {import("till:plugin/checkout@0.1.0").Receipt} Receipt
 */

/**
 * Asks the shop's inventory for what the order's lines sell: all of it or nothing. Once a call. The inventory's error is
 * thrown on, as the checkout's of the same name.
 * @param {import("./till.js").Span} span
 * @param {Order} order
 * @throws {PluginError}
 */
export function deduct(span, order) {
  const lines = order.lines.map(({ item, quantity }) => ({ item, quantity }));
  return asking(
    () => inventory.deduct(span.context, lines),
    ({ tag, val }) => {
      throw new PluginError(tag, val, `the inventory answered ${tag}`);
    },
  );
}

/**
 * What the lines cost before any adjustment, in minor units.
 * @param {Order} order
 */
export function subtotal(order) {
  return order.lines.reduce((sum, { quantity, unitPrice }) => sum + quantity * unitPrice, 0);
}
