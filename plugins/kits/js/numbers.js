/**
 * Amounts: whole minor units from 0 to 2^53 - 1, and the one right way to take a share of one.
 *
 * Nothing here goes through a fraction. What can't be an amount is thrown as a NumberError, which the host gets as the
 * interface's `other`: a broken plugin sells nothing.
 */

import { NumberError } from "./errors.js";

/** @typedef {"down" | "half-up" | "half-even" | "up"} Rounding */

export const AMOUNT_MAX = Number.MAX_SAFE_INTEGER;

const COUNT_MAX = 2 ** 32 - 1;
const ROUNDINGS = ["down", "half-up", "half-even", "up"];
const AMOUNT = `a whole number of minor units from 0 to ${AMOUNT_MAX}`;

/**
 * Returns the number if it is an amount. For what comes from elsewhere: a table of prices, a setting of several parts.
 * @param {string} field what it is called in the error
 * @param {unknown} value
 * @returns {number}
 */
export function amount(field, value) {
  return whole(field, value, 0, AMOUNT_MAX, AMOUNT);
}

/**
 * @param {number} one
 * @param {number} other
 */
export function plus(one, other) {
  const sum = amount("the amount", one) + amount("what is added", other);
  if (sum > AMOUNT_MAX) throw new NumberError(`${one} plus ${other} is past ${AMOUNT_MAX}`);
  return sum;
}

/**
 * @param {number} one
 * @param {number} other at most `one`: an amount is never below 0
 */
export function minus(one, other) {
  const rest = amount("the amount", one) - amount("what is subtracted", other);
  if (rest < 0) throw new NumberError(`${one} minus ${other} is below 0`);
  return rest;
}

/**
 * Takes a percentage of an amount. For a fraction of a percent take `ratioOf`: 7.5 % is the ratio 75 to 1000.
 * @param {number} of
 * @param {number} percent whole
 * @param {Rounding} rounding
 */
export function percentOf(of, percent, rounding) {
  return share(of, "the percent", percent, 100, rounding);
}

/**
 * Takes a share of an amount: 19 to 119 is the tax of 19 % within a price.
 * @param {number} of
 * @param {number} numerator whole
 * @param {number} denominator whole, at least 1
 * @param {Rounding} rounding
 */
export function ratioOf(of, numerator, denominator, rounding) {
  return share(of, "the numerator", numerator, denominator, rounding);
}

/**
 * Splits an amount over lines by their weights, which are what each costs or any other whole numbers. The parts sum to the
 * amount: each gets its share rounded down, and what is left goes in single units to those whose shares were cut most, the
 * first line first where they were cut alike. Where all weights are 0, all weigh the same.
 * @param {number} whole
 * @param {number[]} weights
 * @returns {number[]} a part for each weight
 */
export function split(whole, weights) {
  const splitting = BigInt(amount("the amount", whole));
  const given = weights.map((weight, index) => BigInt(amount(`weights[${index}]`, weight)));
  if (given.length === 0 && whole > 0) throw new NumberError(`there are no weights to split ${whole} by`);
  const counted = given.some((weight) => weight > 0n) ? given : given.map(() => 1n);
  const all = counted.reduce((sum, weight) => sum + weight, 0n);
  const parts = counted.map((weight) => Number((splitting * weight) / all));
  const cut = counted.map((weight, index) => ({ index, cut: (splitting * weight) % all }));
  cut.sort((one, other) => (one.cut === other.cut ? one.index - other.index : one.cut > other.cut ? -1 : 1));
  const left = parts.reduce((rest, part) => rest - part, whole);
  for (const { index } of cut.slice(0, left)) parts[index] += 1;
  return parts;
}

/**
 * Returns the number if it is whole and within its bounds.
 * @param {string} field
 * @param {unknown} value
 * @param {number} least
 * @param {number} most
 * @param {string} wanted
 */
export function whole(field, value, least, most, wanted = `a whole number from ${least} to ${most}`) {
  const number = typeof value === "bigint" ? Number(value) : value;
  if (typeof number === "number" && Number.isInteger(number) && number >= least && number <= most) {
    // Not -0, which is another number to some.
    return number + 0;
  }
  throw new NumberError(`${field} is ${shown(value)}, wanted ${wanted}`);
}

/**
 * Returns a count as it has to leave QuickJS, where an unsigned number is right only as a signed one of the same 32 bits.
 * @param {string} field
 * @param {unknown} value
 */
export function counted(field, value) {
  return whole(field, value, 0, COUNT_MAX) | 0;
}

/**
 * Returns a count as it is meant that has arrived like that.
 * @param {number} value
 */
export function unsigned(value) {
  return value >>> 0;
}

/**
 * @param {number} of
 * @param {string} field
 * @param {number} numerator
 * @param {number} denominator
 * @param {Rounding} rounding
 */
function share(of, field, numerator, denominator, rounding) {
  const parts = BigInt(amount("the amount", of)) * BigInt(whole(field, numerator, 0, AMOUNT_MAX));
  const by = BigInt(whole("the denominator", denominator, 1, AMOUNT_MAX));
  if (!ROUNDINGS.includes(rounding)) {
    throw new NumberError(`the rounding is ${shown(rounding)}, wanted one of ${ROUNDINGS.join(", ")}`);
  }
  const down = parts / by;
  const twice = 2n * (parts % by);
  const isUp =
    rounding === "up" ? twice > 0n
    : rounding === "half-up" ? twice >= by
    : rounding === "half-even" ? twice > by || (twice === by && down % 2n === 1n)
    : false;
  const result = isUp ? down + 1n : down;
  if (result > BigInt(AMOUNT_MAX)) throw new NumberError(`the share is past ${AMOUNT_MAX}`);
  return Number(result);
}

/**
 * @param {unknown} value
 * @returns {string}
 */
export function shown(value) {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "an object";
  return String(value);
}
