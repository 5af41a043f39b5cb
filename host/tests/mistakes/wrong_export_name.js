// Exports its functions under another name than the world has.
import { deduct, exported, receiptOf } from "./kits/js/checkout.js";

export const checkouts = {
  checkout: exported((call, order) => {
    deduct(call, order);
    return receiptOf(order);
  }),
};
