// A recorded call: repeated with a version of its plugin, the two side by side; its profile; its case as a file.

import { read, saveAs, send } from '../frame/api.js';
import { copyButton, say } from '../frame/say.js';
import { bytes, cut, day, duration, el, foreign, plural, whole } from '../frame/text.js';
import { compared } from './diff.js';
import { flame } from './flame.js';

/** Returns the place of a plugin, as commands name it: "checkout", "discounts/spring". */
export function place({ kind, installation }) {
  return installation ? `${kind}/${installation}` : kind;
}

/** Returns a version as commands name it, without its digest. */
export function versionName({ name, version }) {
  return `${name}@${version}`;
}

/** Returns what shows the recording; `versions` are those of the host, of which the plugin's own can be chosen. */
export function recordedCall(recording, versions) {
  return new RecordedCall(recording, versions).element;
}

class RecordedCall {
  constructor(recording, versions) {
    this.recording = recording;
    const { id, number } = recording;
    const own = versions.filter(({ kind, installation }) => kind === recording.kind && installation === recording.installation);
    const option = (version) => el('option', { value: String(version.id), selected: version.id === number },
      `#${version.id} ${versionName(version)}${version.id === number ? ' (made the call)' : version.state === 'live' ? ' (live)' : ''}`);
    this.choice = el('select', { id: `version-${id}`, onchange: () => this.#told() },
      own.some((version) => version.id === number) || number === undefined ? null : el('option', { value: String(number), selected: true }, `#${number} (made the call)`),
      own.length === 0 && number === undefined && el('option', { value: '' }, 'the version that made the call'),
      own.map(option));
    this.file = el('input', { type: 'file', id: `file-${id}`, accept: '.wasm,application/wasm', onchange: () => this.#told() });
    this.repeat = el('button', { type: 'button', class: 'main', onclick: () => this.#repeat() }, 'Repeat');
    this.profile = el('button', { type: 'button', class: 'quiet', onclick: () => this.#profile() }, 'Profile');
    this.shell = el('pre', { tabindex: '0', 'aria-label': 'The command that does the same' });
    this.result = el('div', { class: 'result' });
    this.status = el('p', { class: 'dim', role: 'status' });
    this.element = el('article', { class: 'recorded', 'aria-labelledby': `call-${id}` },
      this.#head(),
      el('div', { class: 'controls' },
        el('div', {}, el('label', { for: `version-${id}` }, 'Repeat it with'), this.choice),
        el('div', {}, el('label', { for: `file-${id}` }, 'or with a file'), this.file),
        el('div', { class: 'buttons' }, this.repeat, this.profile,
          el('button', { type: 'button', class: 'quiet', onclick: () => this.#save() }, 'Save as a case'))),
      el('div', { class: 'shell' }, this.shell, copyButton('', 'Copy')),
      this.status, this.result);
    this.#told();
  }

  #head() {
    const { id, at_ms, outcome, error, number, rollout, took_us, masked } = this.recording;
    return el('header', {},
      el('h3', { id: `call-${id}` }, cut(place(this.recording)), ' ', el('span', { class: `state ${error ? 'bad' : outcome === 'ok' ? 'good' : 'warn'}` }, foreign(outcome))),
      el('p', { class: 'dim' }, cut(versionName(this.recording)), number !== undefined && `, #${number}`, rollout !== 'live' && `, ${rollout}`,
        ', ', el('time', { title: day(at_ms * 1000) }, duration(took_us)),
        masked > 0 && `, ${plural(masked, 'text')} masked`));
  }

  /** What the choice comes to, as the command says it. */
  #chosen() {
    const [file] = this.file.files;
    if (file) return { file, words: file.name, body: new Blob([file], { type: 'application/wasm' }) };
    const number = Number(this.choice.value);
    return number > 0 ? { words: `#${number}`, argument: String(number), body: { version: number } } : { words: 'its version', body: {} };
  }

  #told() {
    const { words, argument, file } = this.#chosen();
    this.repeat.textContent = `Repeat with ${words.slice(0, 60)}`;
    const quoted = file ? `'${file.name.replaceAll("'", "'\\''")}'` : argument;
    this.command = `till plugin replay ${this.recording.id}${quoted ? ` ${quoted}` : ''}`;
    this.shell.textContent = this.command;
    const copy = copyButton(this.command, 'Copy');
    this.shell.parentElement?.replaceChildren(this.shell, copy);
  }

  async #repeat() {
    await this.#ask('replay', 'Repeating the call\u2026', (answer) => {
      const verdict = !answer.compared
        ? 'Not compared: the host or another plugin ended the recorded call'
        : answer.differences.length === 0 ? 'The same decision' : `Decides otherwise: ${answer.differences.map(({ part }) => part).join(', ')}`;
      const isSame = answer.compared && answer.differences.length === 0;
      this.result.replaceChildren(sides(answer), ...this.#saveRepeated(answer));
      return [verdict, `state ${isSame ? 'good' : answer.compared ? 'bad' : 'warn'}`];
    });
  }

  async #profile() {
    await this.#ask('profile', 'Repeating the call for a second of its plugin\u2019s time\u2026', (profile) => {
      this.result.replaceChildren(flame(profile));
      return [`${plural(profile.root.samples, 'sample')} of ${plural(profile.calls, 'call')}`, 'unseen'];
    });
  }

  async #ask(what, meanwhile, show) {
    const buttons = [this.repeat, this.profile];
    buttons.forEach((button) => (button.disabled = true));
    this.status.className = 'dim';
    this.status.textContent = meanwhile;
    try {
      const [said, how] = show(await send('POST', `/recordings/${this.recording.id}/${what}`, this.#chosen().body));
      this.status.className = how;
      this.status.textContent = said;
    } catch (error) {
      this.status.className = 'bad';
      this.status.replaceChildren(foreign(error.message));
    }
    buttons.forEach((button) => (button.disabled = false));
  }

  /** Offers the case that expects what was decided just now: a test for the version that is to come. */
  #saveRepeated({ case: asCase, number, recording }) {
    if (!asCase) return [];
    const of = number === undefined ? 'the file' : `#${number}`;
    const save = () => {
      saveAs(JSON.stringify(asCase, null, 2), `${recording.kind}-${recording.id}-repeated.json`);
      say('Saved as a case');
    };
    return [el('p', {}, el('button', { type: 'button', class: 'quiet', onclick: save }, `Save what ${of} decides as a case`))];
  }

  async #save() {
    try {
      const { case: asCase } = await read(`/recordings/${this.recording.id}`);
      saveAs(JSON.stringify(asCase, null, 2), `${this.recording.kind}-${this.recording.id}.json`);
      say('Saved as a case');
    } catch (error) {
      this.status.className = 'bad';
      this.status.replaceChildren(foreign(error.message));
    }
  }
}

/** Returns both calls side by side. */
function sides(answer) {
  const { recorded, repeated, recording, number } = answer;
  const name = number === undefined ? foreign(answer.plugin) : `#${number}`;
  const [left, right] = compared(decided(recorded), decided(repeated));
  const row = (label, of, shown) => (of(recorded) === undefined && of(repeated) === undefined ? null
    : el('tr', {}, el('th', { scope: 'row' }, label), ...[recorded, repeated].map((call) => el('td', { class: 'number' }, of(call) === undefined ? '\u2013' : shown(of(call))))));
  const [before, after] = compared(spanLines(recorded.spans, true), spanLines(repeated.spans, true), unTimed);
  return el('div', { class: 'sides' },
    el('div', { class: 'two' },
      side(el('h4', {}, `Recorded${recording.number === undefined ? '' : `, #${recording.number}`}`), left, 'Recorded'),
      side(el('h4', {}, 'Repeated, ', name), right, 'Repeated')),
    el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'What both took' }, el('table', { class: 'rows' },
      el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'Cost'), el('th', { scope: 'col', class: 'number' }, 'Recorded'), el('th', { scope: 'col', class: 'number' }, 'Repeated'))),
      el('tbody', {},
        row('Time', ({ took_us }) => took_us, duration), row('Processor', ({ cpu_us }) => cpu_us, duration),
        row('Fuel', ({ fuel_used }) => fuel_used, whole), row('Memory', ({ memory_bytes }) => memory_bytes, bytes),
        row('Host calls', ({ host_calls }) => host_calls, whole)))),
    (recorded.spans.length > 0 || repeated.spans.length > 0) && el('div', { class: 'two' },
      side(el('h4', {}, 'Its spans'), before, 'Recorded spans'), side(el('h4', {}, 'Its spans'), after, 'Repeated spans')),
    repeated.log?.length > 0 && el('div', {}, el('h4', {}, 'Its log lines, repeated'), el('ul', { class: 'plainlines' },
      repeated.log.map(({ level, message }) => el('li', {}, foreign(`${level} ${message}`))))),
    repeated.notes?.length > 0 && el('div', {}, el('h4', {}, 'To change'), el('ul', { class: 'plainlines' }, repeated.notes.map((note) => el('li', {}, foreign(note))))),
    number !== undefined && number !== recording.number && el('p', { class: 'dim' }, 'A repeated call has the settings of the recorded one.'),
    recording.masked > 0 && el('p', { class: 'dim' }, `${plural(recording.masked, 'text')} of the recorded call ${recording.masked === 1 ? 'is' : 'are'} masked, which may have changed the decision.`));
}

