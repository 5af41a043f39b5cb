// A checkout that prices a cart, in JavaScript: 10 % off what an item's lines cost from 3 pieces on, rounded down, and what
// the settings say: `surcharge` (minor units), `voucher` (minor units, split over the lines by what they cost), and the tax
// within the prices: `tax_percent`, rounded as `tax_rounding` says.

import {
  amountSetting,
  deduct,
  exported,
  lineCost,
  minus,
  percentOf,
  plus,
  ratioOf,
  receiptOf,
  split,
} from "../kits/js/checkout.js";
import { setting } from "../kits/js/till.js";

/** @import { Rounding } from "../kits/js/amount.js" */
/** @import { Adjustment, Order, Receipt, Span } from "../kits/js/checkout.js" */

const PIECES_FOR_DISCOUNT = 3;
const DISCOUNT_PERCENT = 10;

/** @satisfies {typeof import("till:plugin/checkout@0.1.0")} */
export const checkout = {
  checkout: exported((call, order) => {
    const receipt = price(call, order);
    deduct(call, order);
    return receipt;
  }),
};

/**
 * @param {Span} call
 * @param {Order} order
 * @returns {Receipt}
 */
function price(call, order) {
  using span = call.child("price_cart");
  const receipt = receiptOf(order, [...discounts(order), ...surcharges(), ...vouchers(order)]);
  const { adjustments, total, attributes } = receipt;
  span.set({ "cart.total": total });
  return { adjustments: [...adjustments, ...taxes(total)], total, attributes };
}

/**
 * @param {Order} order
 * @returns {Adjustment[]} one for each item of which there are enough, in the order of their first lines
 */
function discounts({ lines }) {
  const items = Map.groupBy(lines.keys(), (index) => lines[index].item);
  return [...items.values()].flatMap((indices) => {
    const pieces = indices.reduce((sum, index) => sum + lines[index].quantity, 0);
    if (pieces < PIECES_FOR_DISCOUNT) return [];
    const cost = indices.map((index) => lineCost(lines[index])).reduce(plus, 0);
    const label = `${DISCOUNT_PERCENT} % off from ${PIECES_FOR_DISCOUNT} pieces`;
    const amount = percentOf(cost, DISCOUNT_PERCENT, "down");
    return [{ effect: "subtract", category: "discount", label, amount, line: indices.length === 1 ? indices[0] : undefined }];
  });
}

/** @returns {Adjustment[]} */
function surcharges() {
  const amount = amountSetting("surcharge");
  return amount === undefined ? [] : [{ effect: "add", category: "surcharge", label: "Surcharge", amount }];
}

/**
 * @param {Order} order
 * @returns {Adjustment[]} one for each line
 */
function vouchers({ lines }) {
  const amount = amountSetting("voucher");
  if (amount === undefined) return [];
  const parts = split(amount, lines.map(lineCost));
  return parts.map((amount, line) => ({ effect: "subtract", category: "voucher", label: "Voucher", amount, line }));
}

/**
 * @param {number} total
 * @returns {Adjustment[]}
 */
function taxes(total) {
  const percent = amountSetting("tax_percent");
  if (percent === undefined) return [];
  // What is no rounding, the kit tells.
  const rounding = /** @type {Rounding} */ (setting("tax_rounding") ?? "half-up");
  const amount = ratioOf(total, percent, plus(100, percent), rounding);
  const label = `${percent} % of ${minus(total, amount)}`;
  return [{ effect: "included", category: "tax", label, amount }];
}
