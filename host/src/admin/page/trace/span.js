// What is known about the selected span.

import { ownTime } from './model.js';
import { clock, cut, day, duration, el, foreign, long, visible, whole } from '../frame/text.js';
import { MAKERS } from './waterfall.js';

// Said elsewhere in the panel.
const SHOWN_APART = new Set(['error', 'otel.status_code', 'otel.status_description', 'plugin.span']);

export class SpanPanel {
  constructor(trace, onSelect) {
    this.trace = trace;
    this.onSelect = onSelect;
    this.body = el('div', { class: 'panelbody' });
    this.element = el('section', { class: 'panel span', 'aria-labelledby': 'span-title' }, this.body);
  }

  show(span) {
    const attributes = span.attributes.filter(([key]) => !SHOWN_APART.has(key)).sort(([a], [b]) => (a < b ? -1 : 1));
    const others = span.events.filter((event) => event.name !== 'exception');
    this.body.replaceChildren(
      el('div', { class: 'panelhead' }, el('h2', { id: 'span-title' }, foreign(span.name, { class: 'clamp', title: visible(span.name).slice(0, 2000) }))),
      visible(span.name).length > 100 ? el('details', {}, el('summary', {}, 'Whole name'), long(span.name)) : '',
      el('p', { class: 'brief' },
        el('span', { class: `maker ${span.maker}` }, el('i', { 'aria-hidden': 'true' }, MAKERS[span.maker].sign), MAKERS[span.maker].title),
        span.service && [' \u00b7 ', foreign(span.service, { class: 'cut' })]),
      el('dl', { class: 'times' },
        this.#time('Duration', duration(span.duration_us)),
        this.#time('Own time', duration(ownTime(span))),
        this.#time('Begins', `+${duration(span.start_us - this.trace.start_us)}`, day(span.start_us)),
        this.#time('Log lines', whole(span.lines.length))),
      span.isError ? this.#failure(span) : '',
      ...span.warnings.map((warning) => el('p', { class: 'bad' }, foreign(warning))),
      el('h3', {}, 'Attributes ', el('span', { class: 'count' }, whole(attributes.length))),
      attributes.length === 0 ? el('p', { class: 'dim' }, 'None.') : pairs(attributes),
      ...(others.length === 0 ? [] : [
        el('h3', {}, 'Events ', el('span', { class: 'count' }, whole(others.length))),
        el('ol', { class: 'events' }, others.map((event) => this.#event(event, span)))]));
    this.element.scrollTop = 0;
  }

  #time(label, value, title) {
    return el('div', {}, el('dt', {}, label), el('dd', { title }, value));
  }

  #failure(span) {
    return el('div', { class: 'failure' },
      el('h3', {}, '\u2715 Error'),
      span.why !== null && el('p', { class: 'why' }, long(span.why)),
      span.exceptions.map((exception) => {
        const of = (key) => exception.fields.find(([name]) => name === key)?.[1];
        const trace = of('exception.stacktrace');
        const rest = exception.fields.filter(([key]) => !key.startsWith('exception.'));
        return el('div', { class: 'exception' },
          el('p', {}, el('b', {}, 'Exception'), ' ', el('code', {}, foreign(of('exception.type') ?? '')), ' ', el('span', { class: 'dim' }, `at +${duration(Math.max(0, exception.time_us - this.trace.start_us))}`)),
          of('exception.message') !== undefined && of('exception.message') !== span.why && el('p', { class: 'why' }, long(of('exception.message'))),
          trace !== undefined && el('div', { class: 'stack' }, long(trace)),
          rest.length > 0 && pairs(rest));
      }),
      span.why === null && span.exceptions.length === 0 && el('p', { class: 'dim' }, 'It says no more than that.'));
  }

  #event(event, span) {
    return el('li', {},
      el('p', {}, el('time', { title: clock(event.time_us) }, `+${duration(Math.max(0, event.time_us - span.start_us))}`), ' ', el('b', {}, cut(event.name))),
      event.fields.length > 0 && pairs(event.fields));
  }
}

function pairs(of) {
  return el('dl', { class: 'pairs' }, of.map(([key, value]) =>
    el('div', {}, el('dt', {}, foreign(key, { class: 'clamp' })), el('dd', {}, long(typeof value === 'string' ? value : JSON.stringify(value) ?? '')))));
}
