/** What a plugin throws, for which the interface has a word. */

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
  /** @param {{ item: string, requested: number, available: number }} shortage */
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

/** A number that can't be handed over, or be worked with; thrown by the kit, with the field named. */
export class NumberError extends Other {}
