// The words for versions and changes, which are the commands' own.

import { at } from '../frame/root.js';
import { cut, el, visible } from '../frame/text.js';

/** Returns the place of a plugin, as commands name it: "checkout", "discounts/spring". */
export function place({ kind, installation }) {
  return installation ? `${kind}/${installation}` : kind;
}

/** Returns "offers@1.2.0 #9"; plain text. */
export function named({ name, version, id, number }) {
  const known = id ?? number;
  return `${name}@${version}${known === undefined ? '' : ` #${known}`}`;
}

/** Returns a link to the version. */
export function versionLink(version) {
  const number = version.id ?? version.number;
  return number === undefined ? cut(named(version))
    : el('a', { href: at(`/console/plugins/${number}`), 'data-link': true, 'data-keep': `version-${number}-${place(version)}` }, cut(named(version)));
}

/** Returns what a change came to, as the command says it. */
export function told({ result, version, replaces, settings_left: left, approval, behind }) {
  const so = {
    unchanged: 'was live already',
    candidate: `is tried beside ${replaces ? named(replaces) : 'the live one'}`,
    waiting: approval ? waits(approval) : 'waits for another person to promote it',
  }[result] ?? (replaces ? `is live in the place of ${named(replaces)}` : 'is live');
  return `${place(version)} ${named(version)}, ${so}`
    + (left?.length > 0 && replaces ? `; not taken over from ${replaces.name}: its ${left.join(', ')}` : '')
    + (behind?.length > 0 ? `; not yet on: ${behind.join(', ')}` : '');
}

/** Returns what is said of a change that waits for another person's approval. */
export function waits(approval) {
  return `waits for another person to approve it (approval ${approval})`;
}

/** Returns "12 s", "5 min", "3 h", "2 days". */
export function age(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} days`;
}

export function percent(part, whole) {
  if (!(whole > 0)) return '\u2013';
  const share = (100 * part) / whole;
  return `${share > 0 && share < 10 ? share.toFixed(1) : Math.round(share)} %`;
}

const SECRET = /token|secret|passw|key|auth|credential/i;

/** Returns the settings as a list; what looks like a secret is shown on demand. */
export function settingsList(settings) {
  const entries = Object.entries(settings);
  if (entries.length === 0) return el('span', { class: 'dim' }, 'none of its own');
  return el('dl', { class: 'settings' }, entries.map(([key, value]) => el('div', {}, el('dt', {}, cut(key)), el('dd', {}, SECRET.test(key) ? hidden(key, value) : cut(value)))));
}

function hidden(key, value) {
  const shown = el('span', {}, '\u2022\u2022\u2022\u2022\u2022\u2022 ');
  const button = el('button', { type: 'button', class: 'quiet', 'aria-label': `Show ${visible(key).slice(0, 60)}` }, 'Show');
  button.addEventListener('click', () => shown.parentElement.replaceChildren(cut(value)));
  return el('span', {}, shown, button);
}
