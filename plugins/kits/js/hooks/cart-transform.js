/** Changes of what is bought, before anything is priced: what such a plugin exports. */

import { amount, attributes, count, list, optional, record, share, text, variant } from "./shapes.js";
import { exporting } from "./till.js";

/**
 * @typedef {import("till:plugin/cart-transform@0.2.0").Operation} Operation
 * @typedef {import("till:plugin/types@0.2.0").Cart} Cart
 * @typedef {import("till:plugin/types@0.2.0").Line} Line
 * @typedef {import("./till.js").Span} Span
 */

const pieces = count(1, 10_000);

const component = record({ item: text, quantity: pieces, unitPrice: optional(amount), title: optional(text), attributes });

const operations = list(
  variant({
    expand: record({ line: count(), components: list(component, 1, 32), decrease: optional(share) }),
    merge: record({
      parts: list(record({ line: count(), quantity: pieces }), 1, 32),
      quantity: pieces,
      item: text,
      title: optional(text),
      decrease: optional(share),
      attributes,
    }),
    update: record({ line: count(), title: optional(text), unitPrice: optional(amount) }),
    add: component,
  }),
  0,
  200,
);

/**
 * Makes the world's `transform` of a decision. What the decision throws of the kit's errors is the interface's error; what it
 * answers is checked.
 * @param {(call: Span, cart: Cart) => Operation[]} decide
 */
export function exported(decide) {
  return exporting(decide, (answer) => operations("operations", answer));
}
