// From a trace to the one beside it in the list that it was opened from.

import { read } from '../frame/api.js';
import { parameters, read as valuesOf } from '../traces/choice.js';

// How many may have begun in the very microsecond of this one, and how many a sorted list is looked through.
const SAME = 20;
const SORTED = 500;

/** Returns the id of the next (`by` is 1) or previous (-1) trace of the list at that address; null at its end. */
export async function beside(list, trace, by, signal) {
  const { q, after_us, before_us, sort } = valuesOf(new URL(list, location.href).search);
  const asked = async (more) => (await read(`/recent/traces?${parameters({ q, after_us, before_us, ...more })}`, signal)).traces.map(({ trace_id }) => trace_id);
  const { start_us } = trace.roots[0];
  // The newest come first, and those of one moment by their ids.
  const ids = sort === 'slowest'
    ? await asked({ sort, limit: String(SORTED) })
    : by > 0
      ? await asked({ before_us: String(Math.min(start_us, Number(before_us) || Infinity)), limit: String(SAME) })
      : (await asked({ after_us: String(Math.max(start_us, Number(after_us) || 0)), sort: 'oldest', limit: String(SAME) })).reverse();
  const here = ids.indexOf(trace.id);
  if (here >= 0) return ids[here + by] ?? null;
  // It isn't of that list any more: the nearest that is.
  return (by > 0 ? ids[0] : ids.at(-1)) ?? null;
}
