// When traces began, and how long they took: counts by time and by duration on a logarithmic scale.
//
// A drag, or Shift and the arrow keys, marks a rectangle and narrows the list to it. The same is a table as well.

import { say } from '../frame/say.js';
import { clock, duration, el, plural, whole } from '../frame/text.js';

const HEIGHT = 204;
const LEFT = 62;
const BOTTOM = 20;
const TOP = 4;
const RIGHT = 8;
// A row or column less wide than this isn't seen.
const COLUMN_MIN = 1;
const DRAG_MIN_PX = 4;
// As many rows as the table has at most.
const TABLE_ROWS = 400;

export class Heatmap {
  #map = null;
  #cells = new Map();
  /** The corners of what is marked, in columns and rows. */
  #marked = null;
  #down = null;

  /** `onRange` gets `{after_us, before_us, from_us, to_us}`: the moments and durations of what was marked, inclusive. */
  constructor(onRange) {
    this.onRange = onRange;
    this.canvas = el('canvas', { 'aria-hidden': 'true' });
    this.tip = el('p', { class: 'tip', hidden: true, 'aria-hidden': 'true' });
    this.plot = el('div', {
      class: 'heat', tabindex: '0', role: 'application', 'aria-roledescription': 'heatmap', 'aria-describedby': 'heat-keys',
      'aria-label': 'Traces by time and duration', onkeydown: (event) => this.#key(event),
      onpointerdown: (event) => this.#press(event), onpointermove: (event) => this.#move(event), onpointerup: (event) => this.#release(event),
      onpointercancel: () => this.#forget(), onpointerleave: () => (this.tip.hidden = true), onfocus: () => this.#focused(), onblur: () => this.#forget(),
    }, this.canvas, this.tip);
    this.rows = el('tbody');
    this.caption = el('caption', { class: 'unseen' }, 'Traces by time and duration');
    this.table = el('details', { class: 'as-table' }, el('summary', {}, 'As a table'),
      el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Traces by time and duration, as a table' },
        el('table', {}, this.caption, el('thead', {}, el('tr', {}, ['From', 'Takes', 'To', 'Count', 'Errors'].map((head) => el('th', { scope: 'col' }, head)))), this.rows)));
    this.table.addEventListener('toggle', () => this.#drawTable());
    this.hint = el('p', { class: 'dim hint', id: 'heat-keys' }, 'Drag to narrow, or move with the arrow keys, mark with Shift, narrow with Enter. Red: with errors.');
    this.none = el('p', { class: 'dim none', hidden: true }, 'Nothing to draw.');
    this.element = el('figure', { class: 'heatmap' }, this.plot, this.none, el('div', { class: 'under' }, this.hint, this.table));
    this.scheme = matchMedia('(prefers-color-scheme: dark)');
    this.scheme.addEventListener('change', this.#draw);
    this.watching = new ResizeObserver(() => this.#draw());
    this.watching.observe(this.plot);
  }

  leave() {
    this.scheme.removeEventListener('change', this.#draw);
    this.watching.disconnect();
  }

  /** Draws the host's heatmap; undefined is none. */
  draw(map) {
    // What is being marked mustn't change under the hand.
    if (this.#down || this.#isMarking()) return;
    this.#map = map ?? null;
    this.#cells = new Map((map?.cells ?? []).map((cell) => [`${cell.column} ${cell.row}`, cell]));
    this.#marked = null;
    this.none.hidden = this.#map !== null;
    this.plot.hidden = this.#map === null;
    this.#draw();
    this.#drawTable();
  }

  get #columns() {
    return this.#map.columns;
  }

  get #rowCount() {
    return this.#map.limits_us.length - 1;
  }

  #isMarking() {
    return this.#marked !== null && document.activeElement === this.plot;
  }

  // --- drawing

  #box() {
    const width = this.plot.clientWidth;
    return { left: LEFT, top: TOP, width: Math.max(1, width - LEFT - RIGHT), height: HEIGHT - BOTTOM - TOP, full: width };
  }

