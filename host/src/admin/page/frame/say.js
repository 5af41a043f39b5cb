// What the page says to a screen reader, and to the clipboard.

import { el } from './text.js';

/** Says it to who listens to the page. */
export function say(text) {
  document.getElementById('said').textContent = text;
}

/** Returns a button that copies the text and says that it did. */
export function copyButton(text, label) {
  const button = el('button', { type: 'button', class: 'quiet copy' }, label);
  button.addEventListener('click', async () => {
    await copy(text);
    button.textContent = 'Copied';
    say('Copied');
    setTimeout(() => (button.textContent = label), 1500);
  });
  return button;
}

/** Puts the text on the clipboard. */
export async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Off loopback and without TLS a browser has no clipboard for pages; it still copies what is selected.
  const area = el('textarea', { class: 'unseen' });
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
  return undefined;
}
