// Whatever is on hand may be taken, but for the item that the setting `blocked` names.

import { exported, take } from "./kits/js/inventory.js";
import { Rejected, setting } from "./kits/js/till.js";

/** @import { Span, StockLine } from "./kits/js/inventory.js" */

/** @satisfies {typeof import("till:plugin/inventory@0.1.0")} */
export const inventory = {
  deduct: exported((call, lines) => {
    check(call, lines);
    return take(call, lines);
  }),
};

/**
 * @param {Span} call
 * @param {StockLine[]} lines
 */
function check(call, lines) {
  using checking = call.child("check_lines");
  const blocked = setting("blocked");
  if (lines.some(({ item }) => item === blocked)) throw new Rejected("blocked", `${blocked} isn't sold at the moment`);
}
