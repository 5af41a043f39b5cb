/** What both tracks hand to the host's telemetry, and what they are handed of its errors. */

/**
 * @typedef {Record<string, unknown>} Attributes a number is the interface's `decimal`; `undefined` and `null` are dropped,
 *   what is no text, number or boolean is written as text
 * @typedef {{ tag: "text", val: string } | { tag: "decimal", val: number } | { tag: "flag", val: boolean }} Value
 * @typedef {{ key: string, value: Value }} Attribute
 */

export const LEVELS = ["debug", "info", "warn", "error"];

/** Whether a u64 is a bigint to this engine: it is to StarlingMonkey, and a number to QuickJS. */
let hasBigints = false;

/**
 * Returns what the host handed over with numbers for bigints. Every u64 of the interface is below 2^53.
 * @template Input
 * @param {Input} input
 * @returns {Input}
 */
export function numbered(input) {
  hasBigints ||= Object.values(/** @type {object} */ (input)).some((value) => typeof value === "bigint");
  return hasBigints ? /** @type {Input} */ (ofNumbers(input)) : input;
}

/**
 * @param {unknown} value
 * @returns {unknown}
 */
function ofNumbers(value) {
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return value.map(ofNumbers);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, held]) => [key, ofNumbers(held)]));
}

/**
 * Returns a number as a u64 has to leave this engine.
 * @param {number} number
 */
export function long(number) {
  return hasBigints ? /** @type {number} */ (/** @type {unknown} */ (BigInt(number))) : number;
}

/**
 * Calls a function of the host's whose error is a value, and hands that to `rethrow`.
 * @template Output
 * @param {() => Output} call
 * @param {(payload: any) => never} rethrow
 */
export function asking(call, rethrow) {
  try {
    return call();
  } catch (error) {
    if (error instanceof Error && !("payload" in error)) throw error;
    rethrow(/** @type {{ payload: unknown }} */ (error).payload);
  }
}

/** @param {unknown} error */
export function described(error) {
  return error instanceof Error ? `${error}\n${error.stack}` : `thrown: ${text(error)}`;
}

/**
 * @param {Attributes} attributes
 * @returns {Attribute[]}
 */
export function attributeList(attributes) {
  const list = [];
  for (const [key, given] of Object.entries(attributes ?? {})) {
    const value = attributeValue(given);
    if (value !== undefined) list.push({ key: text(key), value });
  }
  return list;
}

/**
 * @param {unknown} value
 * @returns {Attribute["value"] | undefined}
 */
function attributeValue(value) {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number") return { tag: "decimal", val: value };
  if (typeof value === "boolean") return { tag: "flag", val: value };
  return { tag: "text", val: text(value) };
}

/**
 * Returns any value as a text that the host can read; never throws.
 * @param {unknown} value
 * @returns {string}
 */
export function text(value) {
  if (typeof value === "string") return value.toWellFormed();
  try {
    const written = typeof value === "object" ? JSON.stringify(value) : undefined;
    return (written ?? String(value)).toWellFormed();
  } catch {
    return `[${typeof value}]`;
  }
}
