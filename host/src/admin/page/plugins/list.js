// All plugins: what is tried, what is live at each hook in its order, how to deploy, the history.

import { live as again } from '../frame/live.js';
import { say } from '../frame/say.js';
import { clock, cut, day, el, foreign, plural, whole } from '../frame/text.js';
import { approvalsSheet } from './approvals.js';
import { change, order, rollBack, uninstall } from './changes.js';
import { before, load, madeLive } from './data.js';
import { deploySheet } from './deploy.js';
import { rolloutSheet } from './rollout.js';
import { age, named, percent, place, settingsList, versionLink } from './words.js';

const EVERY_MS = 3000;
const EVENTS_SHOWN = 20;

/** Shows the list in `main`; returns what ends it. */
export function showPlugins(main, go) {
  return new List(main, go).leave;
}

class List {
  constructor(main) {
    document.title = 'Plugins \u00b7 Till';
    this.data = { live: [], versions: [], events: [], rollout: null, differences: { count: 0, differences: [] }, approvals: [] };
    this.count = el('span', { class: 'dim' }, 'Reading\u2026');
    this.result = el('p', { class: 'outcome', role: 'status' });
    this.body = el('div', {});
    this.deploy = deploySheet(() => this.data.live, (said) => this.#changed(said));
    this.history = el('div', {});
    main.append(el('div', { class: 'plugins' }, el('div', { class: 'titleline' }, el('h1', {}, 'Plugins'), this.count), this.result, this.body, this.deploy, this.history));
    this.leave = again((signal) => this.#load(signal), EVERY_MS);
  }

  async #load(signal) {
    try {
      this.data = await load(signal);
      if (!signal?.aborted) this.#draw();
    } catch (error) {
      if (error.name !== 'AbortError') this.count.replaceChildren(el('span', { class: 'bad' }, foreign(error.message)));
    }
  }

  async #changed(said) {
    if (said === null) return;
    this.result.replaceChildren(foreign(said));
    await this.#load();
  }

