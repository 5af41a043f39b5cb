/** What a cart is asked most: sums, shares, pieces, attributes. */

import { amount, plus, ratioOf } from "../numbers.js";
import { yesOrNo } from "./till.js";

/**
 * @typedef {import("till:plugin/types@0.2.0").Attribute} Attribute
 * @typedef {import("till:plugin/types@0.2.0").Cart} Cart
 * @typedef {import("till:plugin/types@0.2.0").Line} Line
 * @typedef {import("../numbers.js").Rounding} Rounding
 */

/**
 * What the line costs before any discount.
 * @param {Line} line
 */
export function lineCost(line) {
  return amount("quantity times unit price", line.quantity * line.unitPrice);
}

/**
 * What the lines cost before any discount.
 * @param {Cart} cart
 */
export function subtotal(cart) {
  return cart.lines.map(lineCost).reduce(plus, 0);
}

/**
 * How many pieces there are of all lines together.
 * @param {Cart} cart
 */
export function pieces(cart) {
  return cart.lines.reduce((sum, { quantity }) => sum + quantity, 0);
}

/**
 * How many pieces there are of an item, over all its lines.
 * @param {Cart} cart
 * @param {string} item
 */
export function piecesOf(cart, item) {
  return cart.lines.filter((line) => line.item === item).reduce((sum, { quantity }) => sum + quantity, 0);
}

/**
 * Returns the entered code that is this one but for case and blanks around it, as the customer typed it.
 * @param {Cart} cart
 * @param {string} code
 */
export function entered(cart, code) {
  return cart.codes.find((typed) => typed.trim().toLowerCase() === code.trim().toLowerCase());
}

/**
 * Returns the first so many pieces of the lines, as a line's number and how many of its pieces. To discount the cheapest,
 * sort the lines by price before.
 * @param {Line[]} lines
 * @param {number} most
 */
export function firstPieces(lines, most) {
  let left = most;
  const taken = lines.map(({ id, quantity }) => {
    const some = Math.min(left, quantity);
    left -= some;
    return { line: id, quantity: some };
  });
  return taken.filter(({ quantity }) => quantity > 0);
}

/**
 * Takes a share, in parts per million, of an amount.
 * @param {number} of
 * @param {number} share
 * @param {Rounding} rounding
 */
export function shareOf(of, share, rounding) {
  return ratioOf(of, share, 1_000_000, rounding);
}

/**
 * Returns a share as people write it, without the sign: `10`, `10.5`.
 * @param {number} share
 */
export function percentText(share) {
  const part = String(share % 10_000).padStart(4, "0").replace(/0+$/, "");
  return `${Math.trunc(share / 10_000)}${part === "" ? "" : `.${part}`}`;
}

/**
 * Returns the attribute of that key: what a client sent is a claim, not a fact. A JSON value is a text.
 * @param {Cart | Line} owner
 * @param {string} key
 */
export function attribute(owner, key) {
  return owner.attributes.find((found) => found.key === key)?.value.val;
}

/**
 * Returns the attribute of that key if it is a text.
 * @param {Cart | Line} owner
 * @param {string} key
 */
export function text(owner, key) {
  const value = owner.attributes.find((found) => found.key === key)?.value;
  return value?.tag === "text" ? value.val : undefined;
}

/**
 * Returns the attribute of that key if it is a whole number, or a text that is one.
 * @param {Cart | Line} owner
 * @param {string} key
 */
export function number(owner, key) {
  const value = attribute(owner, key);
  const number = typeof value === "string" && /^\s*-?[0-9]+\s*$/.test(value) ? Number(value) : value;
  return typeof number === "number" && Number.isSafeInteger(number) ? number : undefined;
}

/**
 * Returns whether the attribute of that key says yes; without one it doesn't.
 * @param {Cart | Line} owner
 * @param {string} key
 */
export function flag(owner, key) {
  const value = attribute(owner, key);
  return typeof value === "string" ? yesOrNo(value) === true : value === true;
}
