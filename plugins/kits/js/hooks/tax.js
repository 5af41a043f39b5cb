/** Tax on lines and delivery: what such a plugin exports, and its lines. */

import { ratioOf } from "../numbers.js";
import { shareOf } from "./cart.js";
import { amount, count, flag, list, optional, record, text, variant } from "./shapes.js";
import { exporting } from "./till.js";

/**
 * @typedef {import("till:plugin/tax@0.2.0").Question} Question
 * @typedef {import("till:plugin/tax@0.2.0").Taxable} Taxable
 * @typedef {import("till:plugin/tax@0.2.0").TaxLine} TaxLine
 * @typedef {import("../numbers.js").Rounding} Rounding
 * @typedef {import("./till.js").Span} Span
 */

const subject = variant({ line: count(), delivery: count() });

const taxes = list(record({ subject, title: text, rate: optional(count()), amount, included: flag }), 0, 400);

/**
 * Makes the world's `assess` of a decision. What the decision throws of the kit's errors is the interface's error; what it
 * answers is checked.
 * @param {(call: Span, question: Question) => TaxLine[]} decide
 */
export function exported(decide) {
  return exporting(decide, (answer) => taxes("taxes", answer));
}

/**
 * Returns the tax, in parts per million, that is added to an amount.
 * @param {Taxable} on
 * @param {string} title
 * @param {number} rate
 * @param {Rounding} rounding
 * @returns {TaxLine}
 */
export function added(on, title, rate, rounding) {
  return { subject: on.subject, title, rate, amount: shareOf(on.amount, rate, rounding), included: false };
}

/**
 * Returns the tax that an amount holds already: of 119.00 at 19 % it is 19.00.
 * @param {Taxable} on
 * @param {string} title
 * @param {number} rate
 * @param {Rounding} rounding
 * @returns {TaxLine}
 */
export function included(on, title, rate, rounding) {
  const amount = ratioOf(on.amount, rate, 1_000_000 + rate, rounding);
  return { subject: on.subject, title, rate, amount, included: true };
}

/**
 * Returns the line of a subject that is free of tax: each subject has at least one line.
 * @param {Taxable} on
 * @param {string} title
 * @returns {TaxLine}
 */
export function free(on, title) {
  return { subject: on.subject, title, rate: 0, amount: 0, included: false };
}
