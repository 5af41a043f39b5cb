// Plugins: what waits for a second person is shown with who asked for it, approved, refused to who asked, and rejected.

import assert from 'node:assert/strict';

import { axe, fits, run } from './browser.mjs';

await run(async ({ page, given }) => {
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Token').fill(given.token);
  await page.keyboard.press('Enter');
  const waiting = page.getByRole('region', { name: 'Waits for another person' });
  await waiting.waitFor();
  const rows = waiting.getByRole('rowheader');
  assert.deepEqual(await rows.allTextContents(), ['uninstall validation/first', 'install validation/second', 'install validation/third']);
  assert.ok((await waiting.textContent()).includes('ci (<b>bert</b>)'), await waiting.textContent());
  assert.equal(await page.locator('main b').count(), 0, 'somebody\u2019s text became an element');
  await axe(page);
  await fits(page);

  const decide = async (name, sentence) => {
    await page.getByRole('button', { name, exact: true }).focus();
    await page.keyboard.press('Enter');
    assert.ok((await dialog.textContent()).includes(sentence), await dialog.textContent());
    await page.keyboard.type('looked at');
    await page.keyboard.press('Enter');
  };
  await decide('Approve install of validation/second', 'is asked at validation/second, from the next request on.');
  await page.getByText('install of validation/second is approved').waitFor();
  await page.getByRole('region', { name: 'Live at validation' }).getByText('second', { exact: true }).waitFor();
  await decide('Reject install of validation/third', 'Nothing is changed.');
  await page.getByText('install of validation/third is rejected').waitFor();
  // Whoever asked can't approve.
  await decide('Approve uninstall of validation/first', 'validation/first isn\u2019t asked any more');
  await dialog.getByRole('alert').filter({ hasText: 'another person has to approve it' }).waitFor();
  await page.keyboard.press('Escape');
  assert.deepEqual(await rows.allTextContents(), ['uninstall validation/first']);
}, { refusals: [401, 403] });
