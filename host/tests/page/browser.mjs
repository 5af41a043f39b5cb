// A browser on the trace page, for the scripts beside this one: each is one promise of the page's, run by
// host/tests/it/page.rs as `node {script}.mjs '{"admin": "http://…", …}'` against a host. It fails by throwing.

import assert from 'node:assert/strict';
import http from 'node:http';
import path from 'node:path';

import axeCore from 'axe-core';
import { chromium } from 'playwright-core';

const given = JSON.parse(process.argv[2]);
const PATIENCE_MS = 120_000;
const PHONE_PX = 390;

/**
 * Runs the promise in a page at `given.path`, and checks what holds for each of them: nothing was run that isn't the
 * page's, nothing was asked of anyone but the host, and nothing is wider than the window. With `given.behind` the host is
 * behind a proxy that takes this path off.
 */
export async function run(promise, { refusals = [], size = { width: 1280, height: 860 } } = {}) {
  const proxy = given.behind ? await startProxy(given.behind) : null;
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking'],
  });
  try {
    const context = await browser.newContext({ viewport: size, colorScheme: 'light', reducedMotion: 'reduce', timezoneId: 'UTC' });
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    const wrong = watch(page, refusals);
    await page.goto(new URL(`${given.behind ?? ''}${given.path ?? '/traces'}`, given.admin).href);
    await promise({ page, given, picture: (name, height) => picture(page, name, height) });
    await fits(page);
    assert.deepEqual(wrong, []);
  } finally {
    await browser.close();
    proxy?.close();
  }
}

/** Starts a proxy that has the host under the path and nothing beside it, and puts it in the host's place. */
async function startProxy(behind) {
  const host = given.admin;
  const proxy = http.createServer((request, response) => {
    if (!request.url.startsWith(`${behind}/`)) return void response.writeHead(404).end();
    const { method, headers } = request;
    const asked = new URL(request.url.slice(behind.length), host);
    const passed = http.request(asked, { method, headers: { ...headers, host: asked.host } }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    request.pipe(passed);
  });
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  given.admin = `http://127.0.0.1:${proxy.address().port}`;
  return proxy;
}

/** Returns a list in which everything appears that mustn't happen. `refusals` are the statuses that a script asks for. */
function watch(page, refusals) {
  const wrong = [];
  page.on('dialog', (dialog) => {
    wrong.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on('pageerror', (error) => wrong.push(`error: ${error.stack}`));
  page.on('console', (message) => {
    const refused = /status of (\d+)/.exec(message.text());
    if (refused && refusals.includes(Number(refused[1]))) return;
    wrong.push(`console: ${message.text()} ${message.location().url}`);
  });
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (!['blob:', 'data:'].includes(url.protocol) && url.origin !== new URL(given.admin).origin) wrong.push(`asked ${url}`);
  });
  page.on('popup', (popup) => wrong.push(`popup: ${popup.url()}`));
  return wrong;
}

/** Checks that the document can't be scrolled sideways. */
export async function fits(page) {
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(content <= window, `${content} px of content in a window of ${window} px`);
}

/**
 * Fails with what axe-core finds wrong on the page as it stands: in light, in dark, and as wide as a phone, where it must
 * fit as well. The page then is as it was.
 */
export async function axe(page) {
  const size = page.viewportSize();
  // As an expression of the debugger's: the page's policy allows no script of others.
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axeCore.source);
  for (const [colorScheme, width] of [['light', size.width], ['dark', size.width], ['light', PHONE_PX], ['dark', PHONE_PX]]) {
    await page.setViewportSize({ width, height: size.height });
    await page.emulateMedia({ colorScheme });
    const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
    const told = violations.map(({ id, help, nodes }) =>
      `${id}: ${help}\n${nodes.slice(0, 5).map(({ html, failureSummary }) => `  ${html.slice(0, 300)}\n  ${failureSummary}`).join('\n')}`);
    assert.equal(told.length, 0, `${colorScheme}, ${width} px, ${page.url()}\n${told.join('\n')}`);
    await fits(page);
  }
  await page.setViewportSize(size);
  await page.emulateMedia({ colorScheme: 'light' });
}

/** Waits for the trace's waterfall and returns its spans, top down: `{name, maker, level, error, selected, from, share}`. */
export async function waterfall(page) {
  await page.getByRole('tree').waitFor();
  return page.getByRole('treeitem').evaluateAll((rows) => rows.map((row) => ({
    name: row.querySelector('.spanname').textContent,
    maker: ['host', 'call', 'guest'].find((maker) => row.classList.contains(maker)),
    level: Number(row.getAttribute('aria-level')),
    error: row.textContent.includes('error'),
    selected: row.getAttribute('aria-selected') === 'true',
    from: Number(row.style.getPropertyValue('--from')),
    share: Number(row.style.getPropertyValue('--share')),
  })));
}

/** Types a query and enters it. */
export async function ask(page, query) {
  await page.getByLabel('Query').fill(query);
  await page.keyboard.press('Enter');
}

/** Returns the list's row of the trace. */
export function rowOf(page, traceId) {
  return page.locator('table.traces tbody tr', { has: page.locator(`a[href$="/traces/${traceId}"]`) });
}

/** Returns the element's background and text colour, as [r, g, b]. */
export async function colours(locator) {
  return locator.evaluate((element) => {
    const of = (name) => getComputedStyle(element)[name].match(/\d+/g).slice(0, 3).map(Number);
    return { background: of('backgroundColor'), text: of('color') };
  });
}

export function isRed([red, green, blue]) {
  return red > green + 10 && red > blue + 10;
}

/** Takes the picture of docs of that name, if pictures are asked for. */
async function picture(page, name, height = 800) {
  if (!given.pictures) return;
  await page.mouse.move(0, 0);
  const clip = { x: 0, y: 0, width: page.viewportSize().width, height };
  await page.screenshot({ path: path.join(given.pictures, `${name}.png`), animations: 'disabled', clip });
}
