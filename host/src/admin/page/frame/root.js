// Where the page stands: at the root of its listener, or under a path that a proxy takes off.

const ROOT = new URL('../..', import.meta.url).pathname.replace(/\/$/, '');

/** Returns the address of one of the listener's paths. */
export function at(path) {
  return ROOT + path;
}
