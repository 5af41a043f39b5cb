// One version: what it is, how its calls ended, who changed it, and its recorded calls, to be repeated and profiled.

import { Refused, read } from '../frame/api.js';
import { at } from '../frame/root.js';
import { copyButton, say } from '../frame/say.js';
import { bytes, clock, cut, day, el, foreign, plural, visible, whole } from '../frame/text.js';
import { isForPage } from '../frame/keys.js';
import { recordedCall } from '../recordings/call.js';
import { rollBack } from './changes.js';
import { load } from './data.js';
import { age, named, percent, place, settingsList, versionLink } from './words.js';

const RECORDINGS_SHOWN = 10;

/** Shows the version in `main`; returns what ends it. */
export function showVersion(main, number, go) {
  const asked = new AbortController();
  const body = el('div', { class: 'plugins version' }, back(), el('p', { class: 'note' }, 'Reading the version\u2026'));
  document.title = `Version #${visible(number).slice(0, 12)} \u00b7 Till`;
  main.append(body);
  const key = (event) => {
    if (isForPage(event) && event.key === 'Escape') go(at('/console/plugins'));
  };
  document.addEventListener('keydown', key);
  draw(body, number, asked.signal);
  return () => {
    asked.abort();
    document.removeEventListener('keydown', key);
  };
}

function back() {
  return el('nav', { class: 'back', 'aria-label': 'Back' }, el('a', { href: at('/console/plugins'), 'data-link': true }, '\u2190 All plugins'));
}

async function draw(body, number, signal, result = '') {
  try {
    const path = `/plugins/versions/${encodeURIComponent(number)}`;
    const [version, data] = await Promise.all([read(path, signal), load(signal)]);
    const recordings = await recordingsOf(version, signal);
    if (signal.aborted) return;
    document.title = `${named(version)} \u00b7 Till`;
    const live = data.live.find((plugin) => place(plugin) === place(version));
    body.replaceChildren(back(), head(version, live, (said) => said !== null && draw(body, number, signal, said)),
      el('p', { class: 'outcome', role: 'status' }, result && foreign(result)), facts(version, data), calls(recordings, data.versions, version));
    say(`Version ${named(version)}`);
  } catch (error) {
    if (error.name === 'AbortError') return;
    const gone = error instanceof Refused && error.status === 404;
    body.replaceChildren(back(), el('h1', {}, gone ? 'There is no such version' : 'The version can\u2019t be read'), el('p', { class: 'note' }, foreign(error.message)));
  }
}

async function recordingsOf({ id }, signal) {
  try {
    return (await read(`/recordings?number=${id}&limit=${RECORDINGS_SHOWN}`, signal)).recordings;
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return null;
    throw error;
  }
}

function head(version, live, changed) {
  const state = { live: 'good', candidate: 'warn', former: '', withdrawn: 'bad' }[version.state] ?? '';
  const isBack = live && version.state !== 'live' && version.state !== 'candidate';
  return el('header', {}, el('div', { class: 'titleline' },
    el('h1', {}, foreign(named(version), { class: 'clamp' })), el('span', { class: `state ${state}` }, version.state),
    el('span', { class: 'dim' }, `at ${place(version)}`),
    isBack && el('button', { type: 'button', class: 'quiet', onclick: async () => changed(await rollBack(live, version)) }, `Roll back to #${version.id}`)));
}

function facts(version, { events, versions }) {
  const { digest, language, settings, asked_settings: asked, same_file_as: same, calls: counted, source, signed, provenance } = version;
  const fact = (label, ...value) => el('div', {}, el('dt', {}, label), el('dd', {}, ...value));
  const all = counted && counted.sold + counted.refused + counted.failed;
  const first = versions.find(({ id }) => id === same);
  const about = events.filter((event) => event.version === version.id);
  return el('section', { class: 'sheet', 'aria-labelledby': 'facts-title' },
    el('div', { class: 'head' }, el('h2', { id: 'facts-title' }, 'What it is')),
    el('dl', { class: 'versionfacts' },
      fact('Digest of the file', el('code', {}, cut(digest)), ' ', copyButton(digest, 'Copy digest')),
      fact('Size and language', `${bytes(version.bytes)}, `, foreign(language || 'unknown')),
      source && fact('From', foreign(source, { class: 'clamp' })),
      fact('Signed', ...(signed ? ['by ', foreign(signed.by), signed.identity ? [', ', foreign(signed.identity)] : [], signed.at_ms ? `, ${day(signed.at_ms * 1000)}` : ', at an unknown time'].flat() : ['by nobody that counted here'])),
      provenance && fact('Interface', `${provenance.interface}, track ${provenance.track}`),
      provenance?.producers.length > 0 && fact('Made by', foreign(provenance.producers.map(({ name, version: of }) => `${name} ${of}`.trim()).join(', '))),
      provenance?.packages && fact('Packages in it', whole(provenance.packages.length)),
      first && fact('The same file as', versionLink(first), ', with other settings'),
      fact('Settings', settingsList(settings)),
      asked?.length > 0 && fact('Settings that it reads', foreign(asked.join(', '))),
      fact('Calls since the host started', all === undefined ? 'none that are counted'
        : `${whole(all)}: ${whole(counted.sold)} sold, ${whole(counted.refused)} refused, ${whole(counted.failed)} failed; ${plural(counted.faults, 'fault')} of its own (${percent(counted.faults, all)})`)),
    el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Its history' }, el('table', { class: 'rows' },
      el('thead', {}, el('tr', {}, ['At', 'Change', 'By', 'Detail'].map((name) => el('th', { scope: 'col' }, name)))),
      el('tbody', {}, about.map((event) => el('tr', {}, el('td', {}, el('time', { title: day(event.at_ms * 1000) }, `${clock(event.at_ms * 1000, false)}, ${age(Date.now() - event.at_ms)} ago`)),
        el('th', { scope: 'row' }, event.action.replace('_', ' ')), el('td', {}, cut(event.changed_by)), el('td', { class: 'wraps' }, foreign(event.detail, { class: 'clamp' }))))))));
}

function calls(recordings, versions, version) {
  const title = el('h2', { id: 'calls-title' }, 'Recorded calls ', recordings && el('span', { class: 'count' }, whole(recordings.length)));
  const none = recordings === null ? 'No calls are recorded here: recordings.kept_mib is 0.' : 'No call of this version is recorded, or not any more.';
  return el('section', { class: 'panel replay', 'aria-labelledby': 'calls-title' }, el('div', { class: 'panelhead' }, title),
    recordings?.length > 0
      ? [el('p', { class: 'dim' }, `The newest of ${named(version)}. Repeat one with another version, or see where its time goes.`), ...recordings.map((recording) => el('div', {},
        recordedCall(recording, versions), el('p', {}, el('a', { href: at(`/traces/${recording.trace_id}`), 'data-link': true }, `Its trace, ${clock(recording.at_ms * 1000)}`))))]
      : el('p', { class: 'dim' }, none));
}
