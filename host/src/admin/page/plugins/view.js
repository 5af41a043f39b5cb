// Plugins: what is live, what is tried and what was changed at its path; one version below it.

import { showPlugins } from './list.js';
import { showVersion } from './version.js';

export const plugins = {
  name: 'Plugins',
  key: 'p',
  path: '/console/plugins',
  keys: [['Tab', 'From a version to its changes'], ['Esc', 'From a version to the list']],
  show: (main, [number], go) => (number ? showVersion(main, number, go) : showPlugins(main, go)),
};
