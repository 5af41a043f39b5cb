// Whatever is on hand may be taken, but for the item that the setting `blocked` names.

import { take } from "./kits/js/inventory.js";
import { exported, Rejected, setting } from "./kits/js/till.js";

export const inventory = {
  deduct: exported((call, lines) => {
    check(call, lines);
    return take(call, lines);
  }),
};

function check(call, lines) {
  using checking = call.child("check_lines");
  const blocked = setting("blocked");
  if (lines.some(({ item }) => item === blocked)) throw new Rejected("blocked", `${blocked} isn't sold at the moment`);
}