  #draw = () => {
    const box = this.#box();
    const ratio = devicePixelRatio || 1;
    this.canvas.width = Math.round(box.full * ratio);
    this.canvas.height = Math.round(HEIGHT * ratio);
    const ctx = this.canvas.getContext('2d');
    ctx.scale(ratio, ratio);
    ctx.clearRect(0, 0, box.full, HEIGHT);
    if (!this.#map || box.full === 0) return;
    const paint = paints(this.plot);
    const wide = box.width / this.#columns;
    const high = box.height / this.#rowCount;
    const y = (row) => box.top + box.height - (row + 1) * high;
    ctx.font = '11px system-ui, sans-serif';
    this.#drawAxes(ctx, box, paint, y, high);
    const most = Math.max(...this.#map.cells.map((cell) => cell.matched));
    for (const { column, row, matched, errors } of this.#map.cells) {
      // By the logarithm, so that a single slow one shows beside a thousand fast ones.
      ctx.globalAlpha = 0.28 + 0.72 * (Math.log(1 + matched) / Math.log(1 + most));
      const [left, top, width, height] = [box.left + column * wide, y(row), Math.max(COLUMN_MIN, wide - 0.5), Math.max(COLUMN_MIN, high - 0.5)];
      ctx.fillStyle = paint.cell;
      ctx.fillRect(left, top, width, height);
      if (errors > 0) {
        const share = Math.max(0.35, errors / matched);
        ctx.globalAlpha = 1;
        ctx.fillStyle = paint.bad;
        ctx.fillRect(left, top + height * (1 - share), width, height * share);
      }
    }
    ctx.globalAlpha = 1;
    this.#drawMarked(ctx, box, paint, wide, high);
  };

  #drawAxes(ctx, box, paint, y, high) {
    ctx.fillStyle = paint.text;
    ctx.strokeStyle = paint.grid;
    ctx.textBaseline = 'middle';
    ctx.textAlign = 'right';
    const { limits_us, from_us, step_us } = this.#map;
    const isTen = (row) => limits_us[row] > 0 && Number.isInteger(Math.log10(limits_us[row]));
    const rows = limits_us.map((_, row) => row).filter((row) => limits_us[row] < 1e15);
    // Powers of ten first; the ends where there is room.
    const told = [];
    for (const row of [...rows.filter(isTen), 0, rows.at(-1)]) {
      const at = y(row) + high;
      if (told.some((other) => Math.abs(other - at) < 16)) continue;
      told.push(at);
      ctx.fillText(duration(limits_us[row]).replace('.00', ''), box.left - 6, Math.max(box.top + 5, Math.min(at, box.top + box.height - 5)));
      ctx.beginPath();
      ctx.moveTo(box.left, at);
      ctx.lineTo(box.left + box.width, at);
      ctx.stroke();
    }
    const span_us = step_us * this.#columns;
    const isShort = span_us < 5e6;
    const count = Math.max(1, Math.min(6, Math.floor(box.width / (isShort ? 150 : 110))));
    ctx.textBaseline = 'alphabetic';
    for (let at = 0; at <= count; at += 1) {
      ctx.textAlign = at === 0 ? 'left' : at === count ? 'right' : 'center';
      ctx.fillText(clock(from_us + (span_us * at) / count, isShort), box.left + (box.width * at) / count, HEIGHT - 5);
    }
  }

