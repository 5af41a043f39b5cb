/**
 * Discounts on lines and on their sum: what such a plugin exports, and offers of one candidate.
 *
 * An offer of these functions stands beside no other offer; say otherwise with `beside`.
 */

import { NONE, choice, classes } from "./offers.js";
import { amount, count, list, optional, record, share, text, variant } from "./shapes.js";
import { exporting } from "./till.js";

/**
 * @typedef {import("till:plugin/discounts@0.2.0").Candidate} Candidate
 * @typedef {import("till:plugin/discounts@0.2.0").CodeVerdict} CodeVerdict
 * @typedef {import("till:plugin/discounts@0.2.0").Decision} Decision
 * @typedef {import("till:plugin/discounts@0.2.0").LineTarget} LineTarget
 * @typedef {import("till:plugin/discounts@0.2.0").Offer} Offer
 * @typedef {import("till:plugin/discounts@0.2.0").Value} Value
 * @typedef {import("till:plugin/offers@0.2.0").Choice} Choice
 * @typedef {import("till:plugin/offers@0.2.0").Classes} Classes
 * @typedef {import("till:plugin/types@0.2.0").Cart} Cart
 * @typedef {import("till:plugin/types@0.2.0").Line} Line
 * @typedef {import("./till.js").Span} Span
 */

export { ALL, NONE } from "./offers.js";

const candidate = record({
  title: text,
  value: variant({ percentage: share, amount, "amount-of-each": amount }),
  target: variant({
    lines: list(record({ line: count(), quantity: optional(count(1)) }), 1, 100),
    order: list(count(), 0, 100),
  }),
  code: optional(text),
});

const decision = record({
  offers: list(record({ candidates: list(candidate, 1, 100), choose: choice, combinesWith: classes }), 0, 32),
  codes: list(record({ code: text, verdict: variant({ accepted: undefined, refused: text }) }), 0, 16),
});

/**
 * Makes the world's `decide` of a decision. What the decision throws of the kit's errors is the interface's error; what it
 * answers is checked.
 * @param {(call: Span, cart: Cart) => Decision} decide
 */
export function exported(decide) {
  return exporting(decide, (answer) => decision("decision", answer));
}

/**
 * Returns the decision of these offers; what is `undefined` is left out.
 * @param {(Offer | undefined)[]} offers
 * @param {CodeVerdict[]} codes
 * @returns {Decision}
 */
export function decisionOf(offers, codes = []) {
  return { offers: offers.filter((offer) => offer !== undefined), codes };
}

/**
 * Returns the offer of the candidates of which those count that `choose` says; none without a candidate.
 * @param {Choice} choose
 * @param {(Candidate | undefined)[]} candidates
 * @returns {Offer | undefined}
 */
export function offerOf(choose, candidates) {
  const given = candidates.filter((candidate) => candidate !== undefined);
  return given.length === 0 ? undefined : { candidates: given, choose, combinesWith: NONE };
}

/**
 * Returns the offer of a percentage, in parts per million, off these lines; none without a line.
 * @param {string} title
 * @param {number} percentage
 * @param {Line[]} lines
 */
export function percentOffLines(title, percentage, lines) {
  return offerOf("first", [offLines(title, { tag: "percentage", val: percentage }, lines)]);
}

/**
 * Returns the offer of a percentage, in parts per million, off the sum of all lines.
 * @param {string} title
 * @param {number} percentage
 * @returns {Offer}
 */
export function percentOffOrder(title, percentage) {
  const candidate = offOrder(title, { tag: "percentage", val: percentage });
  return { candidates: [candidate], choose: "first", combinesWith: NONE };
}

/**
 * Returns a discount on all pieces of the lines; none without a line.
 * @param {string} title
 * @param {Value} value
 * @param {Line[]} lines
 */
export function offLines(title, value, lines) {
  return offPieces(title, value, lines.map(({ id }) => ({ line: id })));
}

/**
 * Returns a discount on some pieces of each line, as `firstPieces` has them; none without any.
 * @param {string} title
 * @param {Value} value
 * @param {LineTarget[]} pieces
 * @returns {Candidate | undefined}
 */
export function offPieces(title, value, pieces) {
  return pieces.length === 0 ? undefined : { title, value, target: { tag: "lines", val: pieces } };
}

/**
 * Returns a discount on the sum of all lines.
 * @param {string} title
 * @param {Value} value
 * @returns {Candidate}
 */
export function offOrder(title, value) {
  return { title, value, target: { tag: "order", val: [] } };
}

/**
 * Returns the same offer, which may stand beside others of these classes, if they say so, too.
 * @param {Offer} offer
 * @param {Classes} combinesWith
 * @returns {Offer}
 */
export function beside(offer, combinesWith) {
  return { ...offer, combinesWith };
}

/**
 * Returns what is said of a code, as typed, for which there is an offer.
 * @param {string} code
 * @returns {CodeVerdict}
 */
export function accepted(code) {
  return { code, verdict: { tag: "accepted" } };
}

/**
 * Returns what is said of a code, as typed, that counts for nothing here.
 * @param {string} code
 * @param {string} reason a sentence for the customer
 * @returns {CodeVerdict}
 */
export function refused(code, reason) {
  return { code, verdict: { tag: "refused", val: reason } };
}
