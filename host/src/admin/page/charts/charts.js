// The last 15 minutes, drawn by uPlot: requests, latency, plugin calls, stock, with swaps and faults as marks.
//
// A click takes the time around it, a drag the time across it. What is drawn is a table as well, for who can't see it.

/* global uPlot */

import { clock, el, foreign, short, visible } from '../frame/text.js';

const HEIGHT = 132;
// A host that has just started fills its charts all the same.
const WINDOW_S_MIN = 2 * 60;
// A click means the time around it: a pixel is some seconds wide, and a cause comes before what it does.
const AROUND_S = [15, 10];
// As many lines as can be told apart.
const LINES = 5;
const MARKS = 6;

/** Four charts that share their time. */
export class Charts {
  #charts = [];
  #range = { from: null, to: null };

  constructor(onRange) {
    const sync = uPlot.sync('till');
    this.#charts = [
      new Chart('Requests', 'per second', requests, sync, onRange),
      new Chart('Latency', 'ms, p99 solid and p50 dashed', latency, sync, onRange),
      new Chart('Plugin calls', 'per second', pluginCalls, sync, onRange),
      new Chart('Stock', 'pieces on hand', stock, sync, onRange),
    ];
    this.grid = el('div', { class: 'grid' }, this.#charts.map((chart) => chart.element));
    this.marks = el('ul', { class: 'marks', 'aria-label': 'Swaps and faults' });
    this.warnings = el('div', { role: 'status' });
    this.onRange = onRange;
    this.element = el('section', { class: 'charts', 'aria-label': 'The last 15 minutes' },
      this.warnings, this.grid, this.marks);
    this.scheme = matchMedia('(prefers-color-scheme: dark)');
    this.scheme.addEventListener('change', this.#repaint);
  }

  leave() {
    this.scheme.removeEventListener('change', this.#repaint);
    this.#charts.forEach((chart) => chart.leave());
  }

  #repaint = () => this.#charts.forEach((chart) => chart.rebuild());

  draw(data) {
    this.grid.hidden = false;
    this.#charts.forEach((chart) => chart.draw(data));
    // A screen reader says what is replaced.
    if (this.warnings.textContent !== data.warnings.join('')) {
      this.warnings.replaceChildren(...data.warnings.map((warning) => el('p', { class: 'bad' }, warning)));
    }
    const newest = data.marks.slice(-MARKS).reverse();
    this.marks.replaceChildren(...newest.map(({ time, kind, text }) => el('li', {},
      el('button', { type: 'button', class: `mark ${kind}`, title: 'Show the traces of this moment', onclick: () => this.onRange((time - AROUND_S[0]) * 1e6, (time + AROUND_S[1]) * 1e6) },
        el('span', { class: 'sign', 'aria-hidden': 'true' }, kind === 'fault' ? '\u25b2' : '\u25c6'),
        el('span', { class: 'kind' }, kind === 'fault' ? 'fault' : 'swap'),
        el('time', {}, clock(time * 1e6, false)), foreign(text, { class: 'cut' })))));
  }

  /** Shows which time the list is of. */
  showRange(after_us, before_us) {
    this.#range = { from: after_us && after_us / 1e6, to: before_us && before_us / 1e6 };
    this.#charts.forEach((chart) => chart.showRange(this.#range));
  }

  refused(why) {
    this.grid.hidden = true;
    this.marks.replaceChildren(el('li', { class: 'dim' }, 'No charts: ', foreign(why)));
  }
}

// What each chart draws of the host's answer: {label, values, colour, dash?, fill?, bad?} a line.

function requests({ routes }) {
  const [shown, rest] = busiest(routes, (route) => route.requests);
  const lines = shown.map((route, index) => ({ label: route.route, values: route.requests, colour: index, fill: index === 0 }));
  if (rest.length > 0) lines.push({ label: `${rest.length} others`, values: sum(rest.map((route) => route.requests)), colour: 'dim' });
  if (routes.length > 0) lines.push({ label: 'errors', values: sum(routes.map((route) => route.errors)), colour: 'bad', bad: true });
  return lines;
}

function latency({ routes }) {
  const [shown] = busiest(routes, (route) => route.requests, 3);
  return shown.flatMap((route, index) => [
    { label: route.route, values: route.p99_ms, colour: index },
    { label: `${route.route} p50`, values: route.p50_ms, colour: index, dash: [4, 3], unlisted: true },
  ]);
}

function pluginCalls({ plugin_calls }) {
  const [shown] = busiest(plugin_calls, (line) => line.calls);
  let good = 0;
  return shown.map((line) => {
    const bad = !['ok', 'rejected', 'insufficient_stock'].includes(line.outcome);
    return { label: `${line.kind} ${line.outcome}`, values: line.calls, colour: bad ? 'bad' : good++, bad, dash: bad && line.kind === 'inventory' ? [4, 3] : null };
  });
}

function stock({ stock }) {
  // What sells is what changes.
  const [shown] = busiest(stock, (line) => line.on_hand.map((value, index, all) => Math.abs(value - (all[index - 1] ?? value))));
  return shown.map((line, index) => ({ label: line.item, values: line.on_hand, colour: index }));
}

function busiest(lines, valuesOf, count = LINES) {
  const total = (line) => valuesOf(line).reduce((total, value) => total + (value ?? 0), 0);
  const ranked = lines.map((line) => [total(line), line]).sort(([a], [b]) => b - a).map(([, line]) => line);
  return [ranked.slice(0, count), ranked.slice(count)];
}

function sum(rows) {
  return (rows[0] ?? []).map((_, index) => rows.reduce((total, row) => total + (row[index] ?? 0), 0));
}

class Chart {
  #plot = null;
  #shape = null;
  #data = null;
  #range = { from: null, to: null };

  constructor(title, unit, linesOf, sync, onRange) {
    this.title = title;
    this.linesOf = linesOf;
    this.sync = sync;
    this.onRange = onRange;
    this.canvas = el('div', { class: 'plot' });
    this.legend = el('ul', { class: 'legend', 'aria-hidden': 'true' });
    this.rows = el('tbody');
    this.heads = el('thead');
    this.table = el('details', { class: 'as-table' }, el('summary', {}, 'As a table'),
      el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': `${title}, as a table` }, el('table', {}, this.heads, this.rows)));
    this.table.addEventListener('toggle', () => this.#drawTable());
    this.element = el('figure', { class: 'chart' },
      el('figcaption', {}, el('span', { class: 'title' }, title), ' ', el('span', { class: 'unit' }, unit)),
      this.canvas, this.legend, this.table);
    this.watching = new ResizeObserver(() => this.#plot?.setSize({ width: this.canvas.clientWidth, height: HEIGHT }));
    this.watching.observe(this.canvas);
  }

  leave() {
    this.watching.disconnect();
    this.#plot?.destroy();
  }

  draw(data) {
    this.#data = data;
    const lines = this.linesOf(data);
    const shape = JSON.stringify(lines.map(({ label, colour }) => [label, colour]));
    this.lines = lines;
    if (shape !== this.#shape) {
      this.#shape = shape;
      this.rebuild();
    } else {
      this.#plot?.setData(this.#values());
      if (this.#plot) this.#drawLegend(this.#plot.cursor.idx);
    }
    if (this.table.open) this.#drawTable();
  }

  showRange(range) {
    this.#range = range;
    this.#plot?.redraw(false);
  }

  rebuild() {
    this.#plot?.destroy();
    this.#plot = null;
    if (!this.#data) return;
    this.canvas.classList.toggle('nothing', this.lines.length === 0);
    if (this.lines.length === 0) {
      this.legend.replaceChildren();
      return;
    }
    const paint = paints(this.element);
    this.#plot = new uPlot({
      width: this.canvas.clientWidth, height: HEIGHT,
      padding: [10, 16, 0, 0],
      legend: { show: false },
      cursor: { sync: { key: this.sync.key, setSeries: false }, drag: { x: true, y: false, setScale: false, dist: 4 }, points: { size: 5 }, y: false },
      scales: { x: { time: true, range: (_, low, high) => shownTime(low, high) }, y: { range: (_, low, high) => [0, niceTop(high)] } },
      axes: [
        axis(paint, { space: 56, size: 22, values: (_, times) => times.map((time) => clock(time * 1e6, false).slice(0, 5)) }),
        axis(paint, { space: 26, size: 40, values: (_, values) => values.map((value) => short(value)) }),
      ],
      series: [{}, ...this.lines.map((line) => ({
        label: line.label,
        stroke: colourOf(paint, line.colour),
        fill: line.fill ? paint.fill : undefined,
        width: line.bad ? 1.75 : 1.5,
        dash: line.dash ?? undefined,
        // A line of few values has none between them to be seen by.
        points: { show: (_, __, first, last) => last - first < 10, size: 4, fill: colourOf(paint, line.colour) },
        spanGaps: false,
      }))],
      hooks: {
        drawClear: [(plot) => this.#drawRange(plot, paint)],
        draw: [(plot) => drawMarks(plot, this.#data.marks, paint)],
        setCursor: [(plot) => this.#drawLegend(plot.cursor.idx)],
        setSelect: [(plot) => this.#selected(plot)],
        ready: [(plot) => this.#clicks(plot)],
      },
    }, this.#values(), this.canvas);
    this.#drawLegend(null);
  }

  #values() {
    return [this.#data.times, ...this.lines.map((line) => line.values)];
  }

  #selected(plot) {
    const { left, width } = plot.select;
    if (width < 4) return;
    this.onRange(plot.posToVal(left, 'x') * 1e6, plot.posToVal(left + width, 'x') * 1e6);
    plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  }

  #clicks(plot) {
    let down = 0;
    plot.over.addEventListener('mousedown', (event) => (down = event.clientX));
    plot.over.addEventListener('mouseup', (event) => {
      if (Math.abs(event.clientX - down) >= 4) return;
      const time = plot.posToVal(event.clientX - plot.over.getBoundingClientRect().left, 'x');
      this.onRange((time - AROUND_S[0]) * 1e6, (time + AROUND_S[1]) * 1e6);
    });
  }

  #drawRange(plot, paint) {
    const { from, to } = this.#range;
    if (from === null && to === null) return;
    const { ctx, bbox } = plot;
    const x = (time, otherwise) => (time === null ? otherwise : Math.min(bbox.left + bbox.width, Math.max(bbox.left, plot.valToPos(time, 'x', true))));
    const left = x(from, bbox.left);
    ctx.fillStyle = paint.range;
    ctx.fillRect(left, bbox.top, Math.max(2, x(to, bbox.left + bbox.width) - left), bbox.height);
  }

  #drawLegend(index) {
    const at = index ?? this.#data.times.length - 1;
    const paint = paints(this.element);
    const items = this.lines.filter((line) => !line.unlisted).map((line) => {
      const item = el('li', {},
        el('span', { class: line.dash ? 'key dashed' : 'key' }), foreign(line.label, { class: 'cut' }),
        el('b', {}, short(line.values[at])));
      item.firstChild.style.setProperty('--key', colourOf(paint, line.colour));
      return item;
    });
    const time = this.#data.times[at];
    if (index !== null && index !== undefined && time) items.push(el('li', { class: 'at' }, clock(time * 1e6, false)));
    this.legend.replaceChildren(...items);
  }

  #drawTable() {
    if (!this.table.open || !this.#data) return;
    this.heads.replaceChildren(el('tr', {}, el('th', { scope: 'col' }, 'Time'),
      this.lines.map((line) => el('th', { scope: 'col' }, visible(line.label)))));
    const { times } = this.#data;
    this.rows.replaceChildren(...times.map((time, index) => el('tr', {},
      el('th', { scope: 'row' }, clock(time * 1e6, false)),
      this.lines.map((line) => el('td', { class: 'number' }, short(line.values[index]))))).reverse());
  }
}

function axis(paint, more) {
  return {
    stroke: paint.text, font: '11px system-ui, sans-serif', gap: 4,
    grid: { stroke: paint.grid, width: 1 }, ticks: { show: false }, ...more,
  };
}

/** Returns from when to when is drawn. */
function shownTime(low, high) {
  const end = high ?? Date.now() / 1000;
  return [Math.min(low ?? end, end - WINDOW_S_MIN), end];
}

/** Returns where the axis ends: a little above, and never at nothing. */
function niceTop(high) {
  return high > 0 ? high * 1.12 : 1;
}

function drawMarks(plot, marks, paint) {
  const { ctx, bbox } = plot;
  const size = 4 * devicePixelRatio;
  for (const { time, kind } of marks) {
    const x = Math.round(plot.valToPos(time, 'x', true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    const fault = kind === 'fault';
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = fault ? paint.bad : paint.swap;
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash(fault ? [] : [3 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.globalAlpha = 0.7;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.globalAlpha = 1;
    ctx.beginPath();
    if (fault) {
      ctx.moveTo(x, bbox.top - size);
      ctx.lineTo(x + size, bbox.top + size);
      ctx.lineTo(x - size, bbox.top + size);
    } else {
      ctx.moveTo(x, bbox.top - size);
      ctx.lineTo(x + size, bbox.top);
      ctx.lineTo(x, bbox.top + size);
      ctx.lineTo(x - size, bbox.top);
    }
    ctx.fill();
    ctx.restore();
  }
}

/** Returns the colours of the style, for a canvas. */
function paints(element) {
  const style = getComputedStyle(element);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    lines: [1, 2, 3, 4, 5].map((number) => of(`line-${number}`)),
    bad: of('bad'), swap: of('guest'), dim: of('dim'), text: of('dim'), grid: of('grid'), fill: of('fill'), range: of('range'),
  };
}

function colourOf(paint, colour) {
  return typeof colour === 'number' ? paint.lines[colour % paint.lines.length] : paint[colour];
}