  #drawMarked(ctx, box, paint, wide, high) {
    const marked = this.#rectangle();
    if (!marked) return;
    const [columns, rows] = [marked.columns[1] - marked.columns[0] + 1, marked.rows[1] - marked.rows[0] + 1];
    const top = box.top + box.height - (marked.rows[1] + 1) * high;
    ctx.fillStyle = paint.range;
    ctx.fillRect(box.left + marked.columns[0] * wide, top, columns * wide, rows * high);
    ctx.strokeStyle = paint.accent;
    ctx.lineWidth = 1.5;
    ctx.strokeRect(box.left + marked.columns[0] * wide, top, columns * wide, rows * high);
  }

  #drawTable() {
    if (!this.table.open || !this.#map) return;
    const { limits_us, from_us, step_us, cells } = this.#map;
    const rows = [...cells].sort((a, b) => b.column - a.column || b.row - a.row).slice(0, TABLE_ROWS);
    this.rows.replaceChildren(...rows.map(({ column, row, matched, errors }) => el('tr', {},
      el('th', { scope: 'row' }, clock(from_us + column * step_us)),
      el('td', {}, duration(limits_us[row])),
      el('td', {}, limits_us[row + 1] > 1e15 ? '\u221e' : duration(limits_us[row + 1])),
      el('td', { class: 'number' }, whole(matched)), el('td', { class: 'number' }, whole(errors)))));
  }

  // --- marking

  /** Returns what is marked: `{columns: [first, last], rows: [first, last]}`. */
  #rectangle() {
    if (!this.#marked) return null;
    const { from, to } = this.#marked;
    const ordered = (a, b) => [Math.min(a, b), Math.max(a, b)];
    return { columns: ordered(from.column, to.column), rows: ordered(from.row, to.row) };
  }

  #range() {
    const { columns, rows } = this.#rectangle();
    const { limits_us, from_us, step_us } = this.#map;
    return {
      after_us: from_us + columns[0] * step_us, before_us: from_us + (columns[1] + 1) * step_us - 1,
      from_us: limits_us[rows[0]], to_us: limits_us[rows[1] + 1] - 1,
    };
  }

  #told() {
    const { columns, rows } = this.#rectangle();
    const inside = this.#map.cells.filter(({ column, row }) => column >= columns[0] && column <= columns[1] && row >= rows[0] && row <= rows[1]);
    const count = inside.reduce((sum, cell) => sum + cell.matched, 0);
    const errors = inside.reduce((sum, cell) => sum + cell.errors, 0);
    const { after_us, before_us, from_us, to_us } = this.#range();
    const to = to_us > 1e15 ? 'and longer' : `to ${duration(to_us + 1)}`;
    return `${plural(count, 'trace')}${errors > 0 ? `, ${plural(errors, 'error')}` : ''}: ${clock(after_us)} to ${clock(before_us)}, ${duration(from_us)} ${to}`;
  }

  #cellAt(event) {
    const box = this.#box();
    const { left, top } = this.plot.getBoundingClientRect();
    const within = (value, count) => Math.max(0, Math.min(count - 1, Math.floor(value)));
    return {
      column: within(((event.clientX - left - box.left) / box.width) * this.#columns, this.#columns),
      row: within((1 - (event.clientY - top - box.top) / box.height) * this.#rowCount, this.#rowCount),
    };
  }

  #press(event) {
    if (!this.#map || event.button !== 0) return;
    this.plot.setPointerCapture(event.pointerId);
    this.#down = { x: event.clientX, y: event.clientY, cell: this.#cellAt(event) };
  }

  #move(event) {
    if (!this.#map) return;
    const cell = this.#cellAt(event);
    if (this.#down) this.#marked = { from: this.#down.cell, to: cell };
    else this.#marked = null;
    const shown = this.#marked ?? { from: cell, to: cell };
    const kept = this.#marked;
    this.#marked = shown;
    this.tip.textContent = this.#told();
    this.#marked = kept;
    this.tip.hidden = false;
    if (this.#down) this.#draw();
  }

  #release(event) {
    if (!this.#down) return;
    const isClick = Math.abs(event.clientX - this.#down.x) < DRAG_MIN_PX && Math.abs(event.clientY - this.#down.y) < DRAG_MIN_PX;
    this.#marked = isClick ? null : { from: this.#down.cell, to: this.#cellAt(event) };
    this.#down = null;
    const range = this.#marked && this.#range();
    this.#forget();
    if (range) this.onRange(range);
  }

  #forget() {
    this.#down = null;
    this.#marked = null;
    this.tip.hidden = true;
    this.#draw();
  }

  #focused() {
    if (this.#map && !this.#down && this.plot.matches(':focus-visible')) this.#put({ column: this.#columns - 1, row: this.#rowCount - 1 });
  }

  #put(to, from = to) {
    this.#marked = { from, to };
    this.tip.hidden = false;
    this.tip.textContent = this.#told();
    say(this.tip.textContent);
    this.#draw();
  }

  #key(event) {
    if (!this.#map || event.metaKey || event.ctrlKey || event.altKey) return;
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (step) {
      const at = this.#marked?.to ?? { column: this.#columns - 1, row: this.#rowCount - 1 };
      const within = (value, count) => Math.max(0, Math.min(count - 1, value));
      const to = { column: within(at.column + step[0], this.#columns), row: within(at.row + step[1], this.#rowCount) };
      this.#put(to, event.shiftKey ? this.#marked?.from ?? at : to);
    } else if (event.key === 'Enter' && this.#marked) {
      const range = this.#range();
      this.#forget();
      this.onRange(range);
    } else if (event.key === 'Escape' && this.#marked) {
      this.#forget();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }
}

/** Returns the colours of the style, for a canvas. */
function paints(element) {
  const style = getComputedStyle(element);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  return { cell: of('line-1'), bad: of('bad'), text: of('dim'), grid: of('grid'), range: of('range'), accent: of('accent') };
}
