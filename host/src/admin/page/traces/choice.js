// What the list is narrowed to. It is the URL's query, so that a link shows what its sender saw.

import { at } from '../frame/root.js';
import { withTerm, written } from './terms.js';

const NAMES = ['q', 'after_us', 'before_us', 'sort', 'view', 'panel', 'group'];
// What says how it is shown, not which traces.
const SHOWN = ['sort', 'view', 'panel', 'group'];

// The parameters of GET /recent/traces that links had before there was a query.
const EARLIER = {
  text: (value) => written(value),
  errors: (value) => `error:${value}`,
  min_ms: (value) => `took:${value}ms..`,
  max_ms: (value) => `took:..${value}ms`,
  trace_id: (value) => `trace:${written(value)}`,
  ...Object.fromEntries(['route', 'status', 'outcome', 'plugin', 'item'].map((name) => [name, (value) => `${name}:${written(value)}`])),
};

/** The values that stand in the URL; `onChange` is called with each that is new. */
export class Choice {
  constructor(onChange) {
    this.onChange = onChange;
    this.values = read(location.search);
    if (this.address() !== location.pathname + location.search) history.replaceState(history.state, '', this.address());
  }

  /** Returns whether anything is left out. */
  get narrow() {
    return NAMES.some((name) => !SHOWN.includes(name) && this.values[name]);
  }

  /** Returns the query that the host is asked, with more in it. */
  asked(more = {}) {
    const { q, after_us, before_us } = this.values;
    return parameters({ q, after_us, before_us, ...more });
  }

  /** Returns the list's address, with other values. */
  address(values = {}) {
    const query = parameters({ ...this.values, ...values });
    return at(query === '' ? '/traces' : `/traces?${query}`);
  }

  /** Sets these values and leaves the others. */
  set(values) {
    const address = this.address(values);
    if (address === location.pathname + location.search) return;
    this.values = { ...this.values, ...values };
    history.replaceState(history.state, '', address);
    this.onChange();
  }

  /** Returns the address of the query narrowed by a term. */
  narrowed(term) {
    return this.address({ q: withTerm(this.values.q, term) });
  }

  clear() {
    this.set({ q: '', after_us: '', before_us: '' });
  }
}

/** Returns the values of an address's query. */
export function read(search) {
  const given = new URLSearchParams(search);
  const values = Object.fromEntries(NAMES.map((name) => [name, given.get(name) ?? '']));
  for (const [name, term] of Object.entries(EARLIER)) {
    if (given.get(name)) values.q = withTerm(values.q, term(given.get(name)));
  }
  return values;
}

export function parameters(values) {
  return new URLSearchParams(Object.entries(values).filter(([, value]) => value)).toString();
}
