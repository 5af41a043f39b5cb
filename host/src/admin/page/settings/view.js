// Settings: every one with its value, where that is from, its default and its reason.

import { read } from '../frame/api.js';
import { Narrowing, why } from '../frame/form.js';
import { el, foreign, plural } from '../frame/text.js';

export const settings = {
  name: 'Settings',
  key: 'e',
  path: '/console/settings',
  keys: [],
  show: showSettings,
};

function showSettings(main) {
  document.title = 'Settings \u00b7 Till';
  const asked = new AbortController();
  const status = el('p', { class: 'status', role: 'status' });
  const body = el('tbody');
  const note = el('div', { class: 'note', hidden: true });
  let all = [];
  const draw = () => {
    const { text = '', which = '' } = narrowing.values;
    const has = (setting) => [setting.key, setting.value, setting.source, setting.reason].some((part) => part.toLowerCase().includes(text.toLowerCase()));
    const rows = all.filter((setting) => has(setting) && (which !== 'set' || !setting.is_default));
    body.replaceChildren(...rows.map(drawn));
    status.textContent = `${plural(rows.length, 'setting')} of ${all.length} \u00b7 ${all.filter((setting) => !setting.is_default).length} set`;
  };
  const narrowing = new Narrowing('/console/settings', 'Narrow the settings', [
    { name: 'text', label: 'Text', hint: 'key, value, source or reason' },
    { name: 'which', label: 'Which', options: [['', 'all'], ['set', 'those that were set']] },
  ], draw);
  main.append(
    el('div', { class: 'titleline' }, el('h1', {}, 'Settings'), el('p', { class: 'dim' }, 'Read at the start, from flags over the environment over till.toml. Plugins have their own, in Plugins.')),
    narrowing.element,
    el('section', { class: 'sheet', 'aria-label': 'Settings' }, el('div', { class: 'head' }, status),
      el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'All settings' }, el('table', { class: 'rows settings' },
        el('thead', {}, el('tr', {}, ['Setting', 'Value', 'From', 'Default', 'What for'].map((label) => el('th', { scope: 'col' }, label)))), body)), note));
  read('/settings', asked.signal).then((listed) => {
    all = listed.settings;
    draw();
  }, (error) => {
    const told = why(error);
    note.hidden = told === null;
    if (told) note.replaceChildren(told);
  });
  return () => {
    asked.abort();
    narrowing.leave();
  };
}

function drawn({ key, value, source, is_default, default: usual, unit, reason, past }) {
  return el('tr', {},
    el('th', { scope: 'row' }, el('code', {}, foreign(key))),
    el('td', { class: 'wraps' }, value === '' ? el('span', { class: 'dim' }, 'none') : el('code', { class: is_default ? '' : 'state good' }, foreign(value)), unit && el('span', { class: 'dim' }, ` ${unit}`)),
    el('td', {}, foreign(source, { class: is_default ? 'dim' : '' })),
    el('td', {}, is_default ? '' : el('code', { class: 'dim' }, foreign(usual))),
    el('td', { class: 'wraps dim' }, code(past === '' ? reason : `${reason}; past it: ${past}`)));
}

/** Returns the text with what stands in backticks as code. */
function code(text) {
  return text.split('`').map((part, index) => (index % 2 === 1 ? el('code', {}, foreign(part)) : foreign(part)));
}
