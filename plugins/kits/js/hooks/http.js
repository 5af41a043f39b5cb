/** Requests to places that the operator granted; for the hooks `delivery-options` and `tax` only. */

import { send as sendRequest } from "till:plugin/http@0.2.0";
import { Other, Unavailable } from "../errors.js";
import { asking } from "../values.js";
import { count, list, oneOf, optional, record, text, variant } from "./shapes.js";

/**
 * @typedef {import("till:plugin/http@0.2.0").Request} Request
 * @typedef {import("till:plugin/http@0.2.0").Response} Response
 * @typedef {import("./till.js").Span} Span
 * @typedef {{
 *   headers?: Record<string, string>,
 *   secrets?: Record<string, string>,
 *   timeoutMs?: number,
 *   cacheMs?: number,
 * }} Options `secrets` are headers whose values are secrets that the operator granted, by their names
 */

const request = record({
  method: oneOf("get", "post", "put", "delete"),
  url: text,
  headers: list(record({ name: text, value: variant({ text, secret: text }) }), 0, 32),
  body: optional((_, value) => value),
  timeoutMs: count(1),
  cacheMs: count(0, 600_000),
});

/**
 * Sends a request without a body and returns the answer, whatever its status. What there is no answer for is thrown.
 * @param {Span} call
 * @param {string} url
 * @param {Options} options
 */
export function get(call, url, options = {}) {
  return send(call, { method: "get", url, ...rest(options) });
}

/**
 * Sends a request with a body of JSON and returns the answer, whatever its status. What there is no answer for is thrown.
 * @param {Span} call
 * @param {string} url
 * @param {unknown} body
 * @param {Options} options
 */
export function postJson(call, url, body, options = {}) {
  const headers = { "content-type": "application/json", ...options.headers };
  const bytes = encoded(JSON.stringify(body));
  return send(call, { method: "post", url, ...rest({ ...options, headers }), body: bytes });
}

/**
 * @param {Span} call
 * @param {Request} asked
 * @returns {Response}
 * @throws {Unavailable | Other}
 */
export function send(call, asked) {
  return asking(
    () => sendRequest(call.context, request("request", asked)),
    ({ tag, val }) => {
      if (tag === "not-sent") throw new Unavailable(`not sent: ${val}`);
      if (tag === "unknown") throw new Unavailable(`no answer: ${val}`);
      if (tag === "not-granted") throw new Other(`not granted: ${val}`);
      throw new Other("the answer is larger than granted");
    },
  );
}

/**
 * Returns the body of an answer as JSON; `undefined` if it is none.
 * @param {Response} response
 * @returns {any}
 */
export function jsonOf({ body }) {
  try {
    return JSON.parse(decoded(body));
  } catch {
    return undefined;
  }
}

/**
 * @param {Options} options
 * @returns {Pick<Request, "headers" | "timeoutMs" | "cacheMs">}
 */
function rest({ headers = {}, secrets = {}, timeoutMs = 1_000, cacheMs = 0 }) {
  const texts = Object.entries(headers).map(([name, val]) => ({ name, value: { tag: /** @type {const} */ ("text"), val } }));
  const hidden = Object.entries(secrets).map(([name, val]) => ({ name, value: { tag: /** @type {const} */ ("secret"), val } }));
  return { headers: [...texts, ...hidden], timeoutMs, cacheMs };
}

// QuickJS has no TextEncoder.

/** @param {string} written */
function encoded(written) {
  const bytes = unescape(encodeURIComponent(written.toWellFormed()));
  return Uint8Array.from(bytes, (byte) => byte.charCodeAt(0));
}

/** @param {Uint8Array} bytes */
function decoded(bytes) {
  return decodeURIComponent(escape(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")));
}
