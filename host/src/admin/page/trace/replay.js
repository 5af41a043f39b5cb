// A trace's section "Replay": the calls of the trace that were recorded, each repeated with any version of its plugin.

import { Refused, read } from '../frame/api.js';
import { el, foreign, whole } from '../frame/text.js';
import { recordedCall } from '../recordings/call.js';

/** It is empty of calls until the host has said which are recorded, and hidden where none are kept. */
export function replay(trace, signal) {
  const count = el('span', { class: 'count' });
  const body = el('div', {}, el('p', { class: 'dim' }, 'Looking for recorded calls\u2026'));
  const section = el('section', { class: 'panel replay', 'aria-labelledby': 'replay-title' },
    el('div', { class: 'panelhead' }, el('h2', { id: 'replay-title' }, 'Replay ', count)), body);
  load(trace.id, signal).then((found) => {
    if (!found) return void (section.hidden = true);
    const { recordings, versions } = found;
    count.textContent = whole(recordings.length);
    body.replaceChildren(...(recordings.length === 0
      ? [el('p', { class: 'dim' }, 'No call of this trace is recorded, or not any more.')]
      : outermostFirst(recordings).map((recording) => recordedCall(recording, versions))));
  }).catch((error) => {
    if (error.name !== 'AbortError') body.replaceChildren(el('p', { class: 'bad', role: 'alert' }, foreign(error.message)));
  });
  return section;
}

/** The checkout's call, which the inventory's was made within, was recorded last. */
function outermostFirst(recordings) {
  const isOutermost = ({ kind }) => kind === 'checkout';
  return [...recordings.filter(isOutermost), ...recordings.filter((recording) => !isOutermost(recording))];
}

async function load(traceId, signal) {
  try {
    const { recordings } = await read(`/recordings?trace_id=${encodeURIComponent(traceId)}&sort=oldest&limit=100`, signal);
    const { versions } = recordings.length === 0 ? { versions: [] } : await read('/plugins/versions?limit=200', signal);
    return { recordings, versions };
  } catch (error) {
    // None are kept here, or the trace's id is none.
    if (error instanceof Refused && [404, 422].includes(error.status)) return null;
    throw error;
  }
}
