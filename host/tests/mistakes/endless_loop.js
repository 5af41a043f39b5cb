// Never comes to an end.
import { deduct, subtotal } from "./kits/js/checkout.js";
import { exported } from "./kits/js/till.js";

export const checkout = {
  checkout: exported((call, order) => {
    while (order.lines.length > 0) call;
    deduct(call, order);
    return { adjustments: [], total: subtotal(order), attributes: [] };
  }),
};
