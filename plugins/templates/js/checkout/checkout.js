// What an order costs: what its lines say, and the shipping of the setting `shipping` (minor units) if there is one.

import { amountSetting, deduct, exported, receiptOf } from "./kits/js/checkout.js";

/** @import { Adjustment, Order, Receipt, Span } from "./kits/js/checkout.js" */

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
  using pricing = call.child("price_cart");
  return receiptOf(order, shipping());
}

/** @returns {Adjustment[]} */
function shipping() {
  const amount = amountSetting("shipping") ?? 0;
  return amount === 0 ? [] : [{ effect: "add", category: "shipping", label: "Shipping", amount }];
}
