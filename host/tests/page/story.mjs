// From Prometheus's spike to the trace that was in it: the span that took the time, why, and the trace's log lines.

import assert from 'node:assert/strict';
import path from 'node:path';

import { run, waterfall } from './browser.mjs';

await run(async ({ page, given, picture }) => {
  const spans = await waterfall(page);
  const slow = spans.find(({ name }) => name === given.span);
  assert.ok(slow.share >= 0.9, `${given.span} takes ${slow.share} of the time`);
  await page.getByText('Mostly in').waitFor();
  await page.getByRole('button', { name: given.span }).first().click();
  await page.locator('.pairs > div', { hasText: 'simulation.latency_added' }).first().waitFor();
  await page.locator('.lines li', { hasText: 'simulating a slow inventory' }).waitFor();
  await picture('2_the_trace_of_the_spike', 760);
  if (given.pictures) await pictureOfTheSpike(page.context().browser(), given);
});

/** Prometheus's own page, in a window of its own: nothing is promised of what it asks and says. */
async function pictureOfTheSpike(browser, { prometheus, expression, pictures }) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 720 }, timezoneId: 'UTC' });
  const query = new URLSearchParams({ 'g0.expr': expression, 'g0.tab': '0', 'g0.range_input': '2m' });
  await page.goto(`${prometheus}/classic/graph?${query}`);
  await page.locator('.graph_wrapper svg, .rickshaw_graph svg').first().waitFor();
  await page.screenshot({ path: path.join(pictures, '1_the_spike_in_prometheus.png'), animations: 'disabled' });
}
