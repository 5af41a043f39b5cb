// Whatever a plugin or a client writes is shown as text: nothing of it runs, becomes an element, or tears the page.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';

import { fits, rowOf, run, waterfall } from './browser.mjs';

// What the page itself never has: an element of these came out of somebody's text.
const FOREIGN = 'main script, main img, main iframe, main svg, main object, main b[onerror], main [onerror], main [onload], main style';

await run(async ({ page, given }) => {
  const clean = async () => assert.equal(await page.locator(FOREIGN).count(), 0);
  const row = rowOf(page, given.trace_id);
  await row.waitFor();
  assert.ok((await row.textContent()).includes(given.item), await row.textContent());
  await clean();
  await fits(page);
  await page.waitForFunction(() => /^\d+$/.test(document.querySelector('.figures dd')?.textContent ?? ''));
  await paintsNothingOver(page, given);
  await row.getByRole('link').click();

  const spans = await waterfall(page);
  const hostile = spans.find(({ name }) => name.startsWith('<script>'));
  assert.ok(hostile.name.length >= given.name_bytes_min, `${hostile.name.length} characters of the name are there`);
  const rows = page.getByRole('treeitem');
  for (let index = 0; index < spans.length; index += 1) {
    const { height } = await rows.nth(index).boundingBox();
    assert.ok(height <= 36, `a row is ${height} px high`);
  }
  await rows.nth(spans.indexOf(hostile)).click();
  const panel = page.locator('.panel.span');
  const shown = await panel.innerText();
  for (const text of given.shown) assert.ok(shown.includes(text), `${text} is not in ${shown}`);
  const all = await page.locator('main').innerText();
  assert.ok(!/[\u0000-\u0008\u000b-\u001f\u007f\u202a-\u202e\u2066-\u2069]/.test(all), 'nothing that can\u2019t be seen is left');
  // Each is isolated, so that none reorders its neighbours.
  assert.equal(await panel.locator('dd bdi[dir=auto]').count(), await panel.locator('.pairs dd').count());
  const lines = await page.locator('.lines').innerText();
  assert.ok(lines.includes('<script>alert') && lines.includes('\u2039ESC\u203a[2J'), lines);
  await clean();

  // A long text is whole when it is asked for.
  await panel.getByRole('button', { name: /Show all/ }).first().click();
  await fits(page);
  await page.getByRole('button', { name: 'Table' }).click();
  await clean();
  await fits(page);
  for (const width of [360, 800]) {
    await page.setViewportSize({ width, height: 800 });
    await fits(page);
    await page.getByRole('button', { name: 'Waterfall' }).click();
    await fits(page);
  }
  // It can be a filter's value, and a path, too.
  await page.goto(new URL(`/traces?item=${encodeURIComponent(given.item)}`, given.admin).href);
  await row.waitFor();
  assert.equal(await page.getByLabel('Query').inputValue(), `item:"${given.item}"`);
  await groups(page, given, clean);
  await page.goto(new URL(`/traces/${encodeURIComponent('<img src=x onerror=alert(9)>')}`, given.admin).href);
  await page.getByRole('heading', { name: /No such trace|can\u2019t be read/ }).waitFor();
  await clean();
}, { refusals: [400, 404] });

/** Checks it where many traces are told together, and where two are compared. */
async function groups(page, given, clean) {
  await page.goto(new URL('/traces', given.admin).href);
  const group = page.getByRole('region', { name: 'Groups, as a table' }).getByRole('link', { name: given.item });
  await group.waitFor();
  await clean();
  await group.click();
  await rowOf(page, given.harmless).waitFor({ state: 'detached' });
  await rowOf(page, given.trace_id).waitFor();
  await page.getByRole('button', { name: 'What differs' }).click();
  await page.getByRole('link', { name: `item ${given.item}` }).waitFor();
  await clean();
  await fits(page);
  await page.goto(new URL(`/traces/compare?a=${given.trace_id}&b=${given.harmless}`, given.admin).href);
  await page.getByRole('table').waitFor();
  for (const changed of await page.locator('summary', { hasText: 'attribute' }).all()) await changed.click();
  assert.ok((await page.locator('main').innerText()).includes(given.item));
  await clean();
  await fits(page);
}

/** Checks on screenshots that what surrounds the hostile row looks as it does without that row's texts. */
async function paintsNothingOver(page, given) {
  const surroundings = async () => {
    const pictures = [];
    for (const part of [page.locator('table.traces thead'), rowOf(page, given.harmless)]) {
      pictures.push(createHash('sha256').update(await part.screenshot({ animations: 'disabled' })).digest('hex'));
    }
    return pictures;
  };
  // What is looked at twice mustn't be made anew between.
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.mouse.move(0, 0);
  const beside = await surroundings();
  assert.deepEqual(await surroundings(), beside, 'a picture is the same twice');
  await rowOf(page, given.trace_id).evaluate((row) => {
    for (const cell of row.querySelectorAll('bdi')) cell.textContent = '-';
  });
  assert.deepEqual(await surroundings(), beside, 'the hostile row changes its surroundings');
}
