// The page while the shop is busy: for `seconds` somebody looks at the list and at a trace of 200 spans, in turn. Prints how
// long each took to paint, for host/benches/page.rs.

import { performance } from 'node:perf_hooks';

import { run } from './browser.mjs';

/** A checkout has 6 spans. */
const CHECKOUTS = 34;
const SPANS_MIN = 200;
const LOOK_MS = 2000;

await run(async ({ page, given }) => {
  const painted = { list_ms: [], trace_ms: [] };
  const until = performance.now() + given.seconds * 1000;
  while (performance.now() < until) {
    await page.goto(new URL('/traces', given.admin).href);
    const list = await timed(() => page.reload(), () => page.locator('table.traces tbody tr').nth(20).waitFor());
    painted.list_ms.push(list);
    await page.waitForTimeout(LOOK_MS);
    const id = await longTrace(given.shop);
    const rows = page.getByRole('treeitem');
    painted.trace_ms.push(await timed(() => page.goto(new URL(`/traces/${id}`, given.admin).href), () => rows.nth(SPANS_MIN - 1).waitFor()));
    await page.waitForTimeout(LOOK_MS / 2);
  }
  console.log(JSON.stringify(painted));
});

/** Returns how many ms pass until what was asked for is there and painted. */
async function timed(ask, isThere) {
  const began = performance.now();
  await ask();
  await isThere();
  return performance.now() - began;
}

/** Checks out under one trace id again and again, and returns that. */
async function longTrace(shop) {
  const id = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
  const headers = { 'content-type': 'application/json', traceparent: `00-${id}-00f067aa0ba902b7-01` };
  const body = JSON.stringify({ item: 'headphones', quantity: 1, price: 99.99 });
  for (let sent = 0; sent < CHECKOUTS; sent += 1) await (await fetch(new URL('/checkout', shop), { method: 'POST', headers, body })).text();
  return id;
}
