/** What an inventory plugin exports and what it asks the host for. */

import * as stock from "till:plugin/stock@0.1.0";
import { counted, unsigned } from "./amount.js";
import { NumberError, OutOfStock } from "./errors.js";
import { asking, exporting } from "./till.js";

/**
 * @typedef {import("till:plugin/types@0.1.0").StockLine} StockLine
 * @typedef {import("till:plugin/types@0.1.0").StockLevel} StockLevel
 * @typedef {import("./till.js").Span} Span
 */

/**
 * Makes the world's `deduct` of a decision. What the decision throws of the kit's errors is the interface's error; what it
 * answers is checked, so that no wrong number is handed over.
 * @param {(call: Span, lines: StockLine[]) => StockLevel[]} decide
 */
export function exported(decide) {
  return exporting(decide, checked);
}

/**
 * Takes the lines out of the stock, all of them or none. Once a call.
 * @param {Span} span
 * @param {StockLine[]} lines
 * @returns {StockLevel[]} what is left of each item
 * @throws {OutOfStock}
 */
export function take(span, lines) {
  const wanted = lines.map(({ item, quantity }, index) => ({
    item,
    quantity: counted(`lines[${index}].quantity`, quantity),
  }));
  const levels = asking(
    () => stock.take(span.context, wanted),
    ({ item, requested, available }) => {
      throw new OutOfStock({ item, requested: unsigned(requested), available: unsigned(available) });
    },
  );
  return levels.map(({ item, remaining }) => ({ item, remaining: unsigned(remaining) }));
}

/**
 * How many pieces are on hand now, if the shop knows the item: a hint, for others take from it too.
 * @param {Span} span
 * @param {string} item
 */
export function level(span, item) {
  const pieces = stock.level(span.context, item) ?? undefined;
  return pieces === undefined ? undefined : unsigned(pieces);
}

/**
 * @param {StockLevel[]} levels
 * @returns {StockLevel[]}
 */
function checked(levels) {
  if (!Array.isArray(levels)) {
    throw new NumberError(`the decision answered ${levels}, wanted the list of what is left, as take returns it`);
  }
  return levels.map(({ item, remaining }, index) => ({
    item,
    remaining: counted(`levels[${index}].remaining`, remaining),
  }));
}
