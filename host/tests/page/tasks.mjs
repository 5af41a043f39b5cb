// The ten tasks of docs/operate/console.md, each from Now, in no more clicks than stand there. What is typed isn't a click.

import assert from 'node:assert/strict';

import { ask, run } from './browser.mjs';

await run(async ({ page, given }) => {
  let clicks = 0;
  const click = async (locator) => {
    clicks += 1;
    await locator.click();
  };
  const view = (name) => click(page.locator('nav.rail').getByRole('link', { name }));
  const sees = (text) => page.locator('main', { hasText: text }).waitFor();
  const order = async () => {
    await view('Orders');
    await page.getByLabel('Reference or number').fill(given.reference);
    await sees('Served by');
  };
  const tasks = {
    'Is the shop well?': async () => {
      await page.locator('#state', { hasText: /Selling|Nobody buys/ }).waitFor();
    },
    'Find the last laptop that failed': async () => {
      await view('Traces');
      await ask(page, 'item:laptop error:true');
      await click(page.locator('table.traces tbody tr.is-error a').first());
      await page.locator('.cause', { hasText: 'Database deadlock' }).waitFor();
    },
    'Which version served this order?': async () => {
      await order();
      await sees('checkout/checkout@');
    },
    'Why was it slow?': async () => {
      await order();
      await click(page.locator('.facts a').first());
      await page.getByText('Mostly in').waitFor();
      await sees('inventory_deduct_span');
    },
    'What do the failed checkouts have in common?': async () => {
      await view('Traces');
      await ask(page, 'error:true');
      await click(page.getByRole('button', { name: 'What differs' }));
      await page.getByRole('region', { name: 'What differs, as a table' }).getByRole('link', { name: 'item laptop', exact: true }).waitFor();
    },
    'For how many hours does the stock last?': async () => {
      await view('Stock');
      await page.locator('section[aria-label=Items] tbody tr', { hasText: 'headphones' }).locator('td').nth(3).filter({ hasText: /\d/ }).waitFor();
    },
    'What was changed lately, and by whom?': async () => {
      await page.locator('.timeline .event', { hasText: 'set' }).filter({ hasText: 'by ada' }).first().waitFor();
    },
    'What does the inventory plugin say?': async () => {
      await view('Logs');
      await page.getByLabel('Plugin').fill('inventory/');
      await page.locator('.lines li', { hasText: 'simulating a slow inventory' }).first().waitFor();
    },
    'What is limits.drain_ms, and where is it set?': async () => {
      await view('Settings');
      await page.getByLabel('Text').fill('limits.drain_ms');
      await sees('9000');
    },
    'Go back to the version before': async () => {
      await view('Plugins');
      await click(page.getByRole('button', { name: /^Roll back to #/ }).first());
      await click(page.getByRole('dialog').getByRole('button', { name: /^Roll back/ }));
      await page.getByText(/is live in the place of/).first().waitFor();
    },
  };
  assert.deepEqual(Object.keys(tasks).sort(), Object.keys(given.clicks).sort());
  for (const [task, does] of Object.entries(tasks)) {
    await page.goto(new URL('/console', given.admin).href);
    clicks = 0;
    await does().catch((error) => {
      throw new Error(`${task}: ${error.message}`);
    });
    assert.equal(clicks, given.clicks[task], task);
  }
});
