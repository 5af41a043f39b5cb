// What an order costs: what its lines say, and the shipping of the setting `shipping` (minor units) if there is one.

import { amountSetting, deduct, exported, receiptOf } from "./kits/js/checkout.js";
import type { Adjustment, Order, Receipt, Span } from "./kits/js/checkout.js";

export const checkout = {
  checkout: exported((call, order) => {
    const receipt = price(call, order);
    deduct(call, order);
    return receipt;
  }),
} satisfies typeof import("till:plugin/checkout@0.1.0");

function price(call: Span, order: Order): Receipt {
  using pricing = call.child("price_cart");
  return receiptOf(order, shipping());
}

function shipping(): Adjustment[] {
  const amount = amountSetting("shipping") ?? 0;
  return amount === 0 ? [] : [{ effect: "add", category: "shipping", label: "Shipping", amount }];
}
