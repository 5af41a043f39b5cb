// What stands below a trace's spans, in this order. A section is a function of the trace, as model.js returns it, and of the
// signal that ends what it asks for; it returns an element, or null.

import { calls } from './calls.js';
import { neighbours } from './neighbours.js';
import { replay } from './replay.js';

export const SECTIONS = [calls, replay, neighbours];
