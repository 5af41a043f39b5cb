// The changes of what is live: back to an earlier version, other settings, another order, taking a plugin off.

import { send } from '../frame/api.js';
import { el } from '../frame/text.js';
import { confirmed } from './confirm.js';
import { settingsOf } from './deploy.js';
import { named, place, told, waits } from './words.js';

/** Makes the version live again. */
export function rollBack(live, version) {
  return confirmed({
    title: `Roll back to #${version.id}?`,
    button: `Roll back to #${version.id}`,
    sentence: `${named(version)} serves every request at ${place(live)} from now on, in the place of ${named(live)}, which is withdrawn: it becomes live again only by its number.`,
    act: async (by) => told(await send('POST', `/plugins/${live.kind}/rollback`, { to: version.id, installation: live.installation, ...by })),
  });
}

/** Takes the plugin off its hook. */
export function uninstall(live) {
  return confirmed({
    title: `Uninstall ${live.installation}?`,
    button: `Uninstall ${live.installation}`,
    sentence: `${named(live)} isn\u2019t asked at ${live.kind} any more, from the next request on. Its versions stay, and can be installed again.`,
    act: async ({ by }) => {
      const { approval } = await send('POST', `/plugins/${live.kind}/uninstall`, { installation: live.installation, ...(by && { by }) });
      return `${place(live)} ${approval ? waits(approval) : 'isn\u2019t installed any more'}`;
    },
  });
}

/** Changes the order of a hook's installations. */
export function order(kind, names) {
  return confirmed({
    title: `Change the order at ${kind}?`,
    button: 'Change the order',
    sentence: `${kind} are asked in this order, from the next request on: ${names.join(', ')}.`,
    act: async ({ by }) => {
      const { approval } = await send('POST', `/plugins/${kind}/order`, { installations: names, ...(by && { by }) });
      return approval ? `the order at ${kind} ${waits(approval)}` : `${kind} are asked in this order: ${names.join(', ')}`;
    },
  });
}

/** Changes settings of the live version. */
export function change(live) {
  const lines = el('textarea', { id: 'change-settings', rows: '3', spellcheck: 'false', required: true, placeholder: 'percent=10' });
  return confirmed({
    title: `Change settings of ${place(live)}?`,
    button: 'Change the settings',
    sentence: `A new version of ${named(live)} with these settings serves every request at ${place(live)}. A key without a value returns to the host\u2019s own.`,
    fields: [el('label', { for: 'change-settings' }, 'Settings, a line each: key=value'), lines],
    act: async (by) => {
      const set = settingsOf(lines.value);
      if (set === null || Object.keys(set).length === 0) throw new Error('A setting is key=value, on a line of its own.');
      const changes = Object.fromEntries(Object.entries(set).map(([key, value]) => [key, value === '' ? null : value]));
      return told(await send('POST', `/plugins/${live.kind}/settings`, { set: changes, installation: live.installation, ...by }));
    },
  });
}
