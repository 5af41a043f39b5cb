// Plugins: what is live, with who and why; back to the version before, a canary's gates, a file deployed and withdrawn. By keyboard alone, as
// far as a browser lets a script choose a file.

import assert from 'node:assert/strict';

import { axe, fits, run } from './browser.mjs';

await run(async ({ page, given, picture }) => {
  const hook = page.getByRole('region', { name: 'Live at checkout' });
  await page.getByRole('heading', { name: 'Traces' }).waitFor();
  await page.keyboard.press('g');
  await page.keyboard.press('p');
  await page.getByRole('heading', { name: 'Plugins', level: 1 }).waitFor();
  const row = hook.getByRole('row').nth(1);
  await row.waitFor();
  for (const text of [given.live, given.by, given.reason]) assert.ok((await row.textContent()).includes(text), `${text} is not in ${await row.textContent()}`);
  assert.equal(await page.locator('main img, main script, main [onerror]').count(), 0, 'somebody\u2019s text became an element');

  // What is tried, with each gate's figure beside its limit.
  const rollout = page.getByRole('region', { name: 'Tried beside the live version' });
  assert.ok((await rollout.textContent()).includes(`${given.calls} of 100 calls`), await rollout.textContent());
  const gates = await page.getByRole('region', { name: 'Gates' }).getByRole('row').allTextContents();
  assert.deepEqual(gates.slice(1).map((gate) => /^[A-Za-z0-9 ]*?(?=\d+(\.\d)? |\d)/.exec(gate)?.[0] ?? gate).length, 5);
  await picture('plugins');
  await axe(page);

  await press(page, 'Abort #' + given.candidate);
  const dialog = page.getByRole('dialog');
  assert.ok((await dialog.textContent()).includes('is withdrawn and runs on no request any more'), await dialog.textContent());
  assert.equal(await page.evaluate(() => document.activeElement.id), 'confirm-reason');
  await axe(page);
  await page.keyboard.press('Escape');
  assert.equal(await dialog.count(), 0);
  await rollout.waitFor();
  await press(page, 'Abort #' + given.candidate);
  await page.keyboard.type('it takes a cent too much');
  await page.keyboard.press('Enter');
  await said(page, /is aborted: it takes a cent too much/);

  await press(page, `Roll back to #${given.before}`);
  await page.keyboard.type('back to what worked');
  await page.keyboard.press('Enter');
  await said(page, /is live in the place of/);
  const history = page.getByRole('region', { name: 'History' });
  await history.getByText('back to what worked').waitFor();

  // A file becomes a canary, and one that is no plugin is refused with what to change.
  await page.getByLabel(/The plugin.s component/).setInputFiles({ name: '<img src=x onerror=alert(1)>.wasm', mimeType: 'application/wasm', buffer: Buffer.from('no plugin') });
  await press(page, /^Make <img/);
  await page.keyboard.press('Enter');
  await page.getByRole('alert').filter({ hasText: /component|wasm/i }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByLabel(/The plugin.s component/).setInputFiles(given.file);
  await page.getByLabel('It becomes').focus();
  await page.keyboard.press('ArrowDown');
  await press(page, /^Try .* on 10 %$/);
  await page.keyboard.press('Enter');
  await said(page, /is tried beside/);
  await rollout.waitFor();
  await press(page, /^Promote #/);
  await page.keyboard.press('Enter');
  await said(page, /is promoted/);

  for (const [width, colorScheme] of [[390, 'light'], [390, 'dark'], [1280, 'dark']]) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 844 });
    await fits(page);
  }
  // A version has a page of its own, which Escape leaves.
  await hook.getByRole('link').first().focus();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'What it is' }).waitFor();
  await axe(page);
  await page.setViewportSize({ width: 390, height: 844 });
  await fits(page);
  await page.keyboard.press('Escape');
  await page.getByRole('heading', { name: 'Plugins', level: 1 }).waitFor();
}, { refusals: [422] });

/** Tabs to the button and presses Enter. */
async function press(page, name) {
  const button = page.getByRole('button', { name, exact: typeof name === 'string' }).first();
  await button.waitFor();
  await page.evaluate(() => document.activeElement?.blur());
  for (let tabs = 0; tabs < 80; tabs += 1) {
    await page.keyboard.press('Tab');
    if (await button.evaluate((element) => element === document.activeElement)) {
      await page.keyboard.press('Enter');
      return;
    }
  }
  assert.fail(`Tab doesn't come to ${name}`);
}

async function said(page, words) {
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page.locator('.plugins .outcome').filter({ hasText: words }).waitFor();
}
