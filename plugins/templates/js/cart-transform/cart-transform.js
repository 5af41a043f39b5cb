// Gives the item of the setting `gift` to every cart; without the setting, nothing.

import { exported } from "./kits/js/hooks/cart-transform.js";
import { setting } from "./kits/js/hooks/till.js";

/** @satisfies {typeof import("till:plugin/cart-transform@0.2.0")} */
export const cartTransform = {
  transform: exported((call, cart) => {
    if (!setting("gift").isSet) return [];
    const item = setting("gift").text();
    return [{ tag: "add", val: { item, quantity: 1, unitPrice: 0, attributes: [] } }];
  }),
};
