// Text of others on its way into the document, and the words for times and sizes.
//
// Invariant: whatever a plugin or a client wrote becomes a text node or an attribute's value, never markup. Nothing of
// this page uses innerHTML.

/** Returns an element. Properties that aren't properties of elements are set as attributes; strings become text. */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 'class') element.className = value;
    else if (name === 'data') Object.assign(element.dataset, value);
    else if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'vars') for (const [variable, of] of Object.entries(value)) element.style.setProperty(variable, of);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// What moves, hides or reorders other text, and has no picture of its own.
const UNSEEN = /[\u0080-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

// Named, for not every font has the pictures of U+2400.
const CONTROLS = [
  'NUL', 'SOH', 'STX', 'ETX', 'EOT', 'ENQ', 'ACK', 'BEL', 'BS', 'TAB', 'LF', 'VT', 'FF', 'CR', 'SO', 'SI',
  'DLE', 'DC1', 'DC2', 'DC3', 'DC4', 'NAK', 'SYN', 'ETB', 'CAN', 'EM', 'SUB', 'ESC', 'FS', 'GS', 'RS', 'US',
];

/** Returns the text with what can't be seen of it spelled out: "\u2039ESC\u203a". In a `block` lines stay lines. */
export function visible(text, block = false) {
  return String(text)
    .replace(/[\u0000-\u001f\u007f]/g, (character) => {
      if (block && (character === '\n' || character === '\t')) return character;
      return spelled(CONTROLS[character.charCodeAt(0)] ?? 'DEL');
    })
    .replace(UNSEEN, (character) => spelled(`U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}`));
}

function spelled(name) {
  return `\u2039${name}\u203a`;
}

/** Returns others' text, isolated: its direction is its own, and ends with it. */
export function foreign(text, properties = {}) {
  return el('bdi', { dir: 'auto', ...properties }, visible(text));
}

/** Returns the text on one line, cut by the style if there is no room, whole when it is pointed at. */
export function cut(text, properties = {}) {
  const shown = visible(text);
  return foreign(text, { ...properties, class: `cut ${properties.class ?? ''}`, title: shown.length > 24 ? shown.slice(0, 2000) : null });
}

const LONG = 320;

/** Returns the text in a block; a long one opens on demand. */
export function long(text) {
  const shown = visible(text, true);
  if (shown.length <= LONG) return el('bdi', { dir: 'auto', class: 'block' }, shown);
  const body = el('bdi', { dir: 'auto', class: 'block' }, `${shown.slice(0, LONG)}\u2026`);
  const more = el('button', { type: 'button', class: 'quiet', 'aria-expanded': 'false' }, `Show all ${whole(shown.length)} characters`);
  more.addEventListener('click', () => {
    const open = more.getAttribute('aria-expanded') === 'false';
    more.setAttribute('aria-expanded', String(open));
    body.textContent = open ? shown : `${shown.slice(0, LONG)}\u2026`;
    more.textContent = open ? 'Show less' : `Show all ${whole(shown.length)} characters`;
  });
  return el('div', {}, body, more);
}

const WHOLE = new Intl.NumberFormat('en');

export function whole(number) {
  return WHOLE.format(number);
}

/** Returns a number with about three digits. */
export function short(number) {
  if (number === null || number === undefined || !Number.isFinite(number)) return '\u2013';
  const size = Math.abs(number);
  if (size >= 1e6) return `${trim((number / 1e6).toPrecision(3))}M`;
  if (size >= 1e4) return `${trim((number / 1e3).toPrecision(3))}k`;
  if (size >= 100) return whole(Math.round(number));
  return trim(number.toPrecision(3));
}

function trim(digits) {
  return String(Number(digits));
}

/** Returns "812 µs", "3.42 ms", "1.80 s". */
export function duration(us) {
  if (us < 1000) return `${Math.round(us)} \u00b5s`;
  if (us < 1e6) return `${(us / 1e3).toPrecision(3)} ms`.replace('1.00e+3 ms', '1.00 s');
  if (us < 60e6) return `${(us / 1e6).toFixed(us < 10e6 ? 2 : 1)} s`;
  return `${Math.floor(us / 60e6)} min ${Math.round((us % 60e6) / 1e6)} s`;
}

export function bytes(count) {
  const mib = count / (1 << 20);
  return mib >= 1 ? `${trim(mib.toPrecision(3))} MiB` : `${whole(Math.ceil(count / 1024))} KiB`;
}

/** Returns the time of day, with milliseconds. */
export function clock(us, withMillis = true) {
  const date = new Date(us / 1000);
  const two = (number) => String(number).padStart(2, '0');
  const seconds = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return withMillis ? `${seconds}.${String(date.getMilliseconds()).padStart(3, '0')}` : seconds;
}

/** Returns the day as well, for a title. */
export function day(us) {
  const date = new Date(us / 1000);
  return `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, '0')}-${String(date.getDate()).padStart(2, '0')} ${clock(us)}`;
}

/** Returns an amount with its currency's decimals. */
export function money(amount, currency) {
  return new Intl.NumberFormat('en', { style: 'currency', currency, currencyDisplay: 'code' }).format(amount).replace('\u00a0', ' ');
}

export function plural(count, one, many = `${one}s`) {
  return `${whole(count)} ${count === 1 ? one : many}`;
}
