/** What the shop knows beside the cart. Each call is a call to the host, however many items it asks about. */

import { fields, products } from "till:plugin/facts@0.2.0";

/**
 * @typedef {import("till:plugin/facts@0.2.0").Product} Product
 * @typedef {import("till:plugin/facts@0.2.0").Owner} Owner
 * @typedef {import("till:plugin/types@0.2.0").AttributeValue} AttributeValue
 * @typedef {import("till:plugin/types@0.2.0").Line} Line
 */

export { billTo, buyer, fields, locale, products, shipTo } from "till:plugin/facts@0.2.0";

/**
 * Returns what the catalogue has of each line's item, in the lines' order; none of what it doesn't know.
 * @param {Line[]} lines
 */
export function productsOf(lines) {
  return lines.length === 0 ? [] : products(lines.map(({ item }) => item));
}

/**
 * Returns the shop's field of each line's item, in the lines' order.
 * @param {Line[]} lines
 * @param {string} key
 */
export function fieldsOf(lines, key) {
  return lines.length === 0 ? [] : fields(lines.map(({ item }) => ({ tag: "product", val: item })), key);
}

/**
 * Returns the shop's field of one owner.
 * @param {Owner} owner
 * @param {string} key
 */
export function field(owner, key) {
  return fields([owner], key)[0] ?? undefined;
}

/**
 * Returns what a field that is JSON, or a text that is, stands for; `undefined` for anything else.
 * @param {AttributeValue | undefined} value
 * @returns {any}
 */
export function jsonOf(value) {
  if (value?.tag !== "json" && value?.tag !== "text") return undefined;
  try {
    return JSON.parse(value.val);
  } catch {
    return undefined;
  }
}
