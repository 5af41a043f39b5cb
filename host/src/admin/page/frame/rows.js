// A table whose rows are links: one row is in the order of Tab, arrows and letters go from one to the next.

import { isForPage } from './keys.js';
import { el } from './text.js';

/** The keys of a table of rows, for a view's `keys`. */
export const ROW_KEYS = [['j k', 'The next row, the one before'], ['Enter', 'Open it']];

/**
 * Returns a table in a place of its own that scrolls, as `{element, body, draw, leave}`. `columns` are `[label, class]`;
 * `draw` takes the rows, of which each has one link with `data-row`.
 */
export function rowsTable(caption, columns) {
  const body = el('tbody');
  const table = el('table', { class: 'rows' },
    el('caption', { class: 'unseen' }, caption),
    el('thead', {}, el('tr', {}, columns.map(([label, name]) => el('th', { scope: 'col', class: name }, label)))),
    body);
  const links = () => [...body.querySelectorAll('a[data-row]')];
  const focus = (link) => {
    for (const other of links()) other.tabIndex = other === link ? 0 : -1;
    link?.focus();
  };
  const key = (event) => {
    if (!isForPage(event)) return;
    const all = links();
    const at = all.indexOf(document.activeElement);
    const isArrow = ['ArrowDown', 'ArrowUp', 'Home', 'End'].includes(event.key);
    // Arrow keys scroll as ever until a row has the focus; the letters always move.
    if (all.length === 0 || (isArrow && at < 0)) return;
    const current = Math.max(0, all.findIndex((link) => link.tabIndex === 0));
    const to = {
      j: at < 0 ? current : at + 1, ArrowDown: at + 1, k: at < 0 ? current : at - 1, ArrowUp: at - 1,
      Home: 0, End: all.length - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    focus(all[Math.min(all.length - 1, Math.max(0, to))]);
  };
  document.addEventListener('keydown', key);
  return {
    element: el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': `${caption.split(/[.,]/)[0]}, as a table` }, table),
    body,
    draw(rows) {
      const focused = document.activeElement?.closest?.('tr')?.dataset.key;
      body.replaceChildren(...rows);
      const all = links();
      const kept = all.find((link) => focused !== undefined && link.closest('tr').dataset.key === focused);
      for (const link of all) link.tabIndex = link === (kept ?? all[0]) ? 0 : -1;
      kept?.focus({ preventScroll: true });
    },
    leave: () => document.removeEventListener('keydown', key),
  };
}
