// Refuses more than so many pieces of an item, and items that want a confirmation without it.
//
// | setting | what it is | without it |
// |---|---|---|
// | `most` | pieces of an item, over all its lines | any number |
// | `items` | the items that `most` is about, with commas between | all items |
// | `tag` | the catalogue's tag of items that want a confirmation | `age-restricted` |
// | `confirmation` | the cart's attribute that confirms, with `true`, `yes`, `on` or `1` | `age_confirmed` |

import { flag, piecesOf } from "../../kits/js/hooks/cart.js";
import { productsOf } from "../../kits/js/hooks/facts.js";
import { onlySettings, setting } from "../../kits/js/hooks/till.js";
import { exported } from "../../kits/js/hooks/validation.js";
import type { Cart, Violation } from "../../kits/js/hooks/validation.js";

export const validation = {
  validate: exported((call, cart) => {
    onlySettings("most", "items", "tag", "confirmation");
    const most = setting("most").ifSet((it) => it.number());
    const limited = most === undefined ? [] : tooMany(cart, most, setting("items").list());
    const tag = setting("tag").or("age-restricted").text();
    return [...limited, ...unconfirmed(cart, tag, setting("confirmation").or("age_confirmed").text())];
  }),
} satisfies typeof import("till:plugin/validation@0.2.0");

// One for each item of which there are too many, about its first line.
function tooMany(cart: Cart, most: number, items: string[]): Violation[] {
  const first = cart.lines.filter(({ item }, index) => cart.lines.findIndex((line) => line.item === item) === index);
  const isLimited = (item: string) => items.length === 0 || items.includes(item);
  const past = first.filter(({ item }) => isLimited(item) && piecesOf(cart, item) > most);
  return past.map(({ id, title }) => ({
    code: "too-many",
    message: `At most ${most} of ${title} can be ordered.`,
    subject: { tag: "line", val: id },
  }));
}

// An item that the catalogue doesn't know has no tags.
function unconfirmed(cart: Cart, tag: string, key: string): Violation[] {
  if (flag(cart, key)) return [];
  const product = productsOf(cart.lines).find((product) => product?.tags.includes(tag));
  if (!product) return [];
  return [{ code: "unconfirmed", message: `${product.title} needs a confirmation.`, subject: { tag: "attribute", val: key } }];
}
