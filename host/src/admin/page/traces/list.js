// The newest traces, and finding others: charts, filters, table.

import { Refused, read } from '../frame/api.js';
import { Charts } from '../charts/charts.js';
import { Filters } from './filters.js';
import { versionName } from '../trace/model.js';
import { isForPage } from '../frame/keys.js';
import { at } from '../frame/root.js';
import { copyButton, say } from '../frame/say.js';
import { bytes, clock, cut, day, duration, el, foreign, plural, visible, whole } from '../frame/text.js';

const PAGE = 50;
const REFRESH_MS = 2000;
const CHARTS_MS = 5000;
// How often a screen reader is told of new traces, at most.
const SAY_MS = 10_000;

/** Shows the list in `main`; returns what ends it. */
export function showList(main, go) {
  return new List(main, go).leave;
}

class List {
  #asked = null;
  #timers = [];
  #rows = new Map();
  #paused = false;
  #older = 0;
  #first = true;
  #said = 0;
  #unsaid = 0;

  constructor(main, go) {
    this.go = go;
    document.title = 'Traces \u00b7 Till';
    this.filters = new Filters(() => this.#changed());
    this.charts = new Charts((after_us, before_us) =>
      this.filters.also({ after_us: String(Math.floor(after_us)), before_us: String(Math.ceil(before_us)) }));
    main.append(
      el('div', { class: 'titleline' }, el('h1', {}, 'Traces'), (this.kept = el('p', { class: 'kept' }))),
      this.charts.element,
      this.filters.element,
      this.#tableSection(),
    );
    this.#drawChosen();
    this.#load();
    this.#loadCharts();
    this.#timers = [
      setInterval(() => this.#refreshes() && this.#load(), REFRESH_MS),
      setInterval(() => !document.hidden && !this.#paused && this.#loadCharts(), CHARTS_MS),
    ];
    document.addEventListener('keydown', this.#key);
  }

  leave = () => {
    this.#timers.forEach(clearInterval);
    this.filters.leave();
    this.#asked?.abort();
    this.charts.leave();
    document.removeEventListener('keydown', this.#key);
  };

  /** Returns whether the first page is shown and may change under the reader. */
  #refreshes() {
    return !document.hidden && !this.#paused && this.#older === 0;
  }

  #changed() {
    this.#older = 0;
    this.#first = true;
    this.#drawChosen();
    this.#load();
  }

  /** Draws what the filters say outside of their form. */
  #drawChosen() {
    const { after_us, before_us, sort } = this.filters.values;
    for (const [name, header] of Object.entries(this.sorts)) {
      header.setAttribute('aria-sort', (sort || 'newest') === name ? 'descending' : 'none');
    }
    this.charts.showRange(Number(after_us) || null, Number(before_us) || null);
  }

  // --- the table

  #tableSection() {
    const sortable = (name, label, properties) => {
      const button = el('button', { type: 'button', onclick: () => this.filters.also({ sort: name === 'newest' ? '' : name }) }, label);
      const header = el('th', { scope: 'col', ...properties }, button);
      this.sorts[name] = header;
      return header;
    };
    this.sorts = {};
    this.body = el('tbody');
    this.table = el('table', { class: 'traces' },
      el('caption', { class: 'unseen' }, 'Traces. Arrow keys, or j and k, go from one to the next, Enter opens it.'),
      el('thead', {}, el('tr', {},
        sortable('newest', 'Time'),
        el('th', { scope: 'col' }, 'Request'),
        el('th', { scope: 'col', class: 'c-item' }, 'Item'),
        el('th', { scope: 'col' }, 'Status'),
        el('th', { scope: 'col', class: 'c-outcome' }, 'Outcome'),
        sortable('slowest', 'Duration', { class: 'number' }),
        el('th', { scope: 'col', class: 'number c-spans' }, 'Spans'),
        el('th', { scope: 'col', class: 'c-plugins' }, 'Plugins'),
        el('th', { scope: 'col', class: 'c-id' }, 'Trace'))),
      this.body);
    this.pause = el('button', { type: 'button', class: 'live', 'aria-pressed': 'false', onclick: () => this.#togglePause() });
    this.status = el('p', { class: 'status' });
    this.note = el('div', { class: 'note', hidden: true });
    this.more = el('button', { type: 'button', class: 'more', hidden: true, onclick: () => this.#loadOlder() }, 'Show older traces');
    this.#drawPause();
    return el('section', { class: 'list', 'aria-label': 'Traces' },
      el('div', { class: 'listbar' }, this.status,
        el('p', { class: 'keys' }, el('kbd', {}, 'j'), ' ', el('kbd', {}, 'k'), ' move ', el('kbd', {}, 'Enter'), ' opens ', el('kbd', {}, '/'), ' filters'),
        this.pause),
      this.note, this.table, this.more);
  }

  #togglePause() {
    const stop = !this.#paused && this.#older === 0;
    this.#paused = stop;
    if (!stop) {
      this.#older = 0;
      this.#load();
      this.#loadCharts();
    }
    this.#drawPause();
  }

  #drawPause() {
    const still = this.#paused || this.#older > 0;
    this.pause.setAttribute('aria-pressed', String(this.#paused));
    this.pause.classList.toggle('still', still);
    this.pause.textContent = this.#paused ? 'Paused' : this.#older > 0 ? 'To the newest' : 'Live';
    const [title, label] = this.#paused
      ? ['Refresh again', 'refreshing is paused']
      : this.#older > 0 ? ['Back to the newest', 'back to the newest traces'] : ['Stop refreshing', 'pause refreshing'];
    this.pause.title = title;
    // What is seen comes first, so that it can be said to a voice control.
    this.pause.setAttribute('aria-label', `${this.pause.textContent}: ${label}`);
  }

  async #load() {
    this.#asked?.abort();
    const asked = (this.#asked = new AbortController());
    try {
      const query = this.filters.query({ limit: String(PAGE) });
      const { traces, kept } = await read(`/recent/traces?${query}`, asked.signal);
      if (asked.signal.aborted) return;
      this.#drawKept(kept);
      this.#drawRows(traces, kept);
    } catch (error) {
      this.#failed(error);
    }
  }

  async #loadOlder() {
    const last = [...this.#rows.values()].at(-1);
    if (!last) return;
    this.#asked?.abort();
    const asked = (this.#asked = new AbortController());
    try {
      const query = this.filters.query({ before_us: String(last.trace.start_us), limit: String(PAGE) });
      const { traces } = await read(`/recent/traces?${query}`, asked.signal);
      if (asked.signal.aborted) return;
      const fresh = traces.filter((trace) => !this.#rows.has(trace.trace_id));
      this.#older += 1;
      this.filters.offer(fresh);
      for (const trace of fresh) this.body.append(this.#row(trace).element);
      this.more.hidden = traces.length < PAGE || fresh.length === 0;
      this.#drawBars();
      this.#drawStatus();
      this.#drawPause();
      say(`${plural(fresh.length, 'older trace')} added`);
      this.#rows.get(fresh[0]?.trace_id)?.link.focus();
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error) {
    if (error.name === 'AbortError') return;
    this.note.hidden = false;
    const refused = error instanceof Refused;
    this.note.replaceChildren(el('p', { class: 'bad' },
      refused ? ['The host refused this: ', foreign(error.message)] : 'The host can\u2019t be reached; what is shown is from before. Trying again.'));
  }

  #drawKept(kept) {
    const { traces, bytes: used, bytes_max, evicted } = kept;
    this.kept.replaceChildren(`${plural(traces, 'trace')} kept`, el('span', {}, ` in ${bytes(used)} of ${bytes(bytes_max)}`));
    this.kept.title = evicted > 0 ? `${plural(evicted, 'older trace')} made room; errors stay longest` : 'Errors stay longest when room is needed';
  }

  #drawRows(traces, kept) {
    this.note.hidden = true;
    const before = this.#rows;
    const focused = this.body.contains(document.activeElement) ? document.activeElement.closest('tr')?.dataset.trace : null;
    this.#rows = new Map();
    let fresh = 0;
    traces.forEach((trace, index) => {
      const known = before.get(trace.trace_id);
      // A trace may get its late spans between two looks.
      const same = known && JSON.stringify(known.trace) === JSON.stringify(trace);
      const row = same ? known : this.#row(trace);
      if (same) this.#rows.set(trace.trace_id, known);
      if (!known) fresh += 1;
      if (this.body.children[index] !== row.element) this.body.insertBefore(row.element, this.body.children[index] ?? null);
    });
    while (this.body.children.length > traces.length) this.body.lastElementChild.remove();
    this.filters.offer(traces);
    this.#drawBars();
    this.#drawStatus();
    this.table.hidden = traces.length === 0;
    this.more.hidden = traces.length < PAGE || this.filters.values.sort === 'slowest';
    if (traces.length === 0) this.#drawEmpty(kept);
    this.#drawPause();
    const links = this.#links();
    const current = this.#rows.get(focused)?.link ?? links.find((link) => link.tabIndex === 0) ?? links[0];
    links.forEach((link) => (link.tabIndex = link === current ? 0 : -1));
    if (focused && document.activeElement !== current) current?.focus({ preventScroll: true });
    this.#sayNews(fresh, traces.length);
  }

  #sayNews(fresh, shown) {
    if (this.#first) {
      this.#first = false;
      this.#said = Date.now();
      this.#unsaid = 0;
      say(`${plural(shown, 'trace')} shown`);
      return;
    }
    this.#unsaid += fresh;
    if (this.#unsaid > 0 && Date.now() - this.#said > SAY_MS) {
      say(`${plural(this.#unsaid, 'new trace')}`);
      this.#said = Date.now();
      this.#unsaid = 0;
    }
  }

  #drawStatus() {
    const rows = [...this.#rows.values()];
    const errors = rows.filter((row) => row.trace.is_error).length;
    const said = [plural(rows.length, 'trace'), `${this.filters.values.sort === 'slowest' ? 'slowest' : 'newest'} first`];
    if (errors > 0) said.push(plural(errors, 'error'));
    this.status.textContent = rows.length === 0 ? '' : said.join(' \u00b7 ');
  }

  #drawEmpty(kept) {
    this.note.hidden = false;
    if (this.filters.narrow) {
      this.note.replaceChildren(
        el('p', { class: 'title' }, 'No kept trace is like that'),
        el('p', {}, 'Loosen a filter, or ',
          el('button', { type: 'button', class: 'inline', onclick: () => this.filters.set({}) }, 'clear all of them'), '. ',
          kept.traces > 0 ? `${plural(kept.traces, 'trace')} ${kept.traces === 1 ? 'is' : 'are'} kept.` : ''));
      return;
    }
    const line = `curl -XPOST http://${location.hostname}:8000/checkout -H 'content-type: application/json' \\\n     -d '{"item":"headphones","quantity":1,"price":99.99}'`;
    if (this.note.querySelector('pre')?.textContent === line) return;
    this.note.replaceChildren(
      el('p', { class: 'title' }, 'Nothing has happened yet'),
      el('p', {}, 'Buy something, and it stands here a moment later. With the demo\u2019s shop (its port is on the line that till printed at its start):'),
      el('div', { class: 'shell' }, el('pre', { tabindex: '0' }, line), copyButton(line, 'Copy')),
      el('p', {}, 'Then try ', el('code', {}, '3'), ' of ', el('code', {}, 'smartphone'), ', which is slow, and ', el('code', {}, '2'), ' of ', el('code', {}, 'laptop'), ', which often fails.'));
  }

  #row(trace) {
    const { trace_id, start_us, name, status, outcome, is_error, spans, plugins, versions, item } = trace;
    const link = el('a', { href: at(`/traces/${trace_id}`), 'data-link': true, tabindex: '-1' }, cut(name));
    const went = el('span', { class: is_error ? 'went failed' : `went ${status >= 400 ? 'refused' : ''}` },
      is_error && el('span', { 'aria-hidden': 'true' }, '\u2715 '),
      status ?? (is_error ? '' : '\u2013'),
      is_error && el('span', { class: status ? 'unseen' : '' }, ' error'));
    const bar = el('span', { class: 'meter', 'aria-hidden': 'true' });
    const element = el('tr', { class: is_error ? 'is-error' : '', data: { trace: trace_id } },
      el('td', { class: 'time', title: day(start_us) }, clock(start_us, false), el('span', { class: 'ms' }, clock(start_us).slice(8))),
      el('td', { class: 'name' }, link, item && cut(item, { class: 'also' })),
      el('td', { class: 'c-item' }, item === undefined || item === null ? '' : cut(item)),
      el('td', {}, went),
      el('td', { class: 'c-outcome' }, outcome === undefined || outcome === null ? '' : cut(outcome, { class: outcome === 'ok' ? 'dim' : '' })),
      el('td', { class: 'number' }, el('div', { class: 'duration' }, bar, el('span', {}, duration(trace.duration_us)))),
      el('td', { class: 'number c-spans' }, whole(spans)),
      el('td', { class: 'c-plugins' }, foreign((versions ?? []).map(versionName).join(' \u00b7 '), { class: 'cut dim', title: (plugins ?? []).map((plugin) => visible(plugin)).join('\n') })),
      el('td', { class: 'c-id' }, el('code', {}, trace_id.slice(0, 8))));
    element.addEventListener('click', (event) => {
      if (event.target.closest('a') || String(getSelection()) !== '') return;
      link.click();
    });
    const row = { trace, element, link, bar };
    this.#rows.set(trace_id, row);
    return row;
  }

  /** A duration's bar is its share of the longest shown, on a scale of decades: 1 ms must show beside 2 s. */
  #drawBars() {
    const rows = [...this.#rows.values()];
    const longest = Math.max(1000, ...rows.map((row) => row.trace.duration_us));
    for (const { bar, trace } of rows) {
      const share = Math.log10(1 + trace.duration_us / 100) / Math.log10(1 + longest / 100);
      bar.style.setProperty('--share', share.toFixed(3));
    }
  }

  #links() {
    return [...this.#rows.values()].map((row) => row.link);
  }

  #key = (event) => {
    if (!isForPage(event)) return;
    if (event.key === '/') {
      event.preventDefault();
      this.filters.focus();
      return;
    }
    const links = this.#links();
    const at = links.indexOf(document.activeElement);
    const vertical = event.key.startsWith('Arrow') || event.key === 'Home' || event.key === 'End';
    // Arrow keys scroll as ever until a row has the focus; the letters always move.
    if (links.length === 0 || (vertical && at < 0)) return;
    const current = links.findIndex((link) => link.tabIndex === 0);
    const to = {
      j: at < 0 ? Math.max(0, current) : at + 1, ArrowDown: at + 1,
      k: at < 0 ? Math.max(0, current) : at - 1, ArrowUp: at - 1,
      Home: 0, End: links.length - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = links[Math.min(links.length - 1, Math.max(0, to))];
    links.forEach((link) => (link.tabIndex = link === next ? 0 : -1));
    next.focus();
  };

  async #loadCharts() {
    try {
      this.charts.draw(await read('/recent/charts'));
    } catch (error) {
      // The list says when the host is away; charts come back with it.
      if (error instanceof Refused) this.charts.refused(error.message);
    }
  }
}
