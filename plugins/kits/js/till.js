/**
 * What a Till plugin in JavaScript or TypeScript needs beside its decision: spans, log lines, settings, waiting.
 *
 * The types come from `types/`, which is made of the interface's WIT. Telemetry never fails a call: an attribute that the
 * interface has no type for is dropped or written as text.
 */

import { random, setting, sleep as sleepMs } from "till:plugin/host@0.1.0";
import { addEvent, annotate, endSpan, failSpan, log, startSpan } from "till:plugin/telemetry@0.1.0";
import { counted } from "./amount.js";
import { NumberError, PluginError } from "./errors.js";
import { LEVELS, attributeList, described, numbered, text } from "./values.js";

/**
 * @typedef {import("till:plugin/types@0.1.0").TraceContext} TraceContext
 * @typedef {import("till:plugin/telemetry@0.1.0").Level} Level
 * @typedef {import("./values.js").Attributes} Attributes
 */

export * from "./errors.js";
export { asking } from "./values.js";
export { random, setting };

/** A span of this call's trace; one that was started by `child` ends with its block: `using waiting = …`. */
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
 * Whether the setting is `on`, `true`, `yes` or `1`.
 * @param {string} key
 */
export function settingIsOn(key) {
  return ["on", "true", "yes", "1"].includes(setting(key) ?? "");
}

/**
 * Waits without using up the call's CPU limit; its wall limit goes on. Whole milliseconds.
 * @param {number} seconds
 */
export function sleep(seconds) {
  const durationMs = typeof seconds === "number" ? Math.trunc(seconds * 1000) : seconds;
  sleepMs(counted("what is slept, in milliseconds,", durationMs));
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
      return checked(decide(call, numbered(input)));
    } catch (error) {
      // A wrong number is a mistake in the plugin, so its author wants to know where.
      if (!(error instanceof PluginError) || error instanceof NumberError) call.log("error", described(error));
      throw error instanceof PluginError ? handed(error) : error;
    }
  };
}

/**
 * Returns the interface's error.
 * @param {PluginError} error
 */
function handed({ tag, val }) {
  if (tag !== "out-of-stock") return { tag, val };
  const { item, requested, available } = /** @type {import("till:plugin/types@0.1.0").Shortage} */ (val);
  try {
    return { tag, val: { item, requested: counted("requested", requested), available: counted("available", available) } };
  } catch (error) {
    return { tag: "other", val: /** @type {NumberError} */ (error).message };
  }
}
