// Where the listener has a token, the page asks for it, keeps it in the tab and sends it.

import assert from 'node:assert/strict';

import { rowOf, run, waterfall } from './browser.mjs';

await run(async ({ page, given }) => {
  const dialog = page.getByRole('dialog');
  await dialog.waitFor();
  await dialog.getByLabel('Token').fill('not-the-token-at-all');
  await page.keyboard.press('Enter');
  await dialog.getByText('That token was refused.').waitFor();
  assert.equal(await page.locator('table.traces tbody tr').count(), 0);
  await dialog.getByLabel('Token').fill(given.token);
  await dialog.getByRole('button').click();
  await dialog.waitFor({ state: 'hidden' });
  const row = rowOf(page, given.trace_id);
  await row.waitFor();
  await row.getByRole('link').click();
  await waterfall(page);
  // Kept for this tab, also when it loads the page anew, and in no place that outlives it.
  await page.reload();
  await waterfall(page);
  assert.equal(await page.evaluate(() => localStorage.length + document.cookie.length), 0);
  // A link couldn't send it, so the JSON is a download.
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Jaeger JSON' }).click();
  assert.equal((await download).suggestedFilename(), `trace-${given.trace_id}-jaeger.json`);
}, { refusals: [401] });
