/** What an inventory plugin asks the host for. */

import * as stock from "till:plugin/stock@0.1.0";
import { asking, OutOfStock } from "./till.js";

/**
 * @typedef {import("till:plugin/types@0.1.0").StockLine} StockLine
 * @typedef {import("till:plugin/types@0.1.0").StockLevel} StockLevel
 */

/**
 * Takes the lines out of the stock, all of them or none. Once a call.
 * @param {import("./till.js").Span} span
 * @param {StockLine[]} lines
 * @returns {StockLevel[]} what is left of each item
 * @throws {OutOfStock}
 */
export function take(span, lines) {
  return asking(
    () => stock.take(span.context, lines),
    (shortage) => {
      throw new OutOfStock(shortage);
    },
  );
}

/**
 * How many pieces are on hand now, if the shop knows the item: a hint, for others take from it too.
 * @param {import("./till.js").Span} span
 * @param {string} item
 */
export function level(span, item) {
  return stock.level(span.context, item);
}
