/** What keeps a cart from being sold: what such a plugin exports. */

import { count, list, record, text, variant } from "./shapes.js";
import { exporting } from "./till.js";

/**
 * @typedef {import("till:plugin/validation@0.2.0").Subject} Subject
 * @typedef {import("till:plugin/validation@0.2.0").Violation} Violation
 * @typedef {import("till:plugin/types@0.2.0").Cart} Cart
 * @typedef {import("till:plugin/types@0.2.0").Line} Line
 * @typedef {import("./till.js").Span} Span
 */

const subject = variant({
  cart: undefined,
  line: count(),
  "shipping-address": text,
  "billing-address": text,
  code: text,
  attribute: text,
});

const violations = list(record({ code: text, message: text, subject }), 0, 32);

/**
 * Makes the world's `validate` of a decision. What the decision throws of the kit's errors is the interface's error; what it
 * answers is checked.
 * @param {(call: Span, cart: Cart) => Violation[]} decide
 */
export function exported(decide) {
  return exporting(decide, (answer) => violations("violations", answer));
}
