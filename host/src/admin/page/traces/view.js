// Traces: the list at its path, a trace, or two, below it.

import { showComparison } from '../trace/compare.js';
import { showTrace } from '../trace/trace.js';
import { showList } from './list.js';

// No trace has this id.
const COMPARE = 'compare';

export const traces = {
  name: 'Traces',
  key: 't',
  path: '/traces',
  keys: [
    ['j k', 'The next row, the one before'], ['Enter', 'Open it'], ['x', 'Mark a row; two that are marked can be compared'],
    ['/', 'To the query, or find in the trace'], ['n p', 'In a trace: the next of the list, the one before'], ['Esc', 'From a trace to the list'],
  ],
  show: (main, [id], go) => {
    if (!id) return showList(main, go);
    return id === COMPARE ? showComparison(main, go) : showTrace(main, id, go);
  },
};
