// The checkout that was just posted stands in the list; opened, it is a waterfall of its spans in order, with its log lines.

import assert from 'node:assert/strict';

import { axe, rowOf, run, waterfall } from './browser.mjs';

await run(async ({ page, given }) => {
  const row = rowOf(page, given.trace_id);
  await row.waitFor();
  const heads = await page.locator('table.traces thead th').allInnerTexts();
  for (const head of ['Time', 'Request', 'Item', 'Status', 'Outcome', 'Duration']) {
    assert.ok(heads.some((shown) => shown.startsWith(head)), `${head} is not among ${heads}`);
  }
  const text = await row.innerText();
  for (const shown of ['POST /checkout', given.item, '200']) assert.ok(text.includes(shown), `${shown} is not in ${text}`);
  // Which version it was, wherever one is named.
  const { span: call, name: plugin, says } = given.version;
  const named = (text) => assert.ok(text.startsWith(`${plugin} `) && text.includes(says), text);
  named((await row.locator('.c-plugins').textContent()).trim());
  await page.getByText('Charts of the last 15 minutes').click();
  await page.locator('.chart canvas').first().waitFor();
  await axe(page);

  await row.getByRole('link').click();
  await page.waitForURL(`**/traces/${given.trace_id}*`);
  const spans = await waterfall(page);
  named(await page.getByRole('treeitem', { name: call }).first().locator('.tag.call').textContent());
  assert.deepEqual(spans.map(({ level, name }) => `${'  '.repeat(level - 1)}${name}`), given.spans);
  spans.slice(1).forEach((span) => assert.ok(span.from + span.share <= 1.02 && span.from >= 0, JSON.stringify(span)));
  const makers = Object.fromEntries(spans.map(({ name, maker }) => [name, maker]));
  for (const [name, maker] of Object.entries(given.makers)) assert.equal(makers[name], maker, name);

  await axe(page);

  for (const line of given.lines) await page.locator('.lines .message', { hasText: line }).waitFor();
  // From a line to its span, and from a span to its lines.
  const { line, span } = given.line_of;
  await page.locator('.lines li', { hasText: line }).getByRole('button').first().click();
  assert.equal((await waterfall(page)).find(({ selected }) => selected).name, span);
  assert.equal(await page.locator('#span-title').innerText(), span);
  await page.getByRole('treeitem').first().click();
  assert.equal(await page.locator('.lines li.selected', { hasText: line }).count(), 0);
  await page.getByRole('treeitem', { name: span }).first().click();
  await page.locator('.lines li.selected', { hasText: line }).waitFor();

  // The same spans as a table.
  await page.getByRole('button', { name: 'Table' }).click();
  const names = await page.locator('.spantable tbody th').allInnerTexts();
  assert.deepEqual(names, given.spans.map((name) => name.trim()));
  await axe(page);

  // A link to this, and the way back.
  await page.goto(page.url());
  assert.equal((await waterfall(page)).find(({ selected }) => selected).name, span);
  await page.getByRole('link', { name: 'All traces' }).click();
  await row.waitFor();
  await page.goBack();
  await waterfall(page);
  await page.goBack();
  await row.waitFor();
});
