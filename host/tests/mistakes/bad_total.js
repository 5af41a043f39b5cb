// Takes something off the total and says nothing of it.
import { deduct, subtotal } from "./kits/js/checkout.js";
import { exported } from "./kits/js/till.js";

export const checkout = {
  checkout: exported((call, order) => {
    deduct(call, order);
    return { adjustments: [], total: subtotal(order) - 100, attributes: [] };
  }),
};
