// Exports the interface without the world's function.
import { deduct, exported, receiptOf } from "./kits/js/checkout.js";

export const checkout = {
  price: exported((call, order) => {
    deduct(call, order);
    return receiptOf(order);
  }),
};
