// Reads again and again while somebody looks.

/** Calls `load` now, and each `ms` while the page is seen; returns what ends it. `load` gets the signal that ends it. */
export function live(load, ms) {
  const ended = new AbortController();
  let busy = false;
  const once = async () => {
    if (busy) return;
    busy = true;
    try {
      await load(ended.signal);
    } finally {
      busy = false;
    }
  };
  once();
  const timer = setInterval(() => !document.hidden && once(), ms);
  return () => {
    clearInterval(timer);
    ended.abort();
  };
}
