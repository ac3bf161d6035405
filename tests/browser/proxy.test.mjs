// SPDX-License-Identifier: Apache-2.0
// T44: a page that a workspace answers runs nothing on our origin, in a real browser.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, openWindow } from '../support/browser.mjs';
import { ProxyWorld } from '../support/proxy_world.mjs';

let world, browser;
before(async () => {
  world = await ProxyWorld.start();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await world?.stop();
});

test('T44 HTML of the workspace is shown, if at all, without its scripts', async () => {
  const page = '<!doctype html><title>quiet</title><script>document.title = "ran"</script><img src=x onerror="document.title = \'ran\'"><iframe srcdoc="<script>top.document.title = \'ran\'</script>"></iframe><form action="/v1/connections"></form>';
  world.double.on('/api/2.0/page', async (x) => {
    await x.drain();
    await x.respond(200, [['Content-Type', 'text/html'], ['Set-Cookie', 'planted=1; Path=/'], ['Content-Security-Policy', "script-src 'unsafe-inline'"], ['Refresh', '0; url=/healthz']], page);
  });
  const { context, page: tab } = await openWindow(browser);
  await context.setExtraHTTPHeaders({ Authorization: `Bearer ${world.capability}` });
  const answer = await tab.goto(`${world.origin}/api/2.0/page`);
  assert.equal(answer.status(), 200);
  await tab.waitForTimeout(300);
  assert.equal(await tab.title(), 'quiet');
  assert.ok(tab.url().endsWith('/api/2.0/page'), 'and leads nowhere');
  assert.deepEqual(await context.cookies(), []);
  await context.close();
});
