// Takes the percentage of the setting `percent` off the order, 10 without it.

import { percentText } from "./kits/js/hooks/cart.js";
import { decisionOf, exported, percentOffOrder } from "./kits/js/hooks/discounts.js";
import { setting } from "./kits/js/hooks/till.js";

/** @satisfies {typeof import("till:plugin/discounts@0.2.0")} */
export const discounts = {
  decide: exported((call, cart) => {
    const percent = setting("percent").or("10").percent();
    return decisionOf([percentOffOrder(`${percentText(percent)} % off`, percent)]);
  }),
};
