// The newest traces, or spans, and finding others: query, figures, heatmap, groups, table.

import { Refused, read } from '../frame/api.js';
import { Charts } from '../charts/charts.js';
import { isForPage } from '../frame/keys.js';
import { say } from '../frame/say.js';
import { bytes, el, foreign, plural } from '../frame/text.js';
import { Choice } from './choice.js';
import { Chosen } from './chosen.js';
import { noneIsLikeThat, nothingYet } from './empty.js';
import { Field } from './field.js';
import { Overview } from './overview.js';
import { Picked } from './picked.js';
import { SpanRow, TraceRow, drawBars } from './rows.js';

const PAGE = 50;
const REFRESH_MS = 2000;
const CHARTS_MS = 5000;
// How often a screen reader is told of new traces, at most.
const SAY_MS = 10_000;
const CHARTS_OPEN = 'till-charts-open';

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
    this.choice = new Choice(() => this.#changed());
    this.field = new Field(this.choice.values.q, (q) => this.choice.set({ q }));
    this.overview = new Overview(this.choice);
    this.picked = new Picked();
    this.chosen = new Chosen(this.choice, this.picked.element);
    const moment = (after_us, before_us) => this.choice.set({ after_us: String(Math.floor(after_us)), before_us: String(Math.ceil(before_us)) });
    this.charts = new Charts(moment);
    main.append(
      el('div', { class: 'titleline' }, el('h1', {}, 'Traces'), (this.kept = el('p', { class: 'kept dim' }))),
      this.field.element,
      this.chosen.element,
      this.overview.element,
      this.#chartsFold(),
      this.#tableSection(),
    );
    this.#drawChosen();
    this.#load();
    this.overview.load();
    this.#timers = [
      setInterval(() => this.#refreshes() && this.#load(), REFRESH_MS),
      setInterval(() => !document.hidden && !this.#paused && this.#loadCharts(), CHARTS_MS),
      setInterval(() => this.#refreshes() && this.overview.loadIfDue(), REFRESH_MS),
    ];
    document.addEventListener('keydown', this.#key);
  }

  leave = () => {
    this.#timers.forEach(clearInterval);
    this.overview.leave();
    this.#asked?.abort();
    this.charts.leave();
    document.removeEventListener('keydown', this.#key);
  };

  /** Returns whether the first page is shown and may change under the reader. */
  #refreshes() {
    return !document.hidden && !this.#paused && this.#older === 0;
  }

  get #isOfSpans() {
    return this.choice.values.view === 'spans';
  }

  #changed() {
    this.#older = 0;
    this.#first = true;
    this.#drawChosen();
    this.#load();
    this.overview.changed();
  }

  /** Draws what the values say. */
  #drawChosen() {
    const { q, after_us, before_us, sort } = this.choice.values;
    this.field.show(q);
    this.field.refuse(null);
    this.chosen.draw();
    for (const [name, header] of Object.entries(this.sorts)) {
      header.setAttribute('aria-sort', (sort || 'newest') === name ? 'descending' : 'none');
    }
    this.heads.replaceChildren(this.#isOfSpans ? this.spanHeads : this.traceHeads);
    this.table.classList.toggle('of-spans', this.#isOfSpans);
    this.charts.showRange(Number(after_us) || null, Number(before_us) || null);
  }

  #chartsFold() {
    this.fold = el('details', { class: 'fold' }, el('summary', {}, 'Charts of the last 15 minutes'), this.charts.element);
    this.fold.open = localStorage.getItem(CHARTS_OPEN) === 'true';
    this.fold.addEventListener('toggle', () => {
      localStorage.setItem(CHARTS_OPEN, String(this.fold.open));
      this.#loadCharts();
    });
    return this.fold;
  }

  // --- the table

  #tableSection() {
    const sortable = (name, label, properties) => {
      const button = el('button', { type: 'button', onclick: () => this.choice.set({ sort: name === 'newest' ? '' : name }) }, label);
      const header = el('th', { scope: 'col', ...properties }, button);
      this.sorts[name] = header;
      return header;
    };
    this.sorts = {};
    this.body = el('tbody');
    const heads = (...cells) => el('tr', {}, ...cells);
    this.traceHeads = heads(
      el('th', { scope: 'col', class: 'c-pick' }, el('span', { class: 'unseen' }, 'Compare')),
      sortable('newest', 'Time', { class: 'time' }),
      el('th', { scope: 'col' }, 'Request'),
      el('th', { scope: 'col', class: 'c-item' }, 'Item'),
      el('th', { scope: 'col', class: 'c-status' }, 'Status'),
      el('th', { scope: 'col', class: 'c-outcome' }, 'Outcome'),
      sortable('slowest', 'Duration', { class: 'number c-took' }),
      el('th', { scope: 'col', class: 'number c-spans' }, 'Spans'),
      el('th', { scope: 'col', class: 'c-plugins' }, 'Plugins'),
      el('th', { scope: 'col', class: 'c-id' }, 'Trace'));
    this.spanHeads = heads(...[['Time', 'time'], ['Span', ''], ['Trace', 'c-item'], ['Error', 'c-outcome'], ['Duration', 'number c-took'], ['Plugin', 'c-plugins']]
      .map(([head, of]) => el('th', { scope: 'col', class: of }, head)));
    this.heads = el('thead', {}, this.traceHeads);
    this.table = el('table', { class: 'traces' },
      el('caption', { class: 'unseen' }, 'Arrow keys, or j and k, go from one to the next, Enter opens it, x marks a trace for comparison.'),
      this.heads, this.body);
    this.pause = el('button', { type: 'button', class: 'live', 'aria-pressed': 'false', onclick: () => this.#togglePause() });
    this.status = el('p', { class: 'status' });
    this.note = el('div', { class: 'note', hidden: true });
    this.more = el('button', { type: 'button', class: 'more', hidden: true, onclick: () => this.#loadOlder() }, 'Show older traces');
    this.#drawPause();
    return el('section', { class: 'list', 'aria-label': 'Traces' },
      el('div', { class: 'listbar' }, this.status,
        el('p', { class: 'keys' }, el('kbd', {}, 'j'), ' ', el('kbd', {}, 'k'), ' move ', el('kbd', {}, 'Enter'), ' opens ', el('kbd', {}, 'x'), ' compares ', el('kbd', {}, '/'), ' query'),
        this.pause),
      this.note, this.table, this.more);
  }

  #togglePause() {
    const stop = !this.#paused && this.#older === 0;
    this.#paused = stop;
    if (!stop) {
      this.#older = 0;
      this.#load();
      this.overview.load();
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

  /** Asks for a page of the list, with more in the query. */
  async #page(more, signal) {
    const { sort } = this.choice.values;
    const path = this.#isOfSpans ? '/recent/spans' : '/recent/traces';
    const asked = this.choice.asked({ ...(this.#isOfSpans ? {} : { sort }), limit: String(PAGE), ...more });
    const { traces, spans, kept } = await read(`${path}?${asked}`, signal);
    return { rows: traces ?? spans, kept };
  }

  async #load() {
    this.#asked?.abort();
    const asked = (this.#asked = new AbortController());
    try {
      const { rows, kept } = await this.#page({}, asked.signal);
      if (asked.signal.aborted) return;
      this.field.refuse(null);
      if (kept) this.#drawKept(kept);
      this.#drawRows(rows, kept);
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
      const { rows } = await this.#page({ before_us: String(last.of.start_us) }, asked.signal);
      if (asked.signal.aborted) return;
      const fresh = rows.filter((of) => !this.#rows.has(keyOf(of)));
      this.#older += 1;
      for (const of of fresh) this.body.append(this.#row(of).element);
      this.more.hidden = rows.length < PAGE || fresh.length === 0;
      drawBars([...this.#rows.values()]);
      this.#drawStatus();
      this.#drawPause();
      say(`${plural(fresh.length, 'older trace')} added`);
      this.#rows.get(fresh[0] && keyOf(fresh[0]))?.link.focus();
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error) {
    if (error.name === 'AbortError') return;
    if (error instanceof Refused && error.status === 422) {
      this.field.refuse(error.message);
      return;
    }
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

  #drawRows(listed, kept) {
    this.note.hidden = true;
    const before = this.#rows;
    const focused = this.body.contains(document.activeElement) ? document.activeElement.closest('tr')?.dataset.key : null;
    this.#rows = new Map();
    let fresh = 0;
    listed.forEach((of, index) => {
      const known = before.get(keyOf(of));
      // A trace may get its late spans between two looks.
      const same = known && JSON.stringify(known.of) === JSON.stringify(of);
      const row = same ? known : this.#row(of);
      if (same) this.#rows.set(keyOf(of), known);
      if (!known) fresh += 1;
      if (this.body.children[index] !== row.element) this.body.insertBefore(row.element, this.body.children[index] ?? null);
    });
    while (this.body.children.length > listed.length) this.body.lastElementChild.remove();
    drawBars([...this.#rows.values()]);
    this.#drawStatus();
    this.table.hidden = listed.length === 0;
    this.more.hidden = listed.length < PAGE || this.choice.values.sort === 'slowest' || this.#isOfSpans;
    if (listed.length === 0) this.#drawEmpty(kept);
    this.#drawPause();
    const links = this.#links();
    const current = this.#rows.get(focused)?.link ?? links.find((link) => link.tabIndex === 0) ?? links[0];
    links.forEach((link) => (link.tabIndex = link === current ? 0 : -1));
    if (focused && document.activeElement !== current) current?.focus({ preventScroll: true });
    this.#sayNews(fresh, listed.length);
  }

  #sayNews(fresh, shown) {
    if (this.#first) {
      this.#first = false;
      this.#said = Date.now();
      this.#unsaid = 0;
      say(`${plural(shown, this.#isOfSpans ? 'span' : 'trace')} shown`);
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
    const what = this.#isOfSpans ? 'span' : 'trace';
    const said = [`${plural(rows.length, what)} shown`, `${this.choice.values.sort === 'slowest' && !this.#isOfSpans ? 'slowest' : 'newest'} first`];
    this.status.textContent = rows.length === 0 ? '' : said.join(' \u00b7 ');
  }

  #drawEmpty(kept) {
    this.note.hidden = false;
    if (this.choice.narrow || this.#isOfSpans) this.note.replaceChildren(...noneIsLikeThat(this.choice, kept));
    else if (!this.note.querySelector('pre')) this.note.replaceChildren(...nothingYet());
  }

  #row(of) {
    const row = this.#isOfSpans ? new SpanRow(of) : new TraceRow(of, this.picked);
    this.#rows.set(keyOf(of), row);
    return row;
  }

  #links() {
    return [...this.#rows.values()].map((row) => row.link);
  }

  #key = (event) => {
    if (!isForPage(event)) return;
    if (event.key === '/') {
      event.preventDefault();
      this.field.focus();
      return;
    }
    if (event.key === 'x') {
      [...this.#rows.values()].find((row) => row.link === document.activeElement)?.pick?.click();
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
    if (!this.fold.open) return;
    try {
      this.charts.draw(await read('/recent/charts'));
    } catch (error) {
      // The list says when the host is away; charts come back with it.
      if (error instanceof Refused) this.charts.refused(error.message);
    }
  }
}

function keyOf(of) {
  return `${of.trace_id}${of.span_id ?? ''}`;
}
