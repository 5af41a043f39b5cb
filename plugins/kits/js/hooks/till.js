/**
 * What a plugin of track 0.2 needs beside its decision: spans, log lines, settings, errors.
 *
 * The types come from `types/hooks/`, which is made of the interface's WIT. Each hook has a file of its own beside this one.
 */

import * as settings from "till:plugin/settings@0.2.0";
import { addEvent, annotate, endSpan, failSpan, log, startSpan } from "till:plugin/telemetry@0.2.0";
import { NumberError, Other, PluginError } from "../errors.js";
import { AMOUNT_MAX } from "../numbers.js";
import { LEVELS, attributeList, described, text } from "../values.js";

/**
 * @typedef {import("till:plugin/types@0.2.0").TraceContext} TraceContext
 * @typedef {import("till:plugin/types@0.2.0").Currency} Currency
 * @typedef {import("till:plugin/telemetry@0.2.0").Level} Level
 * @typedef {import("../values.js").Attributes} Attributes
 */

export { NumberError, Other, Unavailable } from "../errors.js";

/** A span of this call's trace; one that was started by `child` ends with its block: `using asking = …`. */
export class Span {
  /** @param {TraceContext} context */
  constructor(context) {
    this.context = context;
  }

  /**
   * Starts a span below this one.
   * @param {string} name
   */
  child(name) {
    return new ChildSpan(startSpan(this.context, text(name)));
  }

  /** @param {Attributes} attributes */
  set(attributes) {
    annotate(this.context, attributeList(attributes));
  }

  /**
   * @param {string} name
   * @param {Attributes} attributes
   */
  event(name, attributes = {}) {
    addEvent(this.context, text(name), attributeList(attributes));
  }

  /**
   * Marks the span as failed: for what went wrong, not for a business "no".
   * @param {string} message
   */
  fail(message) {
    failSpan(this.context, text(message));
  }

  /**
   * Writes a log line that carries this span's ids.
   * @param {Level} level another one is taken for `info`
   * @param {string} message
   * @param {Attributes} attributes
   */
  log(level, message, attributes = {}) {
    log(this.context, LEVELS.includes(level) ? level : "info", text(message), attributeList(attributes));
  }
}

class ChildSpan extends Span {
  [Symbol.dispose]() {
    endSpan(this.context);
  }
}

/**
 * A setting of this installation, which need not be set. What can't be read is thrown as the interface's `other`. No number
 * goes through a fraction: `10.5` is exactly 105,000 parts per million.
 */
export class Setting {
  /** @type {string} */
  #key;
  /** @type {string | undefined} */
  #text;

  /**
   * @param {string} key
   * @param {string | undefined} text
   */
  constructor(key, text) {
    this.#key = key;
    this.#text = text;
  }

  get isSet() {
    return this.#text !== undefined;
  }

