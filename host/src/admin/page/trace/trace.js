// One trace: its facts, the waterfall or the table of its spans, the selected span, the log lines beside it.

import { Refused, read, save } from '../frame/api.js';
import { criticalPath } from './critical.js';
import { model } from './model.js';
import { isForPage } from '../frame/keys.js';
import { at } from '../frame/root.js';
import { copy, copyButton, say } from '../frame/say.js';
import { curlOf } from './request.js';
import { SECTIONS } from './sections.js';
import { SpanPanel } from './span.js';
import { beside } from './step.js';
import { clock, cut, day, duration, el, foreign, long, plural, visible, whole } from '../frame/text.js';
import { SpanTable, Waterfall } from './waterfall.js';

// The answer to a checkout, which names its trace, may be here before the trace is.
const LATE_MS = [250, 500, 1000, 2000];

// The list that a step to the next trace takes along.
let carried = null;

/** Shows the trace in `main`; returns what ends it. */
export function showTrace(main, id, go) {
  return new Trace(main, id, go).leave;
}

class Trace {
  #asked = new AbortController();

  constructor(main, id, go) {
    this.main = main;
    this.id = id;
    this.go = go;
    this.list = carried ?? cameFrom();
    carried = null;
    document.title = `Trace ${visible(id).slice(0, 8)} \u00b7 Till`;
    document.addEventListener('keydown', this.#key);
    main.append(el('div', { class: 'trace' }, this.#back(), el('p', { class: 'note' }, 'Reading the trace\u2026')));
    this.#load();
  }

  leave = () => {
    this.#asked.abort();
    document.removeEventListener('keydown', this.#key);
  };

  #back() {
    const step = (key, label, to) => el('button', { type: 'button', class: 'quiet', onclick: () => this.#step(to) }, label, ' ', el('kbd', { 'aria-hidden': 'true' }, key));
    return el('nav', { class: 'back', 'aria-label': 'Back' }, el('a', { href: this.list, 'data-link': true }, '\u2190 All traces'),
      step('p', 'Previous', -1), step('n', 'Next', 1));
  }

  /** Goes to the trace beside this one in the list that it was opened from. */
  async #step(by) {
    if (!this.trace) return;
    try {
      const id = await beside(this.list, this.trace, by, this.#asked.signal);
      if (id === null) {
        say(by > 0 ? 'This is the last trace of the list' : 'This is the first trace of the list');
        return;
      }
      carried = this.list;
      this.go(at(`/traces/${id}`));
      history.replaceState({ ...history.state, from: this.list }, '');
    } catch (error) {
      if (error.name !== 'AbortError') say(error.message);
    }
  }

  async #load() {
    for (const wait of [...LATE_MS, null]) {
      try {
        const found = await read(`/recent/traces/${encodeURIComponent(this.id)}`, this.#asked.signal);
        if (this.#asked.signal.aborted) return;
        this.#draw(model(found));
        return;
      } catch (error) {
        if (error.name === 'AbortError') return;
        if (error instanceof Refused && error.status === 404 && wait !== null) {
          await new Promise((resolve) => setTimeout(resolve, wait));
          if (this.#asked.signal.aborted) return;
          continue;
        }
        this.#failed(error);
        return;
      }
    }
  }

  #failed(error) {
    const gone = error instanceof Refused && error.status === 404;
    this.main.replaceChildren(el('div', { class: 'trace' }, this.#back(),
      el('h1', {}, gone ? 'No such trace is kept' : 'The trace can\u2019t be read'),
      el('div', { class: 'note' },
        el('p', {}, gone ? 'It may have made room for newer ones, or be from before the last start. Errors are kept longest.' : foreign(error.message)),
        el('p', {}, 'Trace id ', el('code', {}, foreign(this.id, { class: 'cut' }))))));
    say(gone ? 'No such trace is kept' : 'The trace can\u2019t be read');
  }

  #draw(trace) {
    this.trace = trace;
    const select = (span, how) => this.#select(span, how);
    this.path = criticalPath(trace);
    this.waterfall = new Waterfall(trace, select, this.path);
    this.table = new SpanTable(trace, select);
    this.table.element.hidden = true;
    this.panel = new SpanPanel(trace, select);
    const root = trace.roots[0];
    document.title = `${visible(root.name).slice(0, 60)} \u00b7 ${duration(trace.duration_us)} \u00b7 Till`;
    this.main.replaceChildren(el('div', { class: 'trace' },
      this.#back(),
      this.#head(root),
      trace.cause && this.#cause(trace.cause),
      el('div', { class: 'columns' },
        el('div', { class: 'left' },
          el('section', { class: 'spans', 'aria-label': 'Spans' }, this.#tools(), this.waterfall.element, this.table.element),
          this.#lines()),
        this.panel.element),
      SECTIONS.map((section) => section(trace, this.#asked.signal))));
    const asked = trace.byId.get(new URLSearchParams(location.search).get('span'));
    this.#select(asked ?? trace.cause ?? root, { quietly: true });
    say(`Trace of ${plural(trace.spans.length, 'span')}${trace.cause ? ', failed' : ''}`);
  }

  #head(root) {
    const fact = (label, ...value) => el('div', {}, el('dt', {}, label), el('dd', {}, ...value));
    const first = (key) => this.trace.spans.map((span) => span.attribute(key)).find((value) => value !== undefined);
    const status = root.attribute('http.response.status_code');
    const outcome = first('plugin.outcome');
    const failed = this.trace.spans.filter((span) => span.isError).length;
    const item = first('order.item') ?? first('inventory.item');
    const reference = first('order.reference');
    const busiest = this.trace.busiest;
    const share = Math.round((100 * busiest.own_us) / this.trace.duration_us);
    return el('header', { class: 'tracehead' },
      el('div', { class: 'titlebar' },
        el('h1', {}, foreign(root.name, { class: 'clamp', title: visible(root.name).length > 80 ? visible(root.name).slice(0, 2000) : null })),
        el('div', { class: 'handle' }, el('span', { class: 'dim' }, 'Trace '), el('code', {}, foreign(this.id, { class: 'cut' })), copyButton(this.id, 'Copy id'), this.#curl(), this.#download('OTLP', '/api/v3/traces/', 'otlp'), this.#download('Jaeger', '/api/traces/', 'jaeger'))),
      el('dl', { class: 'facts' },
        status !== undefined && fact('Status', el('span', { class: failed > 0 ? 'went failed' : '' }, failed > 0 && '\u2715 ', foreign(status))),
        outcome !== undefined && fact('Outcome', cut(outcome)),
        fact('Duration', duration(this.trace.duration_us)),
        fact('Began', el('time', { title: day(this.trace.start_us) }, clock(this.trace.start_us))),
        fact('Spans', el('span', {}, whole(this.trace.spans.length), failed > 0 && [', ', el('span', { class: 'went failed' }, plural(failed, 'error'))])),
        failed === 0 && share >= 60 && busiest.span !== root && fact('Mostly in', el('button', { type: 'button', class: 'inline', onclick: () => this.#select(busiest.span, { focus: true }) }, cut(busiest.span.name)), ` ${share} %`),
        this.#critical(fact),
        item !== undefined && fact('Item', cut(item)),
        reference !== undefined && fact('Order', el('a', { href: at(`/console/orders/${encodeURIComponent(reference)}`), 'data-link': true }, el('code', {}, cut(reference))))));
  }

  /** What the trace's duration is made of: the spans that the others waited for. */
  #critical(fact) {
    const { own_us, total_us } = this.path;
    const [longest] = [...own_us].sort(([, a], [, b]) => b - a);
    if (!longest || own_us.size < 2) return null;
    return fact('Critical path', duration(total_us), ` in ${plural(own_us.size, 'span')}, `,
      el('button', { type: 'button', class: 'inline', onclick: () => this.#select(longest[0], { focus: true }) }, cut(longest[0].name)), ` ${duration(longest[1])}`);
  }

  #download(label, path, name) {
    const button = el('button', { type: 'button', class: 'quiet', title: `Download the trace as ${label} JSON` }, `${label} JSON`);
    button.addEventListener('click', () => save(path + encodeURIComponent(this.id), `trace-${this.id}-${name}.json`).catch((error) => say(error.message)));
    return button;
  }

  #curl() {
    const button = el('button', { type: 'button', class: 'quiet', title: 'Copy the request as a line for a shell' }, 'Copy as curl');
    button.addEventListener('click', async () => {
      const made = await curlOf(this.trace, this.#asked.signal).catch((error) => ({ note: error.message }));
      if (made?.line) await copy(made.line);
      this.copied.textContent = made ? made.note : 'This trace has no request that could be repeated.';
      say(this.copied.textContent);
    });
    this.copied = el('span', { class: 'dim copied' });
    return [button, this.copied];
  }

  /** The way from "it is red" to why. */
  #cause(span) {
    const exception = span.exceptions[0]?.fields.find(([key]) => key === 'exception.message')?.[1];
    const why = span.why ?? exception ?? span.attribute('error.type') ?? 'it says no more than that it failed';
    return el('button', { type: 'button', class: 'cause', onclick: () => this.#select(span, { focus: true }) },
      el('span', { class: 'sign', 'aria-hidden': 'true' }, '\u2715'),
      el('span', { class: 'said' }, el('strong', {}, cut(span.name), el('span', {}, 'failed')), foreign(why, { class: 'clamp' })),
      el('span', { class: 'dim goto' }, 'Show the span'));
  }

  #tools() {
    this.find = el('input', { id: 'find', type: 'search', placeholder: 'Name, attribute, event, log line', autocomplete: 'off', spellcheck: 'false', oninput: () => this.#search() });
    this.find.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || this.hits.length === 0) return;
      event.preventDefault();
      const at = this.hits.indexOf(this.selected);
      this.#select(this.hits.at((at + (event.shiftKey ? -1 : 1)) % this.hits.length), {});
    });
    this.hits = [];
    this.found = el('span', { class: 'found', role: 'status' });
    const view = (name, label) => {
      const button = el('button', { type: 'button', 'aria-pressed': String(name === 'waterfall'), onclick: () => this.#view(name) }, label);
      this.views[name] = button;
      return button;
    };
    this.views = {};
    this.folding = el('span', { class: 'folding' },
      el('button', { type: 'button', class: 'quiet', onclick: () => this.waterfall.foldAll(false) }, 'Expand all'),
      el('button', { type: 'button', class: 'quiet', onclick: () => this.waterfall.foldAll(true) }, 'Collapse'));
    return el('div', { class: 'tools' },
      el('label', { for: 'find', class: 'unseen' }, 'Find in this trace'), this.find, this.found, this.folding,
      el('div', { class: 'switch', role: 'group', 'aria-label': 'How spans are shown' }, view('waterfall', 'Waterfall'), view('table', 'Table')));
  }

  #view(name) {
    for (const [of, button] of Object.entries(this.views)) button.setAttribute('aria-pressed', String(of === name));
    this.waterfall.element.hidden = name !== 'waterfall';
    this.table.element.hidden = name !== 'table';
    this.folding.hidden = name !== 'waterfall';
  }

  #search() {
    const wanted = this.find.value.trim().toLowerCase();
    const has = (text) => String(text).toLowerCase().includes(wanted);
    const pairs = (of) => of.some(([key, value]) => has(key) || has(value));
    const ofLine = (line) => has(line.message) || has(line.target) || has(line.level) || pairs(line.fields);
    const ofSpan = (span) => has(span.name) || has(span.id) || has(span.service) || has(span.why ?? '') || pairs(span.attributes)
      || span.events.some((event) => has(event.name) || pairs(event.fields)) || span.lines.some(ofLine);
    this.hits = wanted === '' ? [] : this.trace.spans.filter(ofSpan);
    const lines = wanted === '' ? [] : this.trace.lines.filter(ofLine);
    this.found.textContent = wanted === '' ? '' : `${plural(this.hits.length, 'span')}, ${plural(lines.length, 'line')}`;
    const hits = wanted === '' ? null : new Set(this.hits);
    this.waterfall.mark(hits);
    this.table.mark(hits);
    for (const [line, item] of this.items) item.classList.toggle('missed', wanted !== '' && !lines.includes(line));
  }

  // --- log lines

  #lines() {
    const { lines, linesDropped, start_us } = this.trace;
    this.items = new Map();
    this.only = el('input', { type: 'checkbox', id: 'only', onchange: () => this.#drawLines() });
    const list = el('ol', { class: 'lines' }, lines.map((line) => {
      const fields = line.fields;
      const level = String(line.level).toLowerCase();
      const item = el('li', { class: `line ${['error', 'warn'].includes(level) ? level : ''}` },
        el('button', { type: 'button', disabled: !line.span, title: line.span ? `Of ${visible(line.span.name).slice(0, 200)}` : null, onclick: () => this.#select(line.span, { line }) },
          el('time', { title: day(line.time_us) }, `+${duration(Math.max(0, line.time_us - start_us))}`),
          el('span', { class: 'level' }, visible(line.level).slice(0, 8)),
          foreign(line.message, { class: 'message' }),
          el('span', { class: 'of' }, line.span ? cut(line.span.name) : '', foreign(line.target, { class: 'cut dim' }))),
        fields.length > 0 && el('dl', { class: 'fields' }, fields.map(([key, value]) => el('div', {}, el('dt', {}, cut(key)), el('dd', {}, long(typeof value === 'object' ? JSON.stringify(value) : value))))));
      this.items.set(line, item);
      return item;
    }));
    this.none = el('p', { class: 'dim', hidden: true });
    return el('section', { class: 'panel logs', 'aria-labelledby': 'logs-title' },
      el('div', { class: 'panelhead' }, el('h2', { id: 'logs-title' }, 'Log lines ', el('span', { class: 'count' }, whole(lines.length))),
        lines.length > 0 && el('label', { class: 'only', for: 'only' }, this.only, 'of this span only')),
      lines.length === 0 ? el('p', { class: 'dim' }, 'Nothing was logged in this trace.') : [list, this.none],
      linesDropped > 0 && el('p', { class: 'dim' }, `${plural(linesDropped, 'line')} more ${linesDropped === 1 ? 'was' : 'were'} dropped.`));
  }

  #drawLines() {
    let hidden = 0;
    for (const [line, item] of this.items) {
      item.classList.toggle('selected', line.span === this.selected && line.span !== null);
      item.hidden = this.only.checked && line.span !== this.selected;
      hidden += item.hidden ? 1 : 0;
    }
    this.none.hidden = this.items.size === 0 || hidden < this.items.size;
    this.none.textContent = 'This span logged nothing.';
  }

  // --- selection

  #select(span, { focus = false, line = null, quietly = false } = {}) {
    if (!span) return;
    this.selected = span;
    this.waterfall.select(span, focus);
    this.table.select(span);
    this.panel.show(span);
    this.#drawLines();
    if (!line && !quietly) {
      const list = this.items.get(span.lines[0]);
      if (list) keepInView(list);
    }
    if (!quietly) history.replaceState(history.state, '', `${location.pathname}?span=${encodeURIComponent(span.id)}`);
  }

  #key = (event) => {
    if (!isForPage(event)) return;
    if (event.key === '/' && this.find) {
      event.preventDefault();
      this.find.focus();
    }
    if (event.key === 'n' || event.key === 'p') this.#step(event.key === 'n' ? 1 : -1);
    if (event.key === 'Escape') this.main.querySelector('.back a')?.click();
  };
}

/** Returns the address of the list that the trace was opened from. */
function cameFrom() {
  const list = at('/traces');
  const before = history.state?.from;
  return before?.startsWith(list) && !before.startsWith(`${list}/`) ? before : list;
}

/** Scrolls the list that the element is in, and nothing else. */
function keepInView(element) {
  const list = element.closest('.lines');
  const top = element.offsetTop - list.offsetTop;
  if (top < list.scrollTop || top + element.offsetHeight > list.scrollTop + list.clientHeight) list.scrollTop = top - 8;
}
