// Refuses more pieces of an item than the setting `most` says, 10 without it.

import { piecesOf } from "./kits/js/hooks/cart.js";
import { setting } from "./kits/js/hooks/till.js";
import { exported } from "./kits/js/hooks/validation.js";

export const validation = {
  validate: exported((call, cart) => {
    const most = setting("most").or("10").number();
    const past = cart.lines.filter(({ item }) => piecesOf(cart, item) > most);
    return past.map(({ id, title }) => ({
      code: "too-many",
      message: `At most ${most} of ${title} can be ordered.`,
      subject: { tag: "line", val: id },
    }));
  }),
} satisfies typeof import("till:plugin/validation@0.2.0");