  /**
   * Returns the setting with a text that counts if the operator has set nothing.
   * @param {string} text
   */
  or(text) {
    return new Setting(this.#key, this.#text ?? text);
  }

  /**
   * Reads the setting if there is something to read, else returns `undefined`.
   * @template Output
   * @param {(setting: Setting) => Output} read
   */
  ifSet(read) {
    return this.isSet ? read(this) : undefined;
  }

  /** Returns the text as the operator wrote it. */
  text() {
    if (this.#text === undefined) throw new Other(`the setting ${this.#key} is missing`);
    return this.#text;
  }

  /** Returns a whole number. */
  number() {
    return this.read("a whole number", (text) => {
      const number = fixed(text, 0);
      return number !== undefined && number < 2 ** 32 ? number : undefined;
    });
  }

  /** Returns a percentage in parts per million: `10`, `10.5` or `10.5 %` with up to four decimals, at most 100. */
  percent() {
    return this.read("a percentage from 0 to 100, with at most 4 decimals", percent);
  }

  /**
   * Returns an amount in minor units that the operator wrote in whole units of the currency: `50`, `49.90`.
   * @param {Currency} currency
   */
  amount({ code, decimals }) {
    return this.read(`an amount in ${code} with at most ${decimals} decimals`, (text) => fixed(text, decimals));
  }

  /** Returns whether the setting is on: `on`, `true`, `yes` or `1`. Without one it is off. */
  flag() {
    if (!this.isSet) return false;
    return this.read("on or off", yesOrNo);
  }

  /** Returns the texts between commas, trimmed, without empty ones. Without a setting there are none. */
  list() {
    return (this.#text ?? "").split(",").map((part) => part.trim()).filter((part) => part !== "");
  }

  /**
   * Returns the JSON of the setting.
   * @returns {any}
   */
  json() {
    return this.read("JSON", (text) => JSON.parse(text));
  }

  /**
   * Returns what `read` makes of the trimmed text; `wanted` is what the error says of a text that it makes nothing of.
   * @template Output
   * @param {string} wanted
   * @param {(text: string) => Output | undefined} read
   * @returns {Output}
   */
  read(wanted, read) {
    const given = this.text();
    const found = orUndefined(() => read(given.trim()));
    if (found !== undefined) return found;
    throw new Other(`the setting ${this.#key} is ${JSON.stringify(given)}, wanted ${wanted}`);
  }
}

/**
 * Returns the setting of that key.
 * @param {string} key
 */
export function setting(key) {
  return new Setting(key, settings.get(key) ?? undefined);
}

/**
 * Refuses a setting that isn't one of these: a misspelt one would be as good as not set.
 * @param {...string} known
 */
export function onlySettings(...known) {
  const other = settings.keys().find((key) => !known.includes(key));
  if (other !== undefined) throw new Other(`there is no setting ${other}; there are ${known.join(", ")}`);
}

/**
 * Returns a decimal number times ten to the power of `decimals`, exactly; `undefined` for anything else.
 * @param {string} text
 * @param {number} decimals
 */
export function fixed(text, decimals) {
  const [, whole, part = ""] = /^([0-9]{1,16})(?:\.([0-9]+))?$/.exec(text) ?? [];
  if (whole === undefined || part.length > decimals) return undefined;
  const number = BigInt(whole + part.padEnd(decimals, "0"));
  return number <= BigInt(AMOUNT_MAX) ? Number(number) : undefined;
}

/**
 * Returns a percentage in parts per million; `undefined` for anything else, and past 100.
 * @param {string} text
 */
export function percent(text) {
  const number = fixed(text.replace(/\s*%$/, ""), 4);
  return number !== undefined && number <= 1_000_000 ? number : undefined;
}

/**
 * Returns whether the text says yes or no; `undefined` if it says neither.
 * @param {string} text
 */
export function yesOrNo(text) {
  if (["on", "true", "yes", "1"].includes(text)) return true;
  return ["off", "false", "no", "0"].includes(text) ? false : undefined;
}

/**
 * Makes the exported function of a decision that throws errors of JavaScript, and checks what it answers. An error that the
 * interface doesn't know is logged with its stack, and ends the call.
 * @template Input, Output
 * @param {(call: Span, input: Input) => Output} decide
 * @param {(answer: Output) => Output} checked
 * @returns {(context: TraceContext, input: Input) => Output}
 */
export function exporting(decide, checked) {
  return (context, input) => {
    const call = new Span(context);
    try {
      return checked(decide(call, input));
    } catch (error) {
      // A wrong number is a mistake in the plugin, so its author wants to know where.
      if (!(error instanceof PluginError) || error instanceof NumberError) call.log("error", described(error));
      throw error instanceof PluginError ? { tag: error.tag, val: error.val } : error;
    }
  };
}

/**
 * @template Output
 * @param {() => Output} read
 */
function orUndefined(read) {
  try {
    return read();
  } catch {
    return undefined;
  }
}
