/** Changes of the ways to pay that are offered: what such a plugin exports. */

import { change } from "./menus.js";
import { list } from "./shapes.js";
import { exporting } from "./till.js";

/**
 * @typedef {import("till:plugin/menus@0.2.0").Change} Change
 * @typedef {import("till:plugin/payment-menu@0.2.0").Question} Question
 * @typedef {import("./till.js").Span} Span
 */

export { hiding, moving, renaming } from "./menus.js";

const changes = list(change, 0, 200);

/**
 * Makes the world's `customize` of a decision. What the decision throws of the kit's errors is the interface's error; what it
 * answers is checked.
 * @param {(call: Span, question: Question) => Change[]} decide
 */
export function exported(decide) {
  return exporting(decide, (answer) => changes("changes", answer));
}
