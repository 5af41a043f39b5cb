/** Discounts on delivery: what such a plugin exports. */

import { choice, classes } from "./offers.js";
import { amount, count, list, optional, record, share, text, variant } from "./shapes.js";
import { exporting } from "./till.js";

/**
 * @typedef {import("till:plugin/delivery-discounts@0.2.0").Offer} Offer
 * @typedef {import("till:plugin/delivery-discounts@0.2.0").Question} Question
 * @typedef {import("till:plugin/delivery-discounts@0.2.0").Target} Target
 * @typedef {import("./till.js").Span} Span
 */

export { ALL, NONE } from "./offers.js";

const candidate = record({
  title: text,
  value: variant({ percentage: share, amount }),
  targets: list(variant({ group: count(), "delivery-option": record({ group: count(), handle: text }) }), 1, 100),
  code: optional(text),
});

const offers = list(record({ candidates: list(candidate, 1, 100), choose: choice, combinesWith: classes }), 0, 32);

/**
 * Makes the world's `decide` of a decision. What the decision throws of the kit's errors is the interface's error; what it
 * answers is checked.
 * @param {(call: Span, question: Question) => Offer[]} decide
 */
export function exported(decide) {
  return exporting(decide, (answer) => offers("offers", answer));
}

/**
 * Returns the target of one option, by its handle as it stands in the question.
 * @param {number} group
 * @param {string} handle
 * @returns {Target}
 */
export function option(group, handle) {
  return { tag: "delivery-option", val: { group, handle } };
}
