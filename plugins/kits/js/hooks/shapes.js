/**
 * Checks what a plugin answers, before it is handed over: QuickJS would hand over a fraction or a NaN as another number, and
 * a misspelt field as one that is missing.
 *
 * A shape is a function of a field's name and a value, which returns the value as it has to be handed over, or throws a
 * NumberError that names the field.
 */

import { NumberError } from "../errors.js";
import { amount as wholeAmount, shown, whole } from "../numbers.js";
import { attributeList } from "../values.js";

/**
 * @template [Output = any]
 * @typedef {(field: string, value: any) => Output} Shape
 */

/** @type {Shape<string>} */
export const text = (field, value) => {
  if (typeof value === "string") return value.toWellFormed();
  throw wrong(field, value, "a text");
};

/** @type {Shape<boolean>} */
export const flag = (field, value) => {
  if (typeof value === "boolean") return value;
  throw wrong(field, value, "true or false");
};

/** @type {Shape<number>} */
export const amount = (field, value) => wholeAmount(field, value);

/**
 * A whole number of 32 bits, as it has to leave QuickJS: from 2^31 on as the negative number of the same bits.
 * @param {number} least
 * @param {number} most
 * @returns {Shape<number>}
 */
export const count = (least = 0, most = 2 ** 32 - 1) => (field, value) => whole(field, value, least, most) | 0;

/** @type {Shape<number>} */
export const share = count(0, 1_000_000);

/**
 * @param {string[]} names
 * @returns {Shape}
 */
export const oneOf = (...names) => (field, value) => {
  if (names.includes(value)) return value;
  throw wrong(field, value, `one of ${names.join(", ")}`);
};

/**
 * `null` is none, too.
 * @param {Shape} shape
 * @returns {Shape}
 */
export const optional = (shape) => (field, value) =>
  value === undefined || value === null ? undefined : shape(field, value);

/**
 * @param {Shape} shape
 * @param {number} least
 * @param {number} most
 * @returns {Shape}
 */
export const list = (shape, least, most) => (field, value) => {
  if (!Array.isArray(value)) throw wrong(field, value, "a list");
  if (value.length < least || value.length > most) {
    throw new NumberError(`${field} has ${value.length} entries, wanted ${least} to ${most}`);
  }
  return value.map((entry, index) => shape(`${field}[${index}]`, entry));
};

/**
 * @param {Record<string, Shape>} fields
 * @returns {Shape}
 */
export const record = (fields) => (field, value) => {
  if (typeof value !== "object" || value === null) throw wrong(field, value, `{ ${Object.keys(fields).join(", ")} }`);
  const unknown = Object.keys(value).find((name) => !Object.hasOwn(fields, name));
  if (unknown !== undefined) {
    throw new NumberError(`${field} has no field ${unknown}, only ${Object.keys(fields).join(", ")}`);
  }
  const checked = Object.entries(fields).map(([name, shape]) => [name, shape(`${field}.${name}`, value[name])]);
  return Object.fromEntries(checked);
};

/**
 * @param {Record<string, Shape | undefined>} cases with the shape of what a case holds
 * @returns {Shape}
 */
export const variant = (cases) => (field, value) => {
  const tag = value?.tag;
  if (!Object.hasOwn(cases, tag)) throw wrong(`${field}.tag`, tag, `one of ${Object.keys(cases).join(", ")}`);
  const shape = cases[tag];
  return shape === undefined ? { tag } : { tag, val: shape(`${field}.val`, value.val) };
};

/**
 * A list as the interface has it, or an object of keys and values, as telemetry takes one.
 * @type {Shape}
 */
export const attributes = (field, value) => {
  if (value === undefined || value === null) return [];
  const listed = Array.isArray(value) ? value : attributeList(value);
  return list(record({ key: text, value: attributeValue }), 0, 32)(field, listed);
};

const attributeValue = variant({
  text,
  integer: (field, value) => whole(field, value, -(2 ** 31), 2 ** 31 - 1),
  decimal: (field, value) => {
    if (Number.isFinite(value)) return value;
    throw wrong(field, value, "a finite number");
  },
  flag,
  json: text,
});

/**
 * @param {string} field
 * @param {unknown} value
 * @param {string} wanted
 */
function wrong(field, value, wanted) {
  return new NumberError(`${field} is ${shown(value)}, wanted ${wanted}`);
}
