/** Ways of delivery, with what they cost: what such a plugin exports. */

import { amount, attributes, count, list, oneOf, optional, record, text } from "./shapes.js";
import { exporting } from "./till.js";

/**
 * @typedef {import("till:plugin/delivery-options@0.2.0").Question} Question
 * @typedef {import("till:plugin/menus@0.2.0").DeliveryOption} DeliveryOption
 * @typedef {import("./till.js").Span} Span
 */

const days = count(0, 65_535);

const options = list(
  record({
    handle: text,
    title: text,
    description: optional(text),
    kind: oneOf("shipping", "local-delivery", "pickup", "pickup-point", "digital"),
    cost: amount,
    days: optional(record({ earliest: days, latest: days })),
    location: optional(text),
    attributes,
  }),
  0,
  32,
);

/**
 * Makes the world's `offer` of a decision. What the decision throws of the kit's errors is the interface's error; what it
 * answers is checked.
 * @param {(call: Span, question: Question) => DeliveryOption[]} decide
 */
export function exported(decide) {
  return exporting(decide, (answer) => options("options", answer));
}

/**
 * Returns the lines that are delivered together.
 * @param {Question} question
 */
export function linesOf({ cart, group }) {
  return cart.lines.filter(({ id }) => group.lines.includes(id));
}
