// The story of a cent: from the sentence on Now to what differs, to the call repeated with the version before, to a case, and back.

import assert from 'node:assert/strict';
import { copyFile } from 'node:fs/promises';

import { axe, run } from './browser.mjs';

await run(async ({ page, given, picture }) => {
  const { before, candidate, item } = given;
  // Seen on Now: a share is refused, and a canary is open.
  const state = page.locator('#state');
  await state.filter({ hasText: `#${candidate} is a canary at 50 %` }).waitFor();
  const refused = state.getByRole('link', { name: /of the checkouts refused/ });
  assert.ok(!(await refused.innerText()).startsWith('0 %'), await state.innerText());
  await axe(page);
  await picture('console_now', 900);
  await refused.click();

  // Found by what differs: all of them are of the canary and of the large carts.
  await page.getByRole('button', { name: 'What differs' }).click();
  const differs = page.getByRole('region', { name: 'What differs, as a table' });
  for (const cause of [item, `#${candidate}`]) {
    const row = differs.locator('tbody tr').filter({ hasText: cause });
    assert.match(await row.first().locator('td').first().innerText(), /100 %/, `all that were refused have ${cause}`);
  }

  // Repeated with the version before: it takes a cent less.
  await page.locator('table.traces tbody a').first().click();
  const call = page.getByRole('article', { name: /^checkout/ });
  await call.getByLabel('Repeat it with').selectOption(String(before));
  await call.getByRole('button', { name: `Repeat with #${before}` }).click();
  await call.getByText(/^Decides otherwise: receipt/).waitFor({ timeout: 60_000 });
  const lines = (name) => call.getByRole('region', { name, exact: true }).locator('.gone, .added').allInnerTexts();
  assert.ok((await lines('Recorded')).some((line) => line.includes('1200.01')), String(await lines('Recorded')));
  assert.ok((await lines('Repeated')).some((line) => line.includes('1200.00')), String(await lines('Repeated')));
  await picture('replay_cent', 900);
  const [download] = await Promise.all([page.waitForEvent('download'), call.getByRole('button', { name: `Save what #${before} decides as a case` }).click()]);
  await copyFile(await download.path(), given.case);

  // Taken back.
  await page.keyboard.press('g');
  await page.keyboard.press('p');
  await page.getByRole('button', { name: `Abort #${candidate}` }).first().click();
  // The dialog asks why.
  await page.getByRole('dialog').waitFor();
  await page.keyboard.type('a cent too much on large carts');
  await page.keyboard.press('Enter');
  await page.getByText(/is aborted: a cent too much on large carts/).first().waitFor();
  await page.keyboard.press('g');
  await page.keyboard.press('n');
  await page.locator('.timeline .event', { hasText: 'a cent too much on large carts' }).waitFor();
});
