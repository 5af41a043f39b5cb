// From the list to a span's attributes, and back, without a mouse.

import assert from 'node:assert/strict';

import { rowOf, run, waterfall } from './browser.mjs';

await run(async ({ page, given }) => {
  await rowOf(page, given.trace_id).waitFor();
  const focused = () => page.evaluate(() => document.activeElement.closest('tr')?.dataset.trace ?? null);
  // No refreshing under the fingers.
  await page.getByRole('button', { name: 'Pause refreshing' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Refreshing is paused' }).waitFor();
  const order = await page.locator('table.traces tbody tr').evaluateAll((rows) => rows.map((row) => row.dataset.trace));
  // Tab comes to one row, arrows and letters go on from there.
  for (let tabs = 0; tabs < 10 && (await focused()) === null; tabs += 1) await page.keyboard.press('Tab');
  assert.equal(await focused(), order[0]);
  await page.keyboard.press('ArrowDown');
  assert.equal(await focused(), order[1]);
  await page.keyboard.press('k');
  assert.equal(await focused(), order[0]);
  while ((await focused()) !== given.trace_id) {
    const before = await focused();
    await page.keyboard.press('j');
    assert.notEqual(await focused(), before, 'the trace is not below');
  }
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.notEqual(outline, 'none', 'the focus can be seen');
  await page.keyboard.press('Enter');

  const spans = await waterfall(page);
  const inTree = () => page.evaluate(() => document.activeElement.getAttribute('role') === 'treeitem');
  for (let tabs = 0; tabs < 20 && !(await inTree()); tabs += 1) await page.keyboard.press('Tab');
  assert.ok(await inTree(), 'Tab comes to the tree');
  await page.keyboard.press('Home');
  while (await page.locator('#span-title').innerText() !== given.span) {
    const before = await page.locator('#span-title').innerText();
    await page.keyboard.press('ArrowDown');
    assert.notEqual(await page.locator('#span-title').innerText(), before, `${given.span} is not below`);
  }
  const shown = await page.locator('.panel.span .pairs').first().innerText();
  for (const attribute of given.attributes) assert.ok(shown.includes(attribute), `${attribute} is not in ${shown}`);
  // Folding the whole tree, and opening it again.
  await page.keyboard.press('Home');
  await page.keyboard.press('ArrowLeft');
  assert.equal(await page.locator('[role=treeitem]:visible').count(), 1);
  await page.keyboard.press('ArrowRight');
  assert.equal(await page.locator('[role=treeitem]:visible').count(), spans.length);
  await page.keyboard.press('Escape');
  await rowOf(page, given.trace_id).waitFor();
  await page.keyboard.press('/');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'query');
});
