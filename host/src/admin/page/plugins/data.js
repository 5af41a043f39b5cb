// What the plugins' views read of the host.

import { read } from '../frame/api.js';
import { place } from './words.js';

/** Returns everything about the plugins: what is live, all versions, the history, the rollout and what waits for a second person. */
export async function load(signal) {
  const [{ plugins }, { versions }, { events }, { rollouts }, differences, { approvals }] = await Promise.all([
    read('/plugins', signal), read('/plugins/versions?limit=500', signal), read('/plugins/history?limit=200', signal),
    read('/plugins/rollouts?limit=1', signal), read('/plugins/rollout/differences', signal), read('/plugins/approvals?limit=100', signal),
  ]);
  return { live: plugins, versions, events, rollout: rollouts[0] ?? null, differences, approvals };
}

/** Returns the version that a rollback at that place returns to: the last that was live there and wasn't withdrawn. */
export function before(live, versions) {
  return versions.find((version) => place(version) === place(live) && version.state === 'former' && version.id !== live.number) ?? null;
}

const MADE_LIVE = ['start', 'deploy', 'install', 'set', 'rollback', 'promoted', 'promote', 'reconcile'];

/** Returns the event that made the version live, or else the newest about it. */
export function madeLive(number, events) {
  const about = events.filter(({ version }) => version === number);
  return about.find(({ action }) => MADE_LIVE.includes(action)) ?? about[0] ?? null;
}
