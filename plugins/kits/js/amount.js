/** Amounts of track 0.1: those of numbers.js, a setting that is one, and what a line costs. */

import { setting } from "till:plugin/host@0.1.0";
import { Other } from "./errors.js";
import { amount } from "./numbers.js";

/**
 * @typedef {import("till:plugin/types@0.1.0").Line} Line
 * @typedef {import("./numbers.js").Rounding} Rounding
 */

export * from "./numbers.js";

/**
 * Returns the plugin's setting of that name as an amount in minor units, `undefined` if it isn't set.
 * @param {string} key
 * @returns {number | undefined}
 */
export function amountSetting(key) {
  const text = setting(key) ?? undefined;
  if (text === undefined) return undefined;
  const amount = /^[0-9]{1,16}$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(amount)) throw new Other(`the setting ${key} is no amount of minor units: ${text}`);
  return amount;
}

/**
 * What the line costs before any adjustment: quantity times unit price.
 * @param {Line} line
 */
export function lineCost(line) {
  return amount("quantity times unit price", line.quantity * line.unitPrice);
}
