// What sets the failed traces apart is found and narrows the query; two of them are compared; a span is found across traces.

import assert from 'node:assert/strict';

import { ask, axe, run, waterfall } from './browser.mjs';

await run(async ({ page, given, picture }) => {
  await ask(page, 'error:true');
  await page.getByRole('button', { name: 'What differs' }).click();
  await page.getByText(`${given.failed} traces chosen, compared with ${given.others} others.`).waitFor();
  const table = page.getByRole('region', { name: 'What differs, as a table' });
  for (const cause of given.causes) {
    const row = table.locator('tbody tr').filter({ has: page.getByRole('link', { name: cause, exact: true }) });
    assert.match(await row.locator('td').first().innerText(), /100 %/, `all that failed have ${cause}`);
  }
  await axe(page);
  await picture('traces_what_differs', 640);
  await table.getByRole('link', { name: given.causes[0], exact: true }).click();
  await page.waitForURL('**/traces?q=error%3Atrue+item%3Alaptop*');
  // Against a query of one's own.
  await page.getByLabel('Compared with').fill('item:headphones');
  await page.getByRole('button', { name: 'Compare' }).click();
  await page.getByText(`${given.failed} traces chosen, compared with 60 others.`).waitFor();

  await compares(page, picture);
  await findsSpans(page, given);
});

/** Marks a failed trace and a good one with `x`. */
async function compares(page, picture) {
  await ask(page, 'item:laptop');
  await page.locator('table.traces tbody tr:not(.is-error)').first().waitFor();
  await page.getByRole('button', { name: 'pause refreshing' }).click();
  for (const kind of ['tr:not(.is-error)', 'tr.is-error']) {
    await page.locator(`table.traces tbody ${kind} a`).first().focus();
    await page.keyboard.press('x');
  }
  await page.getByRole('link', { name: 'Compare the two' }).click();
  const table = page.getByRole('table');
  await table.waitFor();
  const rows = await table.locator('tbody tr').allInnerTexts();
  const row = (name) => rows.find((text) => text.trim().startsWith(name));
  assert.match(row('db_complete_order'), /only in A/);
  assert.match(row('db_fail_order'), /only in B/);
  assert.match(row('checkout_transaction'), /[\u2212+]\S+ (\u00b5s|ms|s)/);
  const checkout = table.locator('tbody tr').filter({ hasText: 'checkout_transaction' });
  await checkout.locator('summary').click();
  await checkout.getByText('plugin.outcome').waitFor();
  assert.match((await checkout.locator('.changes > div').filter({ hasText: 'plugin.outcome' }).innerText()).replace(/\s+/g, ' '), /ok \u2192 inventory_conflict/);
  await axe(page);
  await picture('traces_compared', 420);
  await page.keyboard.press('Escape');
  await page.waitForURL('**/traces?q=item%3Alaptop*');
}

async function findsSpans(page, given) {
  await page.getByRole('button', { name: 'Spans', exact: true }).click();
  await ask(page, 'span:inventory_deduct_span error:true');
  await page.waitForFunction((count) => document.querySelector('.figures dd')?.textContent === String(count), given.failed);
  const rows = page.locator('table.traces tbody tr');
  await rows.filter({ hasText: 'inventory_deduct_span' }).first().waitFor();
  assert.equal(await rows.count(), Math.min(50, given.failed));
  await axe(page);
  await rows.first().getByRole('link').click();
  await page.waitForURL('**/traces/*?span=*');
  const selected = (await waterfall(page)).find((span) => span.selected);
  assert.equal(selected.name, 'inventory_deduct_span');
}