function side(title, lines, label) {
  const sign = { same: '', only: label.startsWith('Recorded') ? '\u2212' : '+' };
  return el('section', { 'aria-label': label }, title, el('ol', { class: 'difflines' },
    lines.map(({ text, is }) => el('li', { class: is === 'only' ? (sign.only === '+' ? 'added' : 'gone') : null },
      el('span', { class: 'sign' }, sign[is] ?? ''), foreign(text)))));
}

/** Returns what a call decided, line by line. */
function decided({ outcome, detail, rejection, decision, asked }) {
  return [
    outcome,
    ...(rejection ? [`rejection ${rejection}`] : []), ...(detail ? [detail] : []),
    ...(decision ? [...decision.lines, ...decision.attributes] : []),
    ...Object.entries(asked).map(([item, pieces]) => `asked for ${pieces} ${item}`),
  ];
}

const TIME = /  [0-9.]+ (\u00b5s|ms|s|min).*$/;

function unTimed(line) {
  return line.replace(TIME, '');
}

function spanLines(spans, isTimed, depth = 0) {
  return spans.flatMap((span) => [
    `${'  '.repeat(depth)}${span.name}${isTimed ? `  ${duration(span.duration_us)}` : ''}${span.error ? `  failed: ${span.error}` : ''}`,
    ...spanLines(span.spans, isTimed, depth + 1),
  ]);
}
