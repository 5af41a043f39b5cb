// Whatever is on hand may be taken, but for the item that the setting `blocked` names.

import type { StockLevel, StockLine } from "till:plugin/types@0.1.0";
import { take } from "./kits/js/inventory.js";
import { exported, Rejected, setting, type Span } from "./kits/js/till.js";

export const inventory = {
  deduct: exported((call: Span, lines: StockLine[]): StockLevel[] => {
    check(call, lines);
    return take(call, lines);
  }),
} satisfies typeof import("till:plugin/inventory@0.1.0");

function check(call: Span, lines: StockLine[]): void {
  using checking = call.child("check_lines");
  const blocked = setting("blocked");
  if (lines.some(({ item }) => item === blocked)) throw new Rejected("blocked", `${blocked} isn't sold at the moment`);
}
