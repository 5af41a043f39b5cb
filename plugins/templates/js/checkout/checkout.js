// What an order costs: what its lines say, and the shipping of the setting `shipping` (minor units) if there is one.

import { deduct, subtotal } from "./kits/js/checkout.js";
import { exported, Other, setting } from "./kits/js/till.js";

export const checkout = {
  checkout: exported((call, order) => {
    const receipt = price(call, order);
    deduct(call, order);
    return receipt;
  }),
};

function price(call, order) {
  using pricing = call.child("price_cart");
  const adjustments = shipping();
  const total = adjustments.reduce((sum, { amount }) => sum + amount, subtotal(order));
  return { adjustments, total, attributes: [] };
}

function shipping() {
  const text = setting("shipping") ?? "0";
  if (!/^\d{1,15}$/.test(text)) throw new Other(`the setting shipping is no amount: ${text}`);
  const amount = Number(text);
  return amount === 0 ? [] : [{ effect: "add", category: "shipping", label: "Shipping", amount, line: undefined }];
}
