// A slow checkout is found by its duration, and the span that took the time by its bar.

import assert from 'node:assert/strict';

import { ask, rowOf, run, waterfall } from './browser.mjs';

await run(async ({ page, given, picture }) => {
  await rowOf(page, given.others[0]).waitFor();
  await ask(page, 'took:>900ms');
  await page.waitForURL('**/traces?q=took*');
  for (const other of given.others) await rowOf(page, other).waitFor({ state: 'detached' });
  await rowOf(page, given.trace_id).click();
  const spans = await waterfall(page);
  const slow = spans.find(({ name }) => name === given.span);
  assert.ok(slow.share > 0.8, `${given.span} takes ${slow.share} of the time`);
  await page.getByText('Mostly in').waitFor();
  await page.getByRole('button', { name: given.span }).first().click();
  await page.locator('.pairs > div', { hasText: 'simulation.latency_added' }).first().waitFor();
  await page.locator('.lines li.selected', { hasText: 'simulating a slow inventory' }).waitFor();
  await picture('trace_slow_smartphone', 680);
  // What is searched for in the trace stands out.
  await page.getByLabel('Find in this trace').fill('latency_added');
  await page.locator('.found', { hasText: '1 span, 1 line' }).waitFor();
  await page.goto(new URL('/traces?sort=slowest', given.admin).href);
  await rowOf(page, given.trace_id).waitFor();
  assert.equal(await page.locator('table.traces th[aria-sort="descending"]').innerText(), 'Duration');
});
