/** What may become of an entry of a menu: the changes of `delivery-menu` and `payment-menu`. */

import { count, record, text, variant } from "./shapes.js";

/** @typedef {import("till:plugin/menus@0.2.0").Change} Change */

export const change = variant({
  hide: text,
  rename: record({ id: text, title: text }),
  move: record({ id: text, to: count() }),
});

/**
 * Returns the change that takes an entry out of the list.
 * @param {string} id
 * @returns {Change}
 */
export function hiding(id) {
  return { tag: "hide", val: id };
}

/**
 * Returns the change of an entry's name for people.
 * @param {string} id
 * @param {string} title
 * @returns {Change}
 */
export function renaming(id, title) {
  return { tag: "rename", val: { id, title } };
}

/**
 * Returns the change that moves an entry to a place, counted from 0.
 * @param {string} id
 * @param {number} to
 * @returns {Change}
 */
export function moving(id, to) {
  return { tag: "move", val: { id, to } };
}
