// From a trace to the next of the list it was opened from, and back; its request as a line for a shell, which works; its files.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

import { ask, axe, rowOf, run, waterfall } from './browser.mjs';

await run(async ({ page, given }) => {
  const [first, second, third] = given.traces;
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await ask(page, given.query);
  await rowOf(page, first).getByRole('link').click();
  await waterfall(page);
  const goes = async (key, id) => {
    await page.keyboard.press(key);
    await page.waitForURL(`**/traces/${id}`);
    await page.getByText(id).first().waitFor();
    await waterfall(page);
  };
  await goes('n', second);
  await goes('n', third);
  await goes('p', second);
  await goes('p', first);
  // The newest of that item is the first of the list, whatever else was sold since.
  await page.keyboard.press('p');
  await page.getByText('This is the first trace of the list').waitFor({ state: 'attached' });
  await page.keyboard.press('Escape');
  await page.waitForURL(`**/traces?q=${encodeURIComponent(given.query)}`);
  await rowOf(page, third).getByRole('link').click();
  await waterfall(page);

  // What the trace's time is made of, and each call's.
  await page.getByText('Critical path').first().waitFor();
  const calls = await page.getByRole('region', { name: 'Plugin calls, as a table' }).locator('tbody tr').allInnerTexts();
  assert.equal(calls.length, 2);
  for (const call of calls) assert.match(call, /#\d+.*live.*ok/s);
  const neighbours = page.getByRole('region', { name: 'Before and after, as a table' });
  await neighbours.getByText('This trace').waitFor();
  assert.equal(await neighbours.locator('tbody tr').count(), given.traces.length);
  assert.equal(await neighbours.locator(`a[href$="/traces/${second}"]`).count(), 1);
  assert.match(await page.locator('.facts a').first().getAttribute('href'), /\/console\/orders\/[0-9a-f-]+$/);
  await axe(page);

  await page.getByRole('button', { name: 'Copy as curl' }).click();
  await page.getByText(/From the recording|No recording is kept/).first().waitFor();
  const line = await page.evaluate(() => navigator.clipboard.readText());
  const answer = execFileSync('sh', ['-c', `${line} --silent --write-out ' %{http_code}'`], { encoding: 'utf8' });
  assert.match(answer, / 200$/, `${line}\n${answer}`);
  assert.match(line, /"item":"headphones","quantity":2/);

  const saved = async (button) => {
    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: button }).click();
    return JSON.parse(readFileSync(await (await download).path(), 'utf8'));
  };
  const otlp = await saved('OTLP JSON');
  const spans = (otlp.result ?? otlp).resourceSpans.flatMap((resource) => resource.scopeSpans).flatMap((scope) => scope.spans);
  const jaeger = await saved('Jaeger JSON');
  const names = jaeger.data[0].spans.map((span) => span.operationName);
  assert.deepEqual(spans.map((span) => span.name).sort(), names.toSorted());
  assert.ok(names.includes('checkout_transaction') && jaeger.data[0].traceID === third);
});
