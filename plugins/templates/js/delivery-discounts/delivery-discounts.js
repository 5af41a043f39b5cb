// Takes the percentage of the setting `percent` off every way of delivery, 50 without it.

import { NONE, exported } from "./kits/js/hooks/delivery-discounts.js";
import { setting } from "./kits/js/hooks/till.js";

/** @import { Target } from "./kits/js/hooks/delivery-discounts.js" */

/** @satisfies {typeof import("till:plugin/delivery-discounts@0.2.0")} */
export const deliveryDiscounts = {
  decide: exported((call, { choices }) => {
    const percent = setting("percent").or("50").percent();
    /** @type {Target[]} */
    const targets = choices.map(({ group }) => ({ tag: "group", val: group.id }));
    if (targets.length === 0) return [];
    return [
      {
        candidates: [{ title: "Cheaper delivery", value: { tag: "percentage", val: percent }, targets }],
        choose: "first",
        combinesWith: NONE,
      },
    ];
  }),
};
