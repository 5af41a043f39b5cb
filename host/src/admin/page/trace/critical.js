// The critical path: at each moment of a trace the one span that the rest waited for. If any of it took less time, the trace
// would have.

/**
 * Returns the path below the first root: `{own_us, segments, total_us}`, where `segments` are `[from_us, to_us]` for each span
 * on the path, `own_us` their sums, and `total_us` the sum of all.
 */
export function criticalPath(trace) {
  const segments = new Map();
  const root = trace.roots[0];
  if (root) walk(root, root.start_us + root.duration_us, segments);
  const own_us = new Map([...segments].map(([span, of]) => [span, of.reduce((sum, [from, to]) => sum + to - from, 0)]));
  return { segments, own_us, total_us: [...own_us.values()].reduce((sum, own) => sum + own, 0) };
}

/** Goes back in time from `end_us`: to the child that ended last before it, and on from that child's beginning. */
function walk(span, end_us, segments) {
  const open = [{ span, at: end_us, from: span.start_us, children: byEnd(span) }];
  while (open.length > 0) {
    const top = open.at(-1);
    const child = top.children.shift();
    const isPart = child && child.start_us < top.at && child.start_us >= top.from;
    if (child && !isPart) continue;
    if (!child) {
      add(segments, top.span, top.from, top.at);
      open.pop();
      continue;
    }
    // A child that outlives what waits for it counts up to there.
    const ended = Math.min(child.start_us + child.duration_us, top.at);
    add(segments, top.span, ended, top.at);
    top.at = child.start_us;
    open.push({ span: child, at: ended, from: child.start_us, children: byEnd(child) });
  }
}

function byEnd(span) {
  return span.children.toSorted((a, b) => b.start_us + b.duration_us - (a.start_us + a.duration_us));
}

function add(segments, span, from, to) {
  if (to <= from) return;
  if (!segments.has(span)) segments.set(span, []);
  segments.get(span).push([from, to]);
}
