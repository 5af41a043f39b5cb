// The terms of a query, as text: what the page adds and takes off, in the words that GET /recent/keys explains.

/** Returns the terms of a query, each as it is written, with where it begins and ends. */
export function termsOf(text) {
  const terms = [];
  let from = -1;
  let isQuoted = false;
  for (let at = 0; at <= text.length; at += 1) {
    const sign = text[at];
    const ends = sign === undefined || (!isQuoted && /\s/u.test(sign));
    if (ends && from >= 0) {
      terms.push({ text: text.slice(from, at), from, to: at });
      from = -1;
    }
    if (ends) continue;
    if (from < 0) from = at;
    if (sign === '"') isQuoted = !isQuoted;
    else if (sign === '\\' && isQuoted) at += 1;
  }
  return terms;
}

/** Returns the key of a term; null if it is free text. */
export function keyOf(term) {
  return /^(@[^:"\s]+|[a-z_]+)(?=:)/i.exec(term)?.[1] ?? null;
}

/** Returns the query narrowed by a term. */
export function withTerm(query, term) {
  const terms = termsOf(query).map(({ text }) => text);
  return terms.includes(term) ? terms.join(' ') : [...terms, term].join(' ');
}

/** Returns the query without the terms of a key. */
export function without(query, key) {
  return termsOf(query).map(({ text }) => text).filter((text) => keyOf(text) !== key).join(' ');
}

/** Returns the value of the key's first term; null if there is none. */
export function valueOf(query, key) {
  const term = termsOf(query).find(({ text }) => keyOf(text) === key);
  return term ? term.text.slice(key.length + 1) : null;
}

/** Returns a value as a query has it: in quotes if it needs them. */
export function written(value) {
  const text = String(value);
  return /^[\p{L}\p{N}_\-./#+]+$/u.test(text) && !text.includes('..') ? text : `"${text.replace(/[\\"]/g, '\\$&')}"`;
}

// What no duration is over.
const ENDLESS_US = 1e15;

/** Returns the term of the durations from one to the other, both of them included. */
export function tookTerm(from_us, to_us) {
  return `took:${writtenDuration(from_us)}..${to_us > ENDLESS_US ? '' : writtenDuration(to_us)}`;
}

/** Returns a duration as a query has it, exactly. */
function writtenDuration(us) {
  if (us % 1e6 === 0 && us > 0) return `${us / 1e6}s`;
  return us % 1e3 === 0 && us > 0 ? `${us / 1e3}ms` : `${us}us`;
}
