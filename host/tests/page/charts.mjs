// The last 15 minutes are drawn; a click or a drag on them, or a mark, narrows the list to that time.

import assert from 'node:assert/strict';

import { rowOf, run } from './browser.mjs';

await run(async ({ page, given }) => {
  await rowOf(page, given.trace_id).waitFor();
  await page.getByText('Charts of the last 15 minutes').click();
  const chart = page.locator('.chart', { hasText: 'Requests' });
  await chart.locator('canvas').waitFor();
  await chart.locator('.legend', { hasText: given.route }).waitFor();
  for (const title of ['Latency', 'Plugin calls', 'Stock']) await page.locator('.chart', { hasText: title }).locator('canvas').waitFor();

  const over = chart.locator('.u-over');
  const { x, y, width, height } = await over.boundingBox();
  const range = () => {
    const query = new URL(page.url()).searchParams;
    return [Number(query.get('after_us')) / 1e6, Number(query.get('before_us')) / 1e6];
  };
  // The newest end of the chart is where the checkout is, its beginning was before the host.
  await page.mouse.click(x + width - 2, y + height / 2);
  await page.waitForURL('**/traces?after_us=*');
  const [from, to] = range();
  assert.ok(to - from > 5 && to - from < 60, `${to - from} s`);
  await page.mouse.move(x + width * 0.2, y + height / 2);
  await page.mouse.down();
  await page.mouse.move(x + width * 0.5, y + height / 2, { steps: 5 });
  await page.mouse.up();
  await page.waitForFunction((before) => Number(new URLSearchParams(location.search).get('after_us')) / 1e6 < before, from - 60);
  const [began, ended] = range();
  // Three tenths of the chart, which shows 2 to 15 minutes.
  assert.ok(ended - began > 30 && ended - began < 280, `${ended - began} s`);
  await rowOf(page, given.trace_id).waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Clear the time range' }).click();
  await rowOf(page, given.trace_id).waitFor();

  const mark = page.getByRole('list', { name: 'Swaps and faults' }).getByRole('button', { name: given.mark });
  await mark.first().click();
  await page.waitForURL('**/traces?after_us=*');
  await page.getByRole('button', { name: 'Clear filters' }).click();
  await rowOf(page, given.trace_id).waitFor();

  // The same in numbers.
  await chart.getByText('As a table').click();
  await chart.getByRole('columnheader', { name: given.route }).waitFor();
  assert.ok(await chart.getByRole('rowheader').count() > 0);
});
