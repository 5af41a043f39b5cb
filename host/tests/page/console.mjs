// Each view opens by `g` and its letter, says what it shows, leads on by links, and fits a small window. Without a mouse.

import assert from 'node:assert/strict';

import { axe, fits, run } from './browser.mjs';

const VIEWS = { n: 'Now', t: 'Traces', p: 'Plugins', o: 'Orders', s: 'Stock', l: 'Logs', e: 'Settings' };

await run(async ({ page, given }) => {
  const heading = (name) => page.getByRole('heading', { level: 1, name, exact: true });
  const go = async (key) => {
    await page.keyboard.press('g');
    await page.keyboard.press(key);
    await heading(VIEWS[key]).waitFor();
    assert.equal(await page.locator('nav.rail a[aria-current=page]').innerText().then((text) => text.split('\n')[0].trim()), VIEWS[key]);
  };
  // A key goes to the dialog until the browser has taken the focus from it, a moment after it is closed.
  const closed = () => page.waitForFunction(() => !document.querySelector('dialog[open]') && !document.activeElement.closest('dialog'));
  const sees = (text) => page.locator('main', { hasText: text }).waitFor();
  const clean = async () => assert.equal(await page.locator('main img, main script, main b[onerror]').count(), 0);

  // Every letter, and the same from the address; nothing is wider than a telephone.
  for (const key of Object.keys(VIEWS)) {
    await go(key);
    // A proxy changes nothing of what axe looks at, which takes longer than the rest.
    if (!given.behind) await axe(page);
    await clean();
    await page.goto(page.url());
    await heading(VIEWS[key]).waitFor();
    await fits(page);
  }
  await page.keyboard.press('?');
  await page.getByRole('dialog').getByText('Settings').waitFor();
  await page.keyboard.press('Escape');
  await closed();

  // Now: one sentence, what happened, and a box that buys and opens the trace.
  await go('n');
  await page.locator('#state', { hasText: /Selling|Nobody buys/ }).waitFor();
  await page.locator('.timeline .event', { hasText: 'host-start' }).waitFor();
  await page.keyboard.press('b');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'buy-item');
  await page.keyboard.press('Enter');
  await page.waitForURL('**/traces/*');
  await page.getByRole('treeitem').first().waitFor();

  // Orders: a reference leads to the order, and the order to its trace.
  await go('o');
  await page.getByRole('link', { name: given.reference }).waitFor();
  assert.equal(await page.locator('main tbody tr').count(), given.orders);
  await page.keyboard.press('/');
  await page.keyboard.type(given.reference);
  await page.waitForURL(`**/console/orders/${given.reference}`);
  await sees('checkout_spans');
  await page.getByRole('heading', { name: 'Receipt' }).waitFor();
  await axe(page);
  assert.match(await page.locator('.facts').innerText(), /completed/);
  await page.locator('.facts a').first().focus();
  await page.keyboard.press('Enter');
  await page.getByRole('treeitem').first().waitFor();
  await go('o');
  await page.getByLabel('State').selectOption('FAILED');
  await sees('insufficient_stock');
  assert.match(page.url(), /status=FAILED/);
  await page.goto(new URL(`${given.behind ?? ''}/console/orders/nobody`, given.admin).href);
  await page.getByRole('heading', { name: 'There is no such order' }).waitFor();

  // Stock: what sold lately, how long the rest lasts, and a change with its reason.
  await go('s');
  const row = (item) => page.locator('section[aria-label=Items] tbody tr', { hasText: item });
  await row('headphones').locator('td').nth(2).filter({ hasText: String(given.sold) }).waitFor();
  assert.ok((await row('headphones').locator('td').nth(3).innerText()).length > 0, 'hours left');
  await sees('delivery <b>4711</b>');
  await sees(given.hostile);
  await clean();
  await row('laptop').getByRole('button', { name: 'Change the stock of laptop' }).focus();
  await page.keyboard.press('Enter');
  await page.getByLabel('Pieces', { exact: true }).waitFor();
  await axe(page);
  await page.keyboard.type('5');
  await page.keyboard.press('Tab');
  await page.keyboard.type('found in a corner');
  await page.keyboard.press('Enter');
  await closed();
  await sees('found in a corner');

  // Logs: by text, to the trace.
  await go('l');
  await page.getByLabel('Text').fill(given.line);
  await page.locator('.lines li', { hasText: given.line }).first().waitFor();
  await page.locator('.lines li a').first().focus();
  await page.keyboard.press('Enter');
  await page.getByRole('treeitem').first().waitFor();

  // Settings: each with its source.
  await go('e');
  await page.getByLabel('Which').selectOption('set');
  await page.locator('.settings tr', { hasText: 'server.listen' }).waitFor();
  await page.getByLabel('Text').fill('nothing is called so');
  await sees('0 settings');
}, { refusals: [404] });
