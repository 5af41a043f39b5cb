// The request of a trace as a line for a shell: as it was recorded, or else a checkout of the same item.

import { Refused, read } from '../frame/api.js';

/** Returns `{line, note}`: the command, and what one should know of it. */
export async function curlOf(trace, signal) {
  const root = trace.roots[0];
  const path = root.attribute('http.route') === '/quote' ? '/quote' : '/checkout';
  const recorded = await recordingOf(trace, signal);
  const lines = recorded?.case?.lines;
  if (lines?.length > 0 && lines.every((line) => line.price !== undefined)) {
    const codes = recorded.case.codes;
    const body = lines.length === 1 && path === '/checkout' && !codes?.length ? picked(lines[0]) : { lines: lines.map(picked), ...(codes?.length ? { codes } : {}) };
    const note = recorded.masked > 0 ? `From the recording, in which ${recorded.masked} ${recorded.masked === 1 ? 'text is' : 'texts are'} masked` : 'From the recording of its call';
    return { line: line(root, path, body), note };
  }
  const first = (key) => trace.spans.map((span) => span.attribute(key)).find((value) => value !== undefined);
  const item = first('order.item') ?? first('inventory.item');
  if (item === undefined || item === 'multiple') return null;
  const body = { item, quantity: Number(first('order.quantity') ?? first('inventory.deduction_quantity') ?? 1), price: Number(first('order.price_per_unit') ?? 1) };
  return { line: line(root, '/checkout', body), note: 'No recording is kept: a checkout of the same item' };
}

async function recordingOf(trace, signal) {
  try {
    const { recordings } = await read(`/recordings?trace_id=${trace.id}&cases=true&limit=20`, signal);
    return recordings.find(({ kind, rollout }) => kind === 'checkout' && rollout === 'live') ?? recordings.find(({ kind }) => kind !== 'inventory');
  } catch (error) {
    if (error instanceof Refused) return null;
    throw error;
  }
}

function picked({ item, quantity, price }) {
  return { item, quantity, price };
}

function line(root, path, body) {
  const host = root.attribute('server.address') ?? location.hostname;
  const port = root.attribute('server.port') ?? 8000;
  // Others' text goes to a shell: in ASCII, so that nothing of it is unseen, and in quotes.
  const json = JSON.stringify(body).replace(/[^\x20-\x7e]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return `curl -XPOST ${quoted(`http://${host}:${port}${path}`)} -H 'content-type: application/json' -d ${quoted(json)}`;
}

function quoted(text) {
  return /^[\w:/.\-[\]]+$/.test(text) && !/[[\]]/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
