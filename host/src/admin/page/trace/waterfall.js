// The spans of a trace, as bars over time and as a table. Both select the same span.

import { ownTime } from './model.js';
import { cut, duration, el, foreign, visible, whole } from '../frame/text.js';

// Who made a span, in words, for the eye and for the ear.
export const MAKERS = {
  host: { sign: '\u25a0', word: 'host', title: 'Made by the host' },
  call: { sign: '\u25b6', word: 'plugin call', title: 'A call into a plugin, made by the host' },
  guest: { sign: '\u25c6', word: 'guest', title: 'Made by the plugin itself' },
};

/** A tree whose rows have a bar each. One row has the focus; arrow keys go through them as through any tree. */
export class Waterfall {
  #rows = new Map();
  #folded = new Set();
  #current = null;

  constructor(trace, onSelect, path) {
    this.trace = trace;
    this.onSelect = onSelect;
    this.path = path;
    this.tree = el('div', { class: 'tree', role: 'tree', 'aria-label': 'Spans by time; arrow keys move, left and right fold' }, trace.spans.map((span) => this.#row(span)));
    this.tree.addEventListener('keydown', this.#key);
    const makers = ['host', 'call', 'guest'].filter((maker) => trace.spans.some((span) => span.maker === maker));
    const step = niceStep(trace.duration_us);
    const ticks = [];
    for (let at = 0; at <= trace.duration_us * 0.93; at += step) ticks.push(at);
    const place = (at) => ({ vars: { '--at': (at / trace.duration_us).toFixed(4) } });
    this.element = el('div', { class: 'waterfall' },
      el('div', { class: 'ruler', 'aria-hidden': 'true' },
        el('div', { class: 'makers' }, makers.map((maker) => el('span', { class: `maker ${maker}` }, el('i', {}, MAKERS[maker].sign), MAKERS[maker].word)), el('span', { class: 'maker onpath' }, el('i'), 'critical path')),
        el('div', { class: 'ticks' }, ticks.map((at) => el('span', place(at), at === 0 ? '0' : duration(at).replace(/\.0+ | /, ' ').replace(/(\.\d*?)0+ /, '$1 '))))),
      el('div', { class: 'lanes' }, el('div', { class: 'gridlines', 'aria-hidden': 'true' }, el('div', {}, ticks.slice(1).map((at) => el('i', place(at))))), this.tree));
  }

  #row(span) {
    const { start_us, duration_us } = this.trace;
    const from = (span.start_us - start_us) / duration_us;
    const share = Math.max(0, Math.min(1, span.duration_us / duration_us));
    const maker = MAKERS[span.maker];
    const fold = el('span', { class: 'fold', 'aria-hidden': 'true' }, span.children.length > 0 ? '\u25be' : '');
    const remote = span.parent !== null && span.service !== span.parent.service;
    const row = el('div', {
      class: `row ${span.maker} ${span.isError ? 'is-error' : ''}`, role: 'treeitem', tabindex: '-1',
      'aria-level': String(span.depth + 1), 'aria-selected': 'false', 'aria-expanded': span.children.length > 0 ? 'true' : null,
      vars: { '--depth': Math.min(span.depth, 12), '--from': from.toFixed(5), '--share': share.toFixed(5) }, data: { span: span.id },
    },
    el('span', { class: 'unseen' }, [visible(span.name).slice(0, 300), span.isError && 'error', span.madeWithout, maker.word, duration(span.duration_us), this.path.own_us.has(span) && `${duration(this.path.own_us.get(span))} on the critical path`, `at ${duration(span.start_us - start_us)}`].filter(Boolean).join(', ')),
    el('div', { class: 'what', 'aria-hidden': 'true' },
      fold, el('span', { class: `maker ${span.maker}`, title: maker.title }, el('i', {}, maker.sign)),
      cut(span.name, { class: 'spanname' }),
      span.isError && el('span', { class: 'tag failed' }, '\u2715', el('span', {}, '\u00a0error')),
      remote && el('span', { class: 'tag' }, foreign(span.service, { class: 'cut' })),
      span.maker === 'guest' && el('span', { class: 'tag guest' }, 'guest'),
      span.madeWithout && el('span', { class: 'tag', title: 'The price was made without these; the events say why' }, span.madeWithout),
      span.maker === 'call' && el('span', { class: 'tag call', title: visible(span.plugin) }, foreign(span.plugin, { class: 'cut' }))),
    el('div', { class: 'when', 'aria-hidden': 'true' },
      el('span', { class: 'bar' }), this.#waitedFor(span), this.#dots(span)),
    el('div', { class: 'took', 'aria-hidden': 'true' }, duration(span.duration_us)));
    fold.addEventListener('click', (event) => {
      event.stopPropagation();
      this.#fold(span, !this.#folded.has(span));
    });
    row.addEventListener('click', () => this.onSelect(span, { focus: true }));
    this.#rows.set(span, row);
    return row;
  }

  /** Where the span is on the critical path. */
  #waitedFor(span) {
    return (this.path.segments.get(span) ?? []).slice(0, 64).map(([from, to]) => el('span', {
      class: 'critical', title: 'Critical path: the rest waited for this',
      vars: { '--from': ((from - this.trace.start_us) / this.trace.duration_us).toFixed(5), '--share': ((to - from) / this.trace.duration_us).toFixed(5) },
    }));
  }

  /** Events, where they happened. */
  #dots(span) {
    return span.events.slice(0, 64).map((event) => {
      const at = Math.max(0, Math.min(1, (event.time_us - this.trace.start_us) / this.trace.duration_us));
      return el('span', { class: event.name === 'exception' ? 'dot failed' : 'dot', title: visible(event.name).slice(0, 200), vars: { '--at': at.toFixed(5) } });
    });
  }

  select(span, focus) {
    for (let above = span.parent; above; above = above.parent) if (this.#folded.has(above)) this.#fold(above, false);
    if (this.#current) {
      const before = this.#rows.get(this.#current);
      before.setAttribute('aria-selected', 'false');
      before.tabIndex = -1;
    }
    this.#current = span;
    const row = this.#rows.get(span);
    row.setAttribute('aria-selected', 'true');
    row.tabIndex = 0;
    if (focus) row.focus();
  }

  /** Shows which spans were searched for: null is no search. */
  mark(hits) {
    for (const [span, row] of this.#rows) row.classList.toggle('missed', hits !== null && !hits.has(span));
  }

  foldAll(folded) {
    for (const span of this.trace.spans) {
      // The roots stay open, or nothing would be left.
      if (span.children.length > 0 && span.depth > 0) this.#fold(span, folded, true);
    }
    this.#hide();
    if (this.#current && this.#rows.get(this.#current).hidden) {
      let seen = this.#current;
      while (this.#rows.get(seen).hidden) seen = seen.parent;
      this.onSelect(seen, {});
    }
  }

  #fold(span, folded, later = false) {
    if (folded) this.#folded.add(span);
    else this.#folded.delete(span);
    const row = this.#rows.get(span);
    row.setAttribute('aria-expanded', String(!folded));
    row.querySelector('.fold').textContent = folded ? '\u25b8' : '\u25be';
    if (!later) this.#hide();
  }

  #hide() {
    const hidden = new Set();
    for (const span of this.trace.spans) {
      const under = span.parent !== null && (hidden.has(span.parent) || this.#folded.has(span.parent));
      if (under) hidden.add(span);
      this.#rows.get(span).hidden = under;
    }
  }

  #key = (event) => {
    if (event.metaKey || event.ctrlKey || event.altKey) return;
    const shown = this.trace.spans.filter((span) => !this.#rows.get(span).hidden);
    const at = shown.indexOf(this.#current);
    const span = this.#current;
    const folded = this.#folded.has(span);
    let to = null;
    switch (event.key) {
      case 'ArrowDown': case 'j': to = shown[at + 1]; break;
      case 'ArrowUp': case 'k': to = shown[at - 1]; break;
      case 'Home': to = shown[0]; break;
      case 'End': to = shown.at(-1); break;
      case 'ArrowRight':
        if (folded) this.#fold(span, false);
        else to = span.children[0];
        break;
      case 'ArrowLeft':
        if (span.children.length > 0 && !folded) this.#fold(span, true);
        else to = span.parent;
        break;
      case 'Enter': case ' ': to = span; break;
      default: return;
    }
    event.preventDefault();
    if (to) this.onSelect(to, { focus: true });
  };
}

/** The same spans without the drawing. */
export class SpanTable {
  #rows = new Map();

  constructor(trace, onSelect) {
    this.element = el('div', { class: 'scroll spantable', tabindex: '0', role: 'region', 'aria-label': 'Spans as a table' }, el('table', {},
      el('caption', { class: 'unseen' }, 'The spans of this trace, parents before children'),
      el('thead', {}, el('tr', {}, ['Span', 'Made by', 'Service', 'Begins', 'Duration', 'Own time', 'Status', 'Attributes', 'Events', 'Lines'].map((head, index) =>
        el('th', { scope: 'col', class: [3, 4, 5, 7, 8, 9].includes(index) ? 'number' : '' }, head)))),
      el('tbody', {}, trace.spans.map((span) => {
        const row = el('tr', { class: span.isError ? 'is-error' : '' },
          el('th', { scope: 'row', vars: { '--depth': Math.min(span.depth, 12) } },
            el('button', { type: 'button', class: 'inline', onclick: () => onSelect(span, {}) }, cut(span.name))),
          el('td', {}, el('span', { class: `maker ${span.maker}` }, el('i', { 'aria-hidden': 'true' }, MAKERS[span.maker].sign), MAKERS[span.maker].word)),
          el('td', {}, cut(span.service)),
          el('td', { class: 'number' }, `+${duration(span.start_us - trace.start_us)}`),
          el('td', { class: 'number' }, duration(span.duration_us)),
          el('td', { class: 'number' }, duration(ownTime(span))),
          el('td', {}, span.isError ? el('span', { class: 'went failed' }, '\u2715 error') : el('span', { class: 'dim' }, 'ok')),
          el('td', { class: 'number' }, whole(span.attributes.length)),
          el('td', { class: 'number' }, whole(span.events.length)),
          el('td', { class: 'number' }, whole(span.lines.length)));
        this.#rows.set(span, row);
        return row;
      }))));
  }

  select(span) {
    for (const [of, row] of this.#rows) {
      row.classList.toggle('selected', of === span);
      row.querySelector('button').setAttribute('aria-pressed', String(of === span));
    }
  }

  mark(hits) {
    for (const [span, row] of this.#rows) row.classList.toggle('missed', hits !== null && !hits.has(span));
  }
}

/** Returns a step of 1, 2 or 5 of a power of ten that gives four to eight ticks. */
function niceStep(us) {
  const rough = us / 5;
  const power = 10 ** Math.floor(Math.log10(Math.max(1, rough)));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough) ?? power * 10;
}
