// In a quote's trace each call names its installation, and the price says what it was made without.

import assert from 'node:assert/strict';

import { run, waterfall } from './browser.mjs';

await run(async ({ page, given }) => {
  await page.goto(new URL(`/traces/${given.trace_id}`, given.admin).href);
  const spans = await waterfall(page);
  assert.deepEqual(spans.filter(({ maker }) => maker === 'call').map(({ name }) => name), given.calls.map(() => 'discounts'));
  const told = await page.locator('.row.call .tag.call').allInnerTexts();
  assert.deepEqual(told.map((text) => text.split(' ').slice(0, 2).join(' ')), given.calls);
  const priced = page.getByRole('treeitem', { name: 'price_cart' });
  assert.ok((await priced.innerText()).includes(given.without), await priced.innerText());
  await priced.click();
  await page.getByText('does_not_combine').first().waitFor();
  await page.getByText('discounts/broken').first().waitFor();
});
