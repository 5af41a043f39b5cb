// Hides cash where too much is due, and moves a way to pay to the front.
//
// | setting | what it is | without it |
// |---|---|---|
// | `cash` | the method's id | `cash` |
// | `cash_up_to` | the most that may be due, in whole units of the currency | any amount |
// | `first` | the id of the method that comes first | the shop's order |

import { exported, hiding, moving } from "../../kits/js/hooks/payment-menu.js";
import { onlySettings, setting } from "../../kits/js/hooks/till.js";

/** @satisfies {typeof import("till:plugin/payment-menu@0.2.0")} */
export const paymentMenu = {
  customize: exported((call, { cart, due, methods }) => {
    onlySettings("cash", "cash_up_to", "first");
    const cash = setting("cash").or("cash").text();
    const upTo = setting("cash_up_to").ifSet((it) => it.amount(cart.currency));
    const first = setting("first").ifSet((it) => it.text());
    const ids = methods.map(({ id }) => id);
    const isHidden = upTo !== undefined && due > upTo && ids.includes(cash);
    const left = ids.filter((id) => !(isHidden && id === cash));
    const isMoved = first !== undefined && left.indexOf(first) > 0;
    return [...(isHidden ? [hiding(cash)] : []), ...(isMoved ? [moving(first, 0)] : [])];
  }),
};
