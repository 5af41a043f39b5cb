/** What a checkout plugin exports and what it asks the host for. */

import * as inventory from "till:plugin/inventory@0.1.0";
import { amount, counted, lineCost, minus, plus, unsigned } from "./amount.js";
import { NumberError, OutOfStock, PluginError } from "./errors.js";
import { asking, exporting } from "./till.js";
import { long } from "./values.js";

/**
 * @typedef {import("till:plugin/checkout@0.1.0").Adjustment} Adjustment
 * @typedef {import("till:plugin/checkout@0.1.0").Order} Order
 * @typedef {import("till:plugin/checkout@0.1.0").Receipt} Receipt
 * @typedef {import("./till.js").Span} Span
 */

export { amount, amountSetting, lineCost, minus, percentOf, plus, ratioOf, split } from "./amount.js";

const EFFECTS = ["subtract", "add", "included"];

/**
 * Makes the world's `checkout` of a decision. What the decision throws of the kit's errors is the interface's error; what it
 * answers is checked, so that no wrong number is handed over.
 * @param {(call: Span, order: Order) => Receipt} decide
 */
export function exported(decide) {
  return exporting(decide, checked);
}

/**
 * Asks the shop's inventory for what the order's lines sell: all of it or nothing. Once a call. The inventory's error is
 * thrown on, as the checkout's of the same name.
 * @param {Span} span
 * @param {Order} order
 * @throws {PluginError}
 */
export function deduct(span, order) {
  const lines = order.lines.map(({ item, quantity }, index) => ({
    item,
    quantity: counted(`lines[${index}].quantity`, quantity),
  }));
  return asking(
    () => inventory.deduct(span.context, lines),
    ({ tag, val }) => {
      if (tag === "out-of-stock") {
        const { item, requested, available } = val;
        throw new OutOfStock({ item, requested: unsigned(requested), available: unsigned(available) });
      }
      throw new PluginError(tag, val, `the inventory answered ${tag}`);
    },
  );
}

/**
 * What the lines cost before any adjustment, in minor units.
 * @param {Order} order
 */
export function subtotal(order) {
  return order.lines.map(lineCost).reduce(plus, 0);
}

/**
 * Returns the receipt of an order with these adjustments: its total is what the lines cost, with what is added and without
 * what is subtracted.
 * @param {Order} order
 * @param {Adjustment[]} adjustments
 * @returns {Receipt}
 */
export function receiptOf(order, adjustments = []) {
  /** @param {string} effect */
  const sum = (effect) => {
    const of = adjustments.map((adjustment, index) => {
      const found = amount(`receipt.adjustments[${index}].amount`, adjustment.amount);
      return adjustment.effect === effect ? found : 0;
    });
    return of.reduce(plus, 0);
  };
  return { adjustments, total: minus(plus(subtotal(order), sum("add")), sum("subtract")), attributes: [] };
}

/**
 * @param {Receipt} receipt
 * @returns {Receipt}
 */
function checked(receipt) {
  if (typeof receipt !== "object" || receipt === null) {
    throw new NumberError(`the decision answered ${receipt}, wanted a receipt: { adjustments, total, attributes }`);
  }
  const adjustments = (receipt.adjustments ?? []).map((adjustment, index) => {
    const field = `receipt.adjustments[${index}]`;
    const { effect, category, label, line } = adjustment;
    if (!EFFECTS.includes(effect)) {
      throw new NumberError(`${field}.effect is ${JSON.stringify(effect)}, wanted one of ${EFFECTS.join(", ")}`);
    }
    return {
      effect,
      category: text(`${field}.category`, category),
      label: text(`${field}.label`, label),
      amount: long(amount(`${field}.amount`, adjustment.amount)),
      line: line === undefined || line === null ? undefined : counted(`${field}.line`, line),
    };
  });
  return { adjustments, total: long(amount("receipt.total", receipt.total)), attributes: receipt.attributes ?? [] };
}

/**
 * @param {string} field
 * @param {unknown} value
 */
function text(field, value) {
  if (typeof value === "string") return value.toWellFormed();
  throw new NumberError(`${field} is ${String(value)}, wanted a text`);
}
