// Adds the tax of the setting `percent` to everything, 19 without it.

import { percentText } from "./kits/js/hooks/cart.js";
import { added, exported } from "./kits/js/hooks/tax.js";
import { setting } from "./kits/js/hooks/till.js";

/** @satisfies {typeof import("till:plugin/tax@0.2.0")} */
export const tax = {
  assess: exported((call, { taxables }) => {
    const rate = setting("percent").or("19").percent();
    return taxables.map((taxable) => added(taxable, `Tax ${percentText(rate)} %`, rate, "half-up"));
  }),
};
