// Moves the way to pay that the setting `first` names to the front.

import { exported, moving } from "./kits/js/hooks/payment-menu.js";
import { setting } from "./kits/js/hooks/till.js";

/** @satisfies {typeof import("till:plugin/payment-menu@0.2.0")} */
export const paymentMenu = {
  customize: exported((call, { methods }) => {
    const first = setting("first").text();
    return methods.some(({ id }) => id === first) ? [moving(first, 0)] : [];
  }),
};
