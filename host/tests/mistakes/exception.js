// Reads what an order may not have.
import { deduct, subtotal } from "./kits/js/checkout.js";
import { exported } from "./kits/js/till.js";

export const checkout = {
  checkout: exported((call, order) => {
    const coupon = order.attributes.find(({ key }) => key === "coupon").value;
    deduct(call, order);
    call.set({ coupon: coupon.val });
    return { adjustments: [], total: subtotal(order), attributes: [] };
  }),
};
