// A trace's recorded call, repeated with another version: what differs, side by side; saved as a case; profiled. By keyboard alone.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';

import { axe, fits, run } from './browser.mjs';

await run(async ({ page, given, picture }) => {
  const call = page.getByRole('article', { name: /^checkout/ });
  await call.waitFor();
  const press = async (name) => {
    await call.getByRole('button', { name }).focus();
    await page.keyboard.press('Enter');
  };
  await press(`Repeat with #${given.made}`);
  await call.getByText('The same decision').waitFor();

  await call.getByLabel('Repeat it with').focus();
  await page.keyboard.press(given.other > given.made ? 'ArrowUp' : 'ArrowDown');
  assert.equal(await call.getByLabel('Repeat it with').inputValue(), String(given.other));
  assert.equal(await call.getByLabel('The command that does the same').textContent(), `till plugin replay ${given.recording} ${given.other}`);
  await press(`Repeat with #${given.other}`);
  await call.getByText(/^Decides otherwise: receipt/).waitFor();
  const [gone, added] = await Promise.all(['Recorded', 'Repeated'].map((name) => call.getByRole('region', { name, exact: true }).locator('.gone, .added').allTextContents()));
  assert.ok(gone.length > 0 && gone.every((line) => line.startsWith('\u2212')), JSON.stringify(gone));
  assert.ok(added.length > 0 && added.every((line) => line.startsWith('+')), JSON.stringify(added));
  const costs = await call.getByRole('region', { name: 'What both took' }).getByRole('row').allTextContents();
  for (const cost of ['Time', 'Processor', 'Fuel', 'Memory', 'Host calls']) assert.ok(costs.some((row) => row.startsWith(cost)), `${cost} is not in ${costs}`);
  await picture('replay');

  const [download] = await Promise.all([page.waitForEvent('download'), press('Save as a case')]);
  const saved = JSON.parse(await readFile(await download.path(), 'utf8'));
  assert.deepEqual(saved, given.case);
  assert.ok(!JSON.stringify(saved).includes(given.personal), 'somebody\u2019s address was saved');

  await press('Profile');
  const flame = call.getByRole('tree', { name: /Functions/ });
  await flame.waitFor({ timeout: 60_000 });
  await flame.getByRole('treeitem').first().focus();
  const level = () => page.evaluate(() => Number(document.activeElement.getAttribute('aria-level')));
  assert.equal(await level(), 1);
  await page.keyboard.press('ArrowDown');
  assert.equal(await level(), 2);
  await page.keyboard.press('Enter');
  await call.getByRole('button', { name: 'Show all' }).waitFor();
  await page.keyboard.press('Escape');
  assert.equal(await call.getByRole('button', { name: 'Show all' }).count(), 0);
  await call.getByText(/The functions as a table/).focus();
  await page.keyboard.press('Enter');
  assert.ok(await call.getByRole('region', { name: 'Functions' }).getByRole('row').count() > 1);
  await axe(page);

  assert.equal(await page.locator('main img, main script, main [onerror]').count(), 0, 'somebody\u2019s text became an element');
  for (const [width, colorScheme] of [[390, 'light'], [390, 'dark'], [1280, 'dark']]) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 844 });
    await fits(page);
  }
});
