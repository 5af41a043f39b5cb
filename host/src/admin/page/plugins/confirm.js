// Asks before something is changed, in a sentence that says what will happen, and keeps who did it and why.

import { el, foreign } from '../frame/text.js';

const KEPT_UNDER = 'till-console-by';

/**
 * Asks. `change` is `{title, sentence, button, act, fields}`: `act({by, reason})` makes the change and returns what it came to, in words.
 * Returns those words, or `null` if nothing was changed.
 */
export function confirmed({ title, sentence, button, act, fields = [] }) {
  const by = el('input', { type: 'text', id: 'confirm-by', maxlength: '64', autocomplete: 'off', placeholder: 'admin' });
  by.value = localStorage.getItem(KEPT_UNDER) ?? '';
  const reason = el('input', { type: 'text', id: 'confirm-reason', maxlength: '1000', autocomplete: 'off' });
  const bad = el('p', { class: 'bad', role: 'alert' });
  const yes = el('button', { type: 'submit', class: 'main' }, button);
  const no = el('button', { type: 'button', class: 'quiet', onclick: () => dialog.close() }, 'Cancel');
  const form = el('form', {},
    fields, el('label', { for: 'confirm-reason' }, 'Why, for the history'), reason,
    el('label', { for: 'confirm-by' }, 'Who changes it'), by, bad, el('div', { class: 'buttons' }, yes, no));
  const dialog = el('dialog', { class: 'dialog confirm', 'aria-labelledby': 'confirm-title', 'aria-describedby': 'confirm-sentence' },
    el('h2', { id: 'confirm-title' }, foreign(title)), el('p', { id: 'confirm-sentence' }, foreign(sentence)), form);
  document.body.append(dialog);
  return new Promise((resolve) => {
    let said = null;
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      bad.textContent = '';
      yes.disabled = true;
      if (by.value.trim()) localStorage.setItem(KEPT_UNDER, by.value.trim());
      const named = { ...(by.value.trim() && { by: by.value.trim() }), ...(reason.value.trim() && { reason: reason.value.trim() }) };
      try {
        said = await act(named);
        dialog.close();
      } catch (error) {
        bad.replaceChildren(foreign(error.message));
      }
      yes.disabled = false;
    });
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(said);
    });
    dialog.showModal();
    reason.focus();
  });
}
