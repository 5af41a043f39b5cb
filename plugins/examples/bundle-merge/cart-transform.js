// Makes a bundle of its parts where a cart has them, with a percentage off.
//
// | setting | what it is | without it |
// |---|---|---|
// | `parts` | JSON: the pieces of each item in one bundle, `{"cup": 2, "pot": 1}` | an error |
// | `bundle` | the item that the customer sees instead | an error |
// | `title` | its name for people | the catalogue's |
// | `percent` | what a bundle costs less than its parts, such as `10` or `7.5` | nothing |
//
// Parts are taken from the lines in their order. What is left over stays as it is.

import { exported } from "../../kits/js/hooks/cart-transform.js";
import { onlySettings, setting } from "../../kits/js/hooks/till.js";

/** @import { Line, Operation } from "../../kits/js/hooks/cart-transform.js" */

/** @typedef {{ line: number, item: string, quantity: number }} Left what of a line isn't in a bundle */

const PIECES_MAX = 10_000;

/** @satisfies {typeof import("till:plugin/cart-transform@0.2.0")} */
export const cartTransform = {
  transform: exported((call, cart) => {
    onlySettings("parts", "bundle", "title", "percent");
    const parts = setting("parts").read("JSON of items and their pieces", readParts);
    const item = setting("bundle").text();
    const title = setting("title").ifSet((it) => it.text());
    const decrease = setting("percent").ifSet((it) => it.percent());
    const bundle = { item, title, decrease, attributes: [] };
    return merges(cart.lines, parts).map((merge) => ({ tag: "merge", val: { ...bundle, ...merge } }));
  }),
};

/**
 * Returns what is merged: one entry for each way in which lines make a bundle, with the bundles that they make in that way.
 * @param {Line[]} lines
 * @param {[item: string, quantity: number][]} parts
 */
function merges(lines, parts) {
  const left = lines.map(({ id, item, quantity }) => ({ line: id, item, quantity }));
  const merges = [];
  for (let one = oneBundle(left, parts); one !== undefined; one = oneBundle(left, parts)) {
    const quantity = Math.min(...one.map(({ of, pieces }) => Math.trunc(of.quantity / pieces)));
    for (const { of, pieces } of one) of.quantity -= quantity * pieces;
    merges.push({ parts: one.map(({ of, pieces }) => ({ line: of.line, quantity: pieces })), quantity });
  }
  return merges;
}

/**
 * Returns the pieces of lines that make one bundle, `undefined` if there aren't enough left.
 * @param {Left[]} left
 * @param {[item: string, quantity: number][]} parts
 */
function oneBundle(left, parts) {
  const taken = [];
  for (const [item, quantity] of parts) {
    let wanted = quantity;
    for (const of of left.filter((line) => line.item === item && line.quantity > 0)) {
      const pieces = Math.min(wanted, of.quantity);
      if (pieces > 0) taken.push({ of, pieces });
      wanted -= pieces;
    }
    if (wanted > 0) return undefined;
  }
  return taken;
}

/**
 * @param {string} text
 * @returns {[item: string, quantity: number][] | undefined}
 */
function readParts(text) {
  /** @type {[item: string, quantity: number][]} */
  const parts = Object.entries(JSON.parse(text));
  const areParts = parts.every(([, pieces]) => Number.isInteger(pieces) && pieces >= 1 && pieces <= PIECES_MAX);
  return areParts && parts.length > 0 ? parts : undefined;
}
