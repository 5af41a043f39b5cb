/** Changes of the ways of delivery that are offered: what such a plugin exports. */

import { change } from "./menus.js";
import { count, list, record } from "./shapes.js";
import { exporting } from "./till.js";

/**
 * @typedef {import("till:plugin/delivery-menu@0.2.0").GroupChanges} GroupChanges
 * @typedef {import("till:plugin/delivery-menu@0.2.0").Question} Question
 * @typedef {import("till:plugin/menus@0.2.0").DeliveryOption} DeliveryOption
 * @typedef {import("./till.js").Span} Span
 */

export { hiding, moving, renaming } from "./menus.js";

const changes = list(record({ group: count(), changes: list(change, 0, 200) }), 0, 100);

/**
 * Makes the world's `customize` of a decision. What the decision throws of the kit's errors is the interface's error; what it
 * answers is checked.
 * @param {(call: Span, question: Question) => GroupChanges[]} decide
 */
export function exported(decide) {
  return exporting(decide, (answer) => changes("changes", answer));
}
