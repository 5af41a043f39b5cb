/**
 * What a Till plugin in JavaScript or TypeScript needs beside its decision: spans, log lines, settings, waiting.
 *
 * The types come from `types/`, which is made of the interface's WIT.
 */

import { random, setting, sleep as sleepMs } from "till:plugin/host@0.1.0";
import { addEvent, annotate, endSpan, failSpan, log, startSpan } from "till:plugin/telemetry@0.1.0";

/**
 * @typedef {import("till:plugin/types@0.1.0").TraceContext} TraceContext
 * @typedef {import("till:plugin/types@0.1.0").Attribute} Attribute
 * @typedef {import("till:plugin/telemetry@0.1.0").Level} Level
 * @typedef {Record<string, string | number | boolean>} Attributes a number is the interface's `decimal`
 */

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
    return new ChildSpan(startSpan(this.context, name));
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
    addEvent(this.context, name, attributeList(attributes));
  }

  /**
   * Marks the span as failed: for what went wrong, not for a business "no".
   * @param {string} message
   */
  fail(message) {
    failSpan(this.context, message);
  }

  /**
   * Writes a log line that carries this span's ids.
   * @param {Level} level
   * @param {string} message
   * @param {Attributes} attributes
   */
  log(level, message, attributes = {}) {
    log(this.context, level, message, attributeList(attributes));
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
  sleepMs(Math.trunc(seconds * 1000));
}

/** A "no" or a failure that the interface has a word for. Throw it, and the host gets that. */
export class PluginError extends Error {
  /**
   * @param {string} tag
   * @param {unknown} val
   * @param {string} message
   */
  constructor(tag, val, message) {
    super(message);
    this.tag = tag;
    this.val = val;
  }
}

/** There is less of an item than asked for. */
export class OutOfStock extends PluginError {
  /** @param {import("till:plugin/types@0.1.0").Shortage} shortage */
  constructor(shortage) {
    super("out-of-stock", shortage, `${shortage.requested} of ${shortage.item} asked for, ${shortage.available} there`);
  }
}

/** The same order would be refused again. */
export class Rejected extends PluginError {
  /**
   * @param {string} code for programs
   * @param {string} message for the customer
   */
  constructor(code, message) {
    super("rejected", { code, message }, message);
  }
}

/** A write at the same time was faster; the same order may succeed a moment later. */
export class Conflict extends PluginError {
  /** @param {string} message */
  constructor(message) {
    super("conflict", message, message);
  }
}

/** Something that the decision needs doesn't work. */
export class Unavailable extends PluginError {
  /** @param {string} message */
  constructor(message) {
    super("unavailable", message, message);
  }
}

/** Anything else that keeps the plugin from deciding. */
export class Other extends PluginError {
  /** @param {string} message */
  constructor(message) {
    super("other", message, message);
  }
}

/**
 * Makes the exported function of a decision that throws errors of JavaScript. An error that the interface doesn't know is
 * logged with its stack, and ends the call.
 * @template Input, Output
 * @param {(call: Span, input: Input) => Output} decide
 * @returns {(context: TraceContext, input: Input) => Output}
 */
export function exported(decide) {
  return (context, input) => {
    const call = new Span(context);
    try {
      return decide(call, input);
    } catch (error) {
      if (error instanceof PluginError) throw { tag: error.tag, val: error.val };
      call.log("error", error instanceof Error ? `${error}\n${error.stack}` : `thrown: ${JSON.stringify(error)}`);
      throw error;
    }
  };
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
    rethrow(/** @type {{ payload: unknown }} */ (error).payload);
  }
}

/**
 * @param {Attributes} attributes
 * @returns {Attribute[]}
 */
function attributeList(attributes) {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: attributeValue(value) }));
}

/**
 * @param {string | number | boolean} value
 * @returns {Attribute["value"]}
 */
function attributeValue(value) {
  if (typeof value === "number") return { tag: "decimal", val: value };
  if (typeof value === "boolean") return { tag: "flag", val: value };
  return { tag: "text", val: value };
}