  #draw() {
    const { live, rollout, differences, approvals } = this.data;
    const hooks = [...new Set(live.map(({ kind }) => kind))];
    this.count.textContent = `${whole(live.length)} live at ${plural(hooks.length, 'hook')}`;
    const beside = rollout && live.find((plugin) => place(plugin) === place(rollout.version));
    const isOpen = rollout && ['running', 'paused'].includes(rollout.state);
    keepingFocus(() => {
      this.body.replaceChildren(...[
        isOpen && rolloutSheet(rollout, beside, differences, (said) => this.#changed(said)),
        approvalsSheet(approvals, (said) => this.#changed(said)),
        ...hooks.map((kind) => this.#hook(kind, live.filter((plugin) => plugin.kind === kind))),
        rollout && !isOpen && rolloutSheet(rollout, beside, { count: 0, differences: [] }, () => {}),
      ].filter(Boolean));
      this.history.replaceChildren(this.#history());
    });
    const places = live.map(place).join(' ');
    if (this.places !== places) {
      this.places = places;
      const anew = deploySheet(() => this.data.live, (said) => this.#changed(said));
      this.deploy.replaceWith(anew);
      this.deploy = anew;
    }
  }

  #hook(kind, installed) {
    const names = installed.map(({ installation }) => installation);
    return el('section', { class: 'sheet', 'aria-labelledby': `hook-${kind}` },
      el('div', { class: 'head' }, el('h2', { id: `hook-${kind}` }, kind), el('span', { class: 'status' }, installed.length > 1 ? `${whole(installed.length)} installed, asked in this order` : '')),
      el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': `Live at ${kind}` }, el('table', { class: 'rows' },
        el('thead', {}, el('tr', {}, ['Plugin', 'Since', 'By', 'Why', 'Settings', 'Calls', 'Faults', 'Before', ''].map((name, index) => el('th', { scope: 'col', class: [5, 6].includes(index) ? 'number' : null }, name || el('span', { class: 'unseen' }, 'Changes'))))),
        el('tbody', {}, installed.map((plugin, index) => this.#row(plugin, names, index))))));
  }

  #row(plugin, names, index) {
    const { versions, events } = this.data;
    const own = versions.find(({ id }) => id === plugin.number);
    const earlier = before(plugin, versions);
    const made = madeLive(plugin.number, events);
    const calls = own?.calls;
    const all = calls && calls.sold + calls.refused + calls.failed;
    const beforeCalls = earlier?.calls;
    const beforeAll = beforeCalls && beforeCalls.sold + beforeCalls.refused + beforeCalls.failed;
    const isWorse = all > 0 && beforeAll > 0 && calls.faults / all > beforeCalls.faults / beforeAll;
    const button = (label, key, act, more = {}) => el('button', { type: 'button', class: 'quiet', 'data-keep': `${key}-${place(plugin)}`, onclick: async () => this.#changed(await act()), ...more }, label);
    const moved = (by) => {
      const next = [...names];
      next.splice(index + by, 0, ...next.splice(index, 1));
      return next;
    };
    return el('tr', {},
      el('th', { scope: 'row' }, plugin.installation && [el('strong', {}, cut(plugin.installation)), ' '], versionLink(plugin),
        plugin.breaker === 'open' && el('div', { class: 'state bad' }, 'keeps breaking, and isn\u2019t called for what breaks it')),
      el('td', {}, made ? el('time', { title: day(made.at_ms * 1000) }, age(Date.now() - made.at_ms)) : '\u2013'),
      el('td', {}, made ? cut(made.changed_by) : '\u2013'),
      el('td', { class: 'wraps' }, made ? foreign(made.detail, { class: 'clamp' }) : '\u2013'),
      el('td', {}, settingsList(own?.settings ?? {})),
      el('td', { class: 'number' }, all === undefined ? '\u2013' : whole(all)),
      el('td', { class: 'number' }, el('span', { class: isWorse ? 'state bad' : null }, all === undefined ? '\u2013' : percent(calls.faults, all))),
      el('td', {}, earlier ? [versionLink(earlier), ` ${beforeAll ? percent(beforeCalls.faults, beforeAll) : '\u2013'} faults`] : '\u2013'),
      el('td', {}, el('div', { class: 'buttons' },
        earlier && button(`Roll back to #${earlier.id}`, 'back', () => rollBack(plugin, earlier)),
        button('Settings', 'set', () => change(plugin), { 'aria-label': `Change settings of ${place(plugin)}` }),
        index > 0 && button('Ask earlier', 'up', () => order(plugin.kind, moved(-1)), { 'aria-label': `Ask ${plugin.installation} earlier` }),
        names.length > 1 && index < names.length - 1 && button('Ask later', 'down', () => order(plugin.kind, moved(1)), { 'aria-label': `Ask ${plugin.installation} later` }),
        plugin.installation && button('Uninstall', 'off', () => uninstall(plugin), { 'aria-label': `Uninstall ${plugin.installation}` }))));
  }

  #history() {
    const { events, versions } = this.data;
    return el('section', { class: 'sheet', 'aria-labelledby': 'history-title' },
      el('div', { class: 'head' }, el('h2', { id: 'history-title' }, 'History'), el('span', { class: 'status' }, 'who changed what, the newest first')),
      el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Changes, the newest first' }, el('table', { class: 'rows' },
        el('thead', {}, el('tr', {}, ['At', 'Change', 'Where', 'Version', 'By', 'Detail'].map((name) => el('th', { scope: 'col' }, name)))),
        el('tbody', {}, events.slice(0, EVENTS_SHOWN).map((event) => {
          const version = versions.find(({ id }) => id === event.version);
          return el('tr', {}, el('td', {}, el('time', { title: day(event.at_ms * 1000) }, clock(event.at_ms * 1000, false))),
            el('th', { scope: 'row' }, event.action.replace('_', ' ')), el('td', {}, event.kind ? place(event) : '\u2013'),
            el('td', {}, version ? versionLink(version) : '\u2013'), el('td', {}, cut(event.changed_by)), el('td', { class: 'wraps' }, foreign(event.detail, { class: 'clamp' })));
        })))),
      events.length > EVENTS_SHOWN && el('p', { class: 'line dim' }, `${whole(events.length - EVENTS_SHOWN)} more: till plugin history`));
  }
}

/** Draws anew, and leaves the focus where it was. */
function keepingFocus(draw) {
  const kept = document.activeElement?.dataset?.keep;
  const scrolled = [...document.querySelectorAll('.plugins .scroll')].map((one) => one.scrollLeft);
  draw();
  [...document.querySelectorAll('.plugins .scroll')].forEach((one, index) => (one.scrollLeft = scrolled[index] ?? 0));
  if (kept) document.querySelector(`[data-keep="${CSS.escape(kept)}"]`)?.focus({ preventScroll: true });
}
