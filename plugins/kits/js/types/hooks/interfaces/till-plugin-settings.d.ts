declare module 'till:plugin/settings@0.2.0' {
  /**
   * Returns what is set under a key, none if nothing is. Text, as the operator wrote it. The same for the whole call.
   */
  export function get(key: string): string | undefined;
  /**
   * Returns all keys that are set, so that a plugin can refuse one that it doesn't know.
   */
  export function keys(): Array<string>;
}
