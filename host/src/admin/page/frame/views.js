// The console's views, in the rail's order. A view is
// `{name, key, path, keys, show}`: its name in the rail, the letter after `g` that opens it, its path, the keys that it
// adds as `[key, what it does]`, and `show(main, rest, go)`, which fills `main` and returns what ends the view. `rest`
// are the path's decoded segments after `path`.

import { logs } from '../logs/view.js';
import { now } from '../now/view.js';
import { orders } from '../orders/view.js';
import { plugins } from '../plugins/view.js';
import { settings } from '../settings/view.js';
import { stock } from '../stock/view.js';
import { traces } from '../traces/view.js';

export const VIEWS = [now, traces, plugins, orders, stock, logs, settings];

/** Returns the view of a path of this page, and the rest of the path; `null` if there is none. */
export function viewOf(path) {
  const views = VIEWS.filter((view) => path === view.path || path.startsWith(`${view.path}/`));
  const view = views.sort((a, b) => b.path.length - a.path.length)[0];
  if (!view) return null;
  const rest = path.slice(view.path.length).split('/').slice(1).map(decoded);
  return { view, rest };
}

function decoded(segment) {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
