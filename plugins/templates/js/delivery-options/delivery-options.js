// Delivers everywhere for the amount of the setting `rate`, 4.90 without it.

import { exported } from "./kits/js/hooks/delivery-options.js";
import { setting } from "./kits/js/hooks/till.js";

/** @satisfies {typeof import("till:plugin/delivery-options@0.2.0")} */
export const deliveryOptions = {
  offer: exported((call, { cart }) => {
    const cost = setting("rate").or("4.90").amount(cart.currency);
    return [{ handle: "standard", title: "Standard", kind: "shipping", cost, attributes: [] }];
  }),
};
