// A trace as the host tells it (Jaeger's form), made into a tree in the order in which it is read.

/**
 * Returns the spans, parents before children and siblings by time, with what the page asks of each:
 * `{id, parent, depth, children, name, service, start_us, duration_us, maker, plugin, madeWithout, isError, why, exceptions,
 * events, attributes, warnings, lines}`. A span whose parent isn't here (it is another service's, or was dropped) is a root.
 */
export function model({ trace, lines, lines_dropped }) {
  const spans = new Map();
  for (const span of trace.spans) {
    if (!spans.has(span.spanID)) spans.set(span.spanID, read(span, trace.processes));
  }
  const roots = [];
  const byTime = [...spans.values()].sort((a, b) => a.start_us - b.start_us);
  for (const span of byTime) {
    const parent = spans.get(span.parentId);
    if (parent && !isAbove(span, parent)) {
      span.parent = parent;
      parent.children.push(span);
    } else {
      roots.push(span);
    }
  }
  const ordered = [];
  const open = roots.map((span) => [span, 0]).reverse();
  while (open.length > 0) {
    const [span, depth] = open.pop();
    span.depth = depth;
    ordered.push(span);
    for (const child of span.children.toReversed()) open.push([child, depth + 1]);
  }
  const start_us = Math.min(...ordered.map((span) => span.start_us));
  const end_us = Math.max(...ordered.map((span) => span.start_us + span.duration_us));
  const told = lines.map((line, index) => ({ ...line, index, fields: fieldsOf(line), span: spans.get(line.span_id) ?? null }));
  told.sort((a, b) => a.time_us - b.time_us);
  for (const line of told) line.span?.lines.push(line);
  return {
    id: trace.traceID, spans: ordered, byId: spans, roots, start_us, end_us, duration_us: Math.max(1, end_us - start_us),
    lines: told, linesDropped: lines_dropped ?? 0, cause: causeOf(ordered), busiest: busiestOf(ordered),
  };
}

function read(span, processes) {
  const attributes = (span.tags ?? []).map(({ key, value }) => [key, value]);
  const attribute = (key) => attributes.find(([of]) => of === key)?.[1];
  const events = (span.logs ?? []).map(({ timestamp, fields }) => {
    const named = fields.find((field) => field.key === 'event');
    return { time_us: timestamp, name: named ? String(named.value) : 'event', fields: fields.filter((field) => field !== named).map(({ key, value }) => [key, value]) };
  });
  const parent = (span.references ?? []).find((reference) => reference.refType === 'CHILD_OF' && reference.traceID === span.traceID);
  const kind = attribute('plugin.kind');
  const isError = isTrue(attribute('error')) || attribute('otel.status_code') === 'ERROR';
  return {
    id: span.spanID, parentId: parent?.spanID ?? null, parent: null, children: [], depth: 0, lines: [],
    name: span.operationName, service: processes?.[span.processID]?.serviceName ?? '',
    start_us: span.startTime, duration_us: span.duration,
    maker: isTrue(attribute('plugin.span')) ? 'guest' : kind !== undefined ? 'call' : 'host',
    plugin: kind === undefined ? null : versionName({
      installation: attribute('plugin.installation'), name: attribute('plugin.name') ?? kind, version: attribute('plugin.version'), number: attribute('plugin.number'),
      same_file_as: attribute('plugin.same_file_as'), rollout: attribute('plugin.rollout'),
    }),
    madeWithout: madeWithout(events),
    isError, why: attribute('otel.status_description') ?? null,
    exceptions: events.filter((event) => event.name === 'exception'), events, attributes, attribute,
    warnings: span.warnings ?? [],
  };
}

/**
 * Returns how a version is named, in a list and in a waterfall alike: `offer-js 0.1.0 #4`, and what sets it apart from
 * others of the name: that only its settings differ from an earlier number's, or that it isn't the live one. Where many
 * plugins are asked, the installation comes first: `welcome: percent-with-code 0.1.0 #4`.
 */
export function versionName({ installation, name, version, number, same_file_as, rollout }) {
  const parts = [installation !== undefined && `${installation}:`, name, version, number !== undefined && `#${number}`, same_file_as !== undefined && `(#${same_file_as} with other settings)`];
  return [...parts, rollout !== undefined && rollout !== 'live' && rollout].filter(Boolean).join(' ');
}

/** Returns what of the plugins' answers isn't part of a price, as a few words; null if everything is. */
function madeWithout(events) {
  const dropped = events.filter((event) => event.name === 'offer_dropped').length;
  const failed = events.filter((event) => event.name === 'left_out').length;
  const parts = [dropped > 0 && `${dropped} ${dropped === 1 ? 'offer' : 'offers'} dropped`, failed > 0 && `${failed} left out`];
  return parts.filter(Boolean).join(', ') || null;
}

/** Returns a line's fields as pairs. What a plugin attached comes as one field, as JSON; it stands beside the others. */
function fieldsOf({ fields }) {
  return Object.entries(fields ?? {}).flatMap(([key, value]) => (key === 'attributes' && attached(value)) || [[key, value]]);
}

function attached(value) {
  try {
    const of = typeof value === 'string' ? JSON.parse(value) : value;
    return of !== null && typeof of === 'object' ? Object.entries(of) : null;
  } catch {
    return null;
  }
}

function isTrue(value) {
  return value === true || value === 'true';
}

/** Returns whether `span` is above `of`: a trace that was made up may have a circle in it. */
function isAbove(span, of) {
  for (let at = of; at; at = at.parent) if (at === span) return true;
  return false;
}

/** Returns the span that an error began with: of the failed ones that end first, the deepest. */
function causeOf(spans) {
  const failed = spans.filter((span) => span.isError && !span.children.some(hasError));
  return failed.sort((a, b) => b.depth - a.depth || a.start_us - b.start_us)[0] ?? null;
}

function hasError(span) {
  return span.isError || span.children.some(hasError);
}

/** Returns the span in which most of the time went by, below it excluded. */
function busiestOf(spans) {
  return spans.map((span) => ({ span, own_us: ownTime(span) })).reduce((most, each) => (each.own_us > most.own_us ? each : most));
}

/** Returns the time in which none of its children was at work. */
export function ownTime(span) {
  let own = 0;
  let at = span.start_us;
  const end = span.start_us + span.duration_us;
  for (const child of span.children) {
    own += Math.max(0, Math.min(child.start_us, end) - at);
    at = Math.max(at, Math.min(end, child.start_us + child.duration_us));
  }
  return own + Math.max(0, end - at);
}
