/** What both kinds of discounts share. */

import { flag, oneOf, record } from "./shapes.js";

/** @typedef {import("till:plugin/offers@0.2.0").Classes} Classes */

export const choice = oneOf("first", "largest", "all");

export const classes = record({ product: flag, order: flag, delivery: flag });

/**
 * No other offers.
 * @type {Classes}
 */
export const NONE = { product: false, order: false, delivery: false };

/**
 * All other offers.
 * @type {Classes}
 */
export const ALL = { product: true, order: true, delivery: true };
