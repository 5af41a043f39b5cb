// A good one: what the others are before they go wrong.
import { deduct, exported, receiptOf } from "./kits/js/checkout.js";

export const checkout = {
  checkout: exported((call, order) => {
    deduct(call, order);
    return receiptOf(order);
  }),
};
