// A long list of orders paints its newest page, and finds one item's order. What both took is printed.

import assert from 'node:assert/strict';

import { run } from './browser.mjs';

await run(async ({ page }) => {
  const rows = page.locator('section[aria-label=Orders] tbody tr');
  await rows.first().waitFor();
  const painted = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime);
  assert.equal(await rows.count(), 100);
  await page.getByRole('button', { name: 'Show older orders' }).click();
  await rows.nth(150).waitFor();
  const began = Date.now();
  await page.getByLabel('Item').fill('rarity');
  await page.waitForFunction(() => document.querySelectorAll('section[aria-label=Orders] tbody tr').length === 1);
  console.log(`first paint ${Math.round(painted)} ms, found after ${Date.now() - began} ms (250 of them wait for the next key)`);
});
