// A query is typed with the keyboard alone, finds exactly what was sold, and says what is wrong with it. The figures are of
// all that match. A rectangle of the heatmap narrows them, by mouse and by keyboard.

import assert from 'node:assert/strict';

import { ask, axe, run } from './browser.mjs';

await run(async ({ page, given, picture }) => {
  const matched = () => page.locator('.figures dd').first().innerText().then(Number);
  const matches = (count) => page.waitForFunction((count) => document.querySelector('.figures dd')?.textContent === String(count), count);
  await matches(given.sold);
  // What is looked at must stay as it is.
  await page.getByRole('button', { name: 'pause refreshing' }).click();
  await picture('traces_heatmap', 640);
  await axe(page);

  await byKeyboard(page, given, matches);
  await saysWhatIsWrong(page);

  for (const [query, count] of [
    ['item:headphones,laptop', given.sold], ['item:!laptop', given.sold - given.laptops], ['error:true', given.failed],
    ['outcome:!ok status:5xx', given.failed], ['item:laptop outcome:ok', given.laptops - given.failed],
    ['@order.quantity:2', 30], ['span:db_fail_order', given.failed], ['DEADLOCK conflict', given.failed], ['"DEADLOCK conflict"', given.failed],
    ['plugin:#1 route:/checkout took:<1h since:1h', given.sold], ['item:phone', 0],
  ]) {
    await ask(page, query);
    await matches(count);
  }
  await page.getByText('No kept trace is like that').waitFor();
  await page.getByRole('button', { name: 'Clear filters' }).click();
  await matches(given.sold);

  await exactly(page, given);
  await byMouse(page, given, matched, matches);
  await onTheHeatmapByKeyboard(page, given, matched, matches);
}, { refusals: [422] });

async function byKeyboard(page, given, matches) {
  await page.keyboard.press('/');
  const field = page.getByRole('combobox', { name: 'Query' });
  await page.keyboard.type('ite');
  const suggestions = page.getByRole('listbox', { name: 'Suggestions' });
  await suggestions.getByRole('option', { name: 'item:' }).waitFor();
  await page.keyboard.press('ArrowDown');
  const active = await field.getAttribute('aria-activedescendant');
  assert.equal(await page.locator(`#${active}`).getAttribute('aria-selected'), 'true');
  await page.keyboard.press('Enter');
  assert.equal(await field.inputValue(), 'item:');
  // The values that are kept, with how many have them.
  await suggestions.getByRole('option', { name: new RegExp(`item:laptop.*${given.laptops}`) }).waitFor();
  await page.keyboard.type('lap');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.waitForURL('**/traces?q=item%3Alaptop');
  assert.equal(await field.getAttribute('aria-expanded'), 'false');
  await matches(given.laptops);
  await page.reload();
  assert.equal(await field.inputValue(), 'item:laptop');
  await matches(given.laptops);
  await page.getByRole('button', { name: 'pause refreshing' }).click();
}

async function saysWhatIsWrong(page) {
  await ask(page, 'itme:laptop');
  const alert = page.getByRole('alert').filter({ hasText: 'there is no key itme; did you mean item?' });
  await alert.waitFor();
  assert.equal(await page.getByLabel('Query').getAttribute('aria-invalid'), 'true');
  await ask(page, '');
  await alert.waitFor({ state: 'detached' });
  assert.equal(await page.getByLabel('Query').getAttribute('aria-invalid'), 'false');
}

/** Holds the figures against the durations of all traces. */
async function exactly(page, given) {
  const read = (path) => page.evaluate((path) => fetch(path).then((answer) => answer.json()), path);
  const { traces } = await read('/recent/traces?limit=500');
  const took = traces.map((trace) => trace.duration_us).sort((a, b) => a - b);
  const at = (percent) => took[Math.ceil((took.length * percent) / 100) - 1];
  const { matched, errors, duration, heatmap, groups } = await read('/recent/statistics?group=item');
  assert.deepEqual({ matched, errors, duration }, {
    matched: given.sold, errors: given.failed, duration: { p50_us: at(50), p95_us: at(95), p99_us: at(99), max_us: at(100) },
  });
  assert.equal(heatmap.cells.reduce((sum, cell) => sum + cell.matched, 0), given.sold);
  assert.deepEqual(groups.map(({ value, matched, errors }) => [value, matched, errors]).sort(), [['headphones', given.sold - given.laptops, 0], ['laptop', given.laptops, given.failed]]);
  const rows = page.getByRole('region', { name: 'Groups, as a table' }).locator('tbody tr');
  await rows.filter({ hasText: 'laptop' }).filter({ hasText: String(given.laptops) }).waitFor();
}

async function byMouse(page, given, matched, matches) {
  const heat = page.getByRole('application', { name: 'Traces by time and duration' });
  const { x, y, width, height } = await heat.boundingBox();
  // The right two thirds, the upper half.
  await page.mouse.move(x + width * 0.34, y + 6);
  await page.mouse.down();
  await page.mouse.move(x + width - 12, y + height * 0.5, { steps: 5 });
  const told = await heat.locator('.tip').innerText();
  const count = Number(/^\d+/.exec(told)[0]);
  await page.mouse.up();
  await page.waitForURL(/after_us=\d+.*/);
  await matches(count);
  assert.ok(count > 0 && count < given.sold, told);
  const query = await page.getByLabel('Query').inputValue();
  assert.match(query, /^took:\S+\.\.\S*$/);
  await page.waitForFunction((count) => document.querySelectorAll('table.traces tbody tr').length === count, Math.min(count, 50));
  await page.getByRole('button', { name: 'Clear filters' }).click();
  await matches(given.sold);
}

async function onTheHeatmapByKeyboard(page, given, matched, matches) {
  const heat = page.getByRole('application', { name: 'Traces by time and duration' });
  await page.getByRole('button', { name: 'Spans', exact: true }).focus();
  for (let tabs = 0; tabs < 10 && !(await heat.evaluate((element) => element === document.activeElement)); tabs += 1) await page.keyboard.press('Tab');
  const said = page.locator('#said');
  await page.waitForFunction(() => /^\d+ traces?/.test(document.querySelector('#said').textContent));
  // From the upper right corner to the left, as far as it goes: the longest of all.
  for (let pressed = 0; pressed < 60; pressed += 1) await page.keyboard.press('Shift+ArrowLeft');
  const count = Number(/^\d+/.exec(await said.textContent())[0]);
  assert.ok(count > 0 && count < given.sold, await said.textContent());
  await page.keyboard.press('Enter');
  await page.waitForURL(/after_us=\d+.*/);
  await matches(count);
  // The same is a table.
  await page.getByText('As a table').first().click();
  const cells = page.getByRole('region', { name: 'Traces by time and duration, as a table' }).locator('tbody tr td:nth-of-type(3)');
  await cells.first().waitFor();
  const counts = await cells.allInnerTexts();
  assert.equal(counts.map(Number).reduce((sum, one) => sum + one, 0), count);
  await page.getByRole('button', { name: 'Clear filters' }).click();
  await matches(given.sold);
}
