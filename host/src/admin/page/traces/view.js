// Traces: the list at its path, a trace below it.

import { showTrace } from '../trace/trace.js';
import { showList } from './list.js';

export const traces = {
  name: 'Traces',
  key: 't',
  path: '/traces',
  keys: [
    ['j k', 'The next row, the one before'], ['Enter', 'Open it'], ['/', 'Filter the list, or find in the trace'],
    ['Esc', 'From a trace to the list'],
  ],
  show: (main, [id], go) => (id ? showTrace(main, id, go) : showList(main, go)),
};
