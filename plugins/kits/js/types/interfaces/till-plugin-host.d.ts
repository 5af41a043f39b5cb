declare module 'till:plugin/host@0.1.0' {
  /**
   * Returns what the shop's operator has set under this key for this kind of plugin, or none if nothing is set: in
   * the host's configuration `faults` of an inventory plugin is `inventory.faults`. The value is text, as the
   * operator wrote it; the plugin parses it. The same for the whole call. A plugin sees no other settings, and not
   * the host's environment.
   */
  export function setting(key: string): string | undefined;
  /**
   * Returns after this many milliseconds, or a little more. The only way to wait: it holds no thread of the host's
   * and uses up none of the call's CPU limit. The wall limit goes on: a sleep that reaches it doesn't return, and
   * the call ends as it does for any deadline (504).
   */
  export function sleep(durationMs: number): void;
  /**
   * Returns a random number, at least 0 and below 1, of uniform distribution. For simulations, samples and jitter;
   * not for keys or tokens: the numbers belong to the order. Each call about it draws the same ones, of whichever
   * version and on whichever host, and so does `wasi:random`.
   */
  export function random(): number;
}
