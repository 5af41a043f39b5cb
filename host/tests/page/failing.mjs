// A failed checkout is red, and its cause is read by a click on it.

import assert from 'node:assert/strict';

import { ask, colours, isRed, rowOf, run, waterfall } from './browser.mjs';

await run(async ({ page, given, picture }) => {
  const row = rowOf(page, given.trace_id);
  await row.waitFor();
  await picture('traces_list', 720);
  assert.ok((await row.innerText()).includes('\u2715 500'), 'a word and a sign, not the colour alone');
  assert.ok(isRed((await colours(row)).background), 'the row is red');
  await ask(page, 'error:true');
  await page.waitForURL('**/traces?q=error%3Atrue');
  await page.waitForFunction(() => [...document.querySelectorAll('table.traces tbody tr')].every((row) => row.classList.contains('is-error')));
  await row.click();

  const spans = await waterfall(page);
  const failed = spans.filter(({ error }) => error).map(({ name }) => name);
  assert.deepEqual(failed, given.failed);
  // What failed first is selected already: its description is on the page, twice.
  assert.equal(spans.find(({ selected }) => selected).name, given.cause.span);
  await page.locator('.cause', { hasText: given.cause.why }).waitFor();
  await page.locator('.panel .failure', { hasText: given.cause.why }).waitFor();
  assert.ok(isRed((await colours(page.locator('.row.is-error .spanname').first())).text));
  await page.getByRole('treeitem').first().click();
  await page.locator('.cause').click();
  assert.equal(await page.locator('#span-title').innerText(), given.cause.span);
  await page.locator('.pairs', { hasText: 'inventory_conflict' }).first().waitFor();
  await picture('trace_failing_laptop', 800);
  // The list comes back as it was left.
  await page.getByRole('link', { name: 'All traces' }).click();
  await page.waitForURL('**/traces?q=error%3Atrue');
  assert.equal(await page.getByLabel('Query').inputValue(), 'error:true');
});
