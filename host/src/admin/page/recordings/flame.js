// A profile as a flame graph, and as a table of its functions. A function's width is its share of the samples; what it called
// stands below it. The arrows go from function to function, Enter shows one at full width, Escape goes back.

import { say } from '../frame/say.js';
import { cut, duration, el, foreign, plural, visible, whole } from '../frame/text.js';

// What is narrower isn't drawn: nobody could point at it.
const SHARE_MIN = 0.002;
const ROWS_MAX = 60;
const FUNCTIONS_MAX = 50;

/** Returns what shows the profile. */
export function flame(profile) {
  return new Flame(profile).element;
}

class Flame {
  constructor(profile) {
    const { root, plugin, calls, cpu_us, has_names } = profile;
    this.root = root;
    this.graph = el('div', { class: 'flame', role: 'tree', 'aria-label': 'Functions, by the way in which they were called' });
    this.graph.addEventListener('keydown', (event) => this.#key(event));
    this.chosen = el('p', { class: 'dim chosen', role: 'status' });
    this.back = el('button', { type: 'button', class: 'quiet', hidden: true, onclick: () => this.#zoom(this.root) }, 'Show all');
    this.element = el('div', { class: 'profile' },
      el('p', {}, el('strong', {}, cut(plugin)), ` ${plural(root.samples, 'sample')} of ${plural(calls, 'call')}, ${duration(cpu_us)} of the plugin\u2019s processor time`),
      root.samples === 0 && el('p', { class: 'note' }, 'The call is too short to be seen at work.'),
      !has_names && root.samples > 0 && el('p', { class: 'state warn' }, 'The file doesn\u2019t name its functions. Build it with their names: in Rust without `strip`, in C, C++ and Go without `-s`, in Zig without `-fstrip`.'),
      root.samples > 0 && [el('div', { class: 'flametools' }, this.chosen, this.back), this.graph, this.#table()]);
    if (root.samples > 0) this.#zoom(root);
  }

  /** Draws the function at full width, with what called it above. */
  #zoom(node, { focus = false } = {}) {
    this.shown = node;
    this.back.hidden = node === this.root;
    this.places = new Map();
    const rows = [];
    const draw = (of, from, width, depth, parent) => {
      if (width < SHARE_MIN || depth >= ROWS_MAX) return;
      const share = of.samples / this.root.samples;
      const text = visible(of.name);
      const box = el('div', {
        role: 'treeitem', tabindex: '-1', class: 'call', 'aria-level': String(depth + 1), 'aria-selected': 'false',
        'aria-label': `${text.slice(0, 200)}, ${percent(share)}`, title: `${text.slice(0, 400)} \u00b7 ${percent(share)}`,
        vars: { '--from': String(from), '--share': String(width), '--row': String(depth), '--tint': String(tint(of.name)) },
        onclick: () => { this.#choose(of, { focus: true }); this.#zoom(of, { focus: true }); },
      }, el('bdi', { dir: 'auto' }, text));
      this.places.set(of, { box, parent, depth });
      rows.push(box);
      let at = from;
      for (const child of of.children) {
        const own = (width * child.samples) / of.samples;
        draw(child, at, own, depth + 1, of);
        at += own;
      }
    };
    draw(node, 0, 1, 0, null);
    this.graph.style.setProperty('--rows', String(1 + Math.max(...[...this.places.values()].map(({ depth }) => depth))));
    this.graph.replaceChildren(...rows);
    this.#choose(node, { focus });
  }

  #choose(node, { focus = true } = {}) {
    const place = this.places.get(node);
    if (!place) return;
    for (const { box } of this.places.values()) {
      box.setAttribute('aria-selected', 'false');
      box.tabIndex = -1;
    }
    place.box.setAttribute('aria-selected', 'true');
    place.box.tabIndex = 0;
    this.selected = node;
    const own = node.samples - node.children.reduce((sum, child) => sum + child.samples, 0);
    this.chosen.replaceChildren(cut(node.name), ` ${percent(node.samples / this.root.samples)} with what it calls, ${percent(own / this.root.samples)} itself`);
    if (focus) place.box.focus();
  }

  #key(event) {
    const { parent } = this.places.get(this.selected) ?? {};
    const drawn = (nodes) => nodes.filter((node) => this.places.has(node));
    const beside = parent ? drawn(parent.children) : [this.selected];
    const at = beside.indexOf(this.selected);
    const moves = {
      ArrowDown: () => drawn(this.selected.children)[0], ArrowUp: () => parent,
      ArrowRight: () => beside[at + 1], ArrowLeft: () => beside[at - 1],
      Home: () => this.shown,
    };
    const node = moves[event.key]?.();
    if (node) this.#choose(node);
    else if (event.key === 'Enter' || event.key === ' ') this.#zoom(this.selected, { focus: true });
    else if (event.key === 'Escape' && this.shown !== this.root) this.#zoom(this.root, { focus: true });
    else if (!(event.key in moves)) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === 'Enter') say(`${visible(this.selected.name)} at full width`);
  }

  #table() {
    const functions = functionsOf(this.root);
    const share = (samples) => percent(samples / this.root.samples);
    return el('details', {}, el('summary', {}, `The functions as a table (${whole(functions.length)})`),
      el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Functions' }, el('table', { class: 'rows' },
        el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'Function'), el('th', { scope: 'col', class: 'number' }, 'Itself'), el('th', { scope: 'col', class: 'number' }, 'With what it calls'))),
        el('tbody', {}, functions.slice(0, FUNCTIONS_MAX).map(([name, { own, all }]) => el('tr', {},
          el('th', { scope: 'row', class: 'wraps' }, foreign(name.slice(0, 400))), el('td', { class: 'number' }, share(own)), el('td', { class: 'number' }, share(all))))))));
  }
}

function functionsOf(root) {
  const counted = new Map();
  const count = (node, above) => {
    const known = counted.get(node.name) ?? { own: 0, all: 0 };
    counted.set(node.name, known);
    known.own += node.samples - node.children.reduce((sum, child) => sum + child.samples, 0);
    if (!above.has(node.name)) known.all += node.samples;
    const within = new Set(above).add(node.name);
    node.children.forEach((child) => count(child, within));
  };
  root.children.forEach((child) => count(child, new Set()));
  return [...counted].sort(([, a], [, b]) => b.own - a.own || b.all - a.all);
}

function percent(share) {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}

/** One of five shades by the name, so that a function has the same everywhere. */
function tint(name) {
  let sum = 0;
  for (const character of name) sum = (sum * 31 + character.codePointAt(0)) % 997;
  return sum % 5;
}
