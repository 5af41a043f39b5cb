// Deploys a file: live at once, as a canary or as a shadow, or installs it at a hook that may have several.

import { send } from '../frame/api.js';
import { bytes, el, foreign } from '../frame/text.js';
import { confirmed } from './confirm.js';
import { place, told } from './words.js';

const HOOKS = ['cart-transform', 'validation', 'discounts', 'delivery-options', 'delivery-discounts', 'delivery-menu', 'tax', 'payment-menu'];

/** Returns the sheet; `live` returns what is live, `changed` is told what a change came to. */
export function deploySheet(live, changed) {
  return new Deploy(live, changed).element;
}

class Deploy {
  constructor(live, changed) {
    this.live = live;
    this.changed = changed;
    this.file = el('input', { type: 'file', id: 'deploy-file', accept: '.wasm,application/wasm', required: true, onchange: () => this.#update() });
    this.place = el('select', { id: 'deploy-place', onchange: () => this.#update() });
    this.how = el('select', { id: 'deploy-how', onchange: () => this.#update() },
      el('option', { value: 'live' }, 'live for every request'), el('option', { value: 'canary' }, 'as a canary'), el('option', { value: 'shadow' }, 'as a shadow, without effect'));
    this.share = el('input', { type: 'text', id: 'deploy-share', inputmode: 'decimal', value: '10', oninput: () => this.#update() });
    this.hook = el('select', { id: 'deploy-hook', onchange: () => this.#update() }, HOOKS.map((hook) => el('option', { value: hook }, hook)));
    this.name = el('input', { type: 'text', id: 'deploy-name', autocomplete: 'off', spellcheck: 'false', placeholder: 'spring', oninput: () => this.#update() });
    this.settings = el('textarea', { id: 'deploy-settings', rows: '3', spellcheck: 'false', placeholder: 'percent=10' });
    this.button = el('button', { type: 'submit', class: 'main' }, 'Deploy');
    this.bad = el('p', { class: 'bad', role: 'alert' });
    const field = (id, label, input) => el('div', { class: 'field' }, el('label', { for: id }, label), input);
    this.fields = {
      how: field('deploy-how', 'It becomes', this.how), share: field('deploy-share', 'Share of the requests, percent', this.share),
      hook: field('deploy-hook', 'Hook', this.hook), name: field('deploy-name', 'Name of the installation', this.name),
      settings: field('deploy-settings', 'Settings, a line each: key=value', this.settings),
    };
    this.element = el('section', { class: 'sheet deploy', 'aria-labelledby': 'deploy-title' },
      el('div', { class: 'head' }, el('h2', { id: 'deploy-title' }, 'Deploy a file')),
      el('form', { onsubmit: (event) => this.#submit(event) },
        field('deploy-file', 'The plugin\u2019s component (.wasm)', this.file), field('deploy-place', 'Where', this.place), Object.values(this.fields),
        el('div', { class: 'field' }, this.button)), this.bad);
    this.update();
  }

  /** Offers the places that there are now. */
  update() {
    const chosen = this.place.value;
    const places = this.live().map(place);
    this.place.replaceChildren(el('option', { value: '' }, 'where the file\u2019s hook says'),
      ...places.map((one) => el('option', { value: one }, one)), el('option', { value: '+' }, 'a new installation'));
    this.place.value = ['+', ...places].includes(chosen) ? chosen : '';
    this.#update();
  }

  #update() {
    const isNew = this.place.value === '+';
    this.fields.how.hidden = isNew;
    this.fields.share.hidden = isNew || this.how.value !== 'canary';
    for (const name of ['hook', 'name', 'settings']) this.fields[name].hidden = !isNew;
    const file = (this.file.files[0]?.name ?? 'the file').slice(0, 60);
    const how = { live: `Make ${file} live`, canary: `Try ${file} on ${this.share.value} %`, shadow: `Try ${file} as a shadow` }[this.how.value];
    this.button.textContent = isNew ? `Install ${file} as ${this.name.value || '\u2026'}` : how;
  }

  async #submit(event) {
    event.preventDefault();
    this.bad.textContent = '';
    const [file] = this.file.files;
    if (!file) return void (this.bad.textContent = 'Choose the plugin\u2019s file first.');
    const set = settingsOf(this.settings.value);
    if (set === null) return void (this.bad.textContent = 'A setting is key=value, on a line of its own.');
    const isNew = this.place.value === '+';
    const [kind, installation] = this.place.value.split('/');
    const stem = file.name.replace(/\.wasm$/, '').slice(0, 64) || 'plugin';
    const sure = `${file.name} (${bytes(file.size)}) is checked, compiled and tried first; if it is refused, nothing changes. `;
    const change = isNew
      ? {
        sentence: `${sure}It then is asked last at ${this.hook.value}, under the name ${this.name.value}.`,
        path: (by) => query('/plugins/install', { kind: this.hook.value, installation: this.name.value, name: stem, set: JSON.stringify(set), ...by }),
      }
      : {
        sentence: sure + {
          live: `It then serves every request${this.place.value ? ` at ${this.place.value}` : ''}, in the place of the version that is live there.`,
          canary: `It then serves ${this.share.value} % of the requests beside the live version, until its gates decide.`,
          shadow: 'It then repeats every request without effect, until its gates decide.',
        }[this.how.value],
        path: (by) => query('/plugins', { name: stem, kind, installation, ...this.#try(), ...by }),
      };
    this.changed(await confirmed({
      title: `${this.button.textContent}?`, sentence: change.sentence, button: this.button.textContent,
      act: async (by) => told(await send('POST', change.path(by), new Blob([file], { type: 'application/wasm' }))),
    }));
  }

  #try() {
    if (this.how.value === 'canary') return { try: JSON.stringify({ canary: Number(this.share.value) }) };
    return this.how.value === 'shadow' ? { try: JSON.stringify({ shadow: true }) } : {};
  }
}

function query(path, values) {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== '');
  return `${path}?${new URLSearchParams(given)}`;
}

/** Returns the settings of the lines; `null` if a line is none. */
export function settingsOf(text) {
  const lines = text.split('\n').map((line) => line.trim()).filter((line) => line !== '');
  if (lines.some((line) => line.indexOf('=') < 1)) return null;
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')).trim(), line.slice(line.indexOf('=') + 1).trim()]));
}
