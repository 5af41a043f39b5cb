// The rows of the list: a trace, or a span.

import { at } from '../frame/root.js';
import { clock, cut, day, duration, el, foreign, visible, whole } from '../frame/text.js';
import { versionName } from '../trace/model.js';

/** A trace: `{of, element, link, bar, pick}`. */
export class TraceRow {
  constructor(of, picked) {
    const { trace_id, start_us, name, status, outcome, is_error, spans, plugins, versions, item } = of;
    this.of = of;
    this.link = el('a', { href: at(`/traces/${trace_id}`), 'data-link': true, tabindex: '-1' }, cut(name));
    this.pick = el('input', { type: 'checkbox', tabindex: '-1', 'aria-label': `Compare ${visible(name).slice(0, 80)} of ${clock(start_us)}`, onchange: () => picked.toggle(of, this.pick) });
    this.pick.checked = picked.has(trace_id);
    this.bar = el('span', { class: 'meter', 'aria-hidden': 'true' });
    const went = el('span', { class: is_error ? 'went failed' : `went ${status >= 400 ? 'refused' : ''}` },
      is_error && el('span', { 'aria-hidden': 'true' }, '\u2715 '),
      status ?? (is_error ? '' : '\u2013'),
      is_error && el('span', { class: status ? 'unseen' : '' }, ' error'));
    this.element = el('tr', { class: is_error ? 'is-error' : '', data: { trace: trace_id, key: trace_id } },
      el('td', { class: 'c-pick' }, this.pick),
      timeCell(start_us),
      el('td', { class: 'name' }, this.link, item && cut(item, { class: 'also' })),
      el('td', { class: 'c-item' }, item === undefined || item === null ? '' : cut(item)),
      el('td', { class: 'c-status' }, went),
      el('td', { class: 'c-outcome' }, outcome === undefined || outcome === null ? '' : cut(outcome, { class: outcome === 'ok' ? 'dim' : '' })),
      el('td', { class: 'number c-took' }, el('div', { class: 'duration' }, this.bar, el('span', {}, duration(of.duration_us)))),
      el('td', { class: 'number c-spans' }, whole(spans)),
      el('td', { class: 'c-plugins' }, foreign((versions ?? []).map(versionName).join(' \u00b7 '), { class: 'cut dim', title: (plugins ?? []).map((plugin) => visible(plugin)).join('\n') })),
      el('td', { class: 'c-id' }, el('code', {}, trace_id.slice(0, 8))));
    opens(this.element, this.link);
  }
}

/** A span, which opens its trace at it. */
export class SpanRow {
  constructor(of) {
    const { trace_id, span_id, start_us, name, is_error, error, plugin, number, trace_name, item } = of;
    this.of = of;
    this.link = el('a', { href: at(`/traces/${trace_id}?span=${span_id}`), 'data-link': true, tabindex: '-1' }, cut(name));
    this.bar = el('span', { class: 'meter', 'aria-hidden': 'true' });
    this.element = el('tr', { class: is_error ? 'is-error' : '', data: { trace: trace_id, key: `${trace_id}${span_id}` } },
      timeCell(start_us),
      el('td', { class: 'name' }, this.link, el('span', { class: 'also' }, cut(trace_name))),
      el('td', { class: 'c-item' }, cut(trace_name, { class: 'dim' }), item ? [' ', cut(item)] : ''),
      el('td', { class: 'c-outcome' }, is_error ? el('span', { class: 'went failed' }, '\u2715 ', cut(error ?? 'error')) : ''),
      el('td', { class: 'number c-took' }, el('div', { class: 'duration' }, this.bar, el('span', {}, duration(of.duration_us)))),
      el('td', { class: 'c-plugins' }, plugin === undefined ? '' : cut(`${plugin}${number === undefined ? '' : ` #${number}`}`, { class: 'dim' })));
    opens(this.element, this.link);
  }
}

/** A duration's bar is its share of the longest shown, on a scale of decades: 1 ms must show beside 2 s. */
export function drawBars(rows) {
  const longest = Math.max(1000, ...rows.map((row) => row.of.duration_us));
  for (const { bar, of } of rows) {
    const share = Math.log10(1 + of.duration_us / 100) / Math.log10(1 + longest / 100);
    bar.style.setProperty('--share', share.toFixed(3));
  }
}

function timeCell(start_us) {
  return el('td', { class: 'time', title: day(start_us) }, clock(start_us, false), el('span', { class: 'ms' }, clock(start_us).slice(8)));
}

function opens(element, link) {
  element.addEventListener('click', (event) => {
    if (event.target.closest('a, input') || String(getSelection()) !== '') return;
    link.click();
  });
}
