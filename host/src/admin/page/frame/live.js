// Reads again and again while somebody looks.

// What makes the host read every kept trace is asked no sooner than after so many times as long as it took.
const REST = 20;

/** Returns for how long to leave the host alone after such an answer, in milliseconds; `began` is when it was asked for. */
export function restAfter(began) {
  return REST * (performance.now() - began);
}

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
