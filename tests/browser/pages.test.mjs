// SPDX-License-Identifier: Apache-2.0
// The pages that the demo does not come to: `brickgate serve` as a product runs it, with a practice workspace that is told
// what to do wrong. Each on a phone and a desktop, light and dark.
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { begin, freePort, Gateway, Jar, Process, Sandbox, temporaryFolder, until } from '../support/brickgate.mjs';
import { codeOn, launch, look, openWindow, shown, signInAt } from '../support/browser.mjs';

let browser, sandbox, gateway, asking, misled;
const usual = { issue: 'all', scope: 'asked' };

before(async () => {
  sandbox = await Sandbox.start();
  const ports = [await freePort(), await freePort(), await freePort()];
  await sandbox.control('POST', 'apps', {
    client_id: 'brickgate-demo', client_secret: 'brickgate-demo-secret', redirect_uris: ports.map((port) => `http://localhost:${port}/callback`),
  });
  const named = { BRICKGATE_APP_NAME: 'Acme Reports' };
  gateway = await Gateway.start({ sandbox, port: ports[0], env: named });
  asking = await Gateway.start({ sandbox, port: ports[1], host: null, env: { ...named, BRICKGATE_DATABRICKS_HOSTS: sandbox.origin } });
  misled = await Gateway.start({ sandbox, port: ports[2], env: { ...named, CLIENT_SECRET: 'yesterday' } });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  for (const one of [gateway, asking, misled, sandbox]) await one?.stop();
});

// More sign-ins than one browser may have under way: the first is given up.
async function outdated(page) {
  await page.goto(`${gateway.url}/auth`);
  const first = page.url();
  for (let i = 0; i < 8; ++i) await page.context().request.get(`${gateway.url}/auth`, { maxRedirects: 0 });
  return first;
}

async function terminal(page) {
  const data = join(temporaryFolder(), 'data');
  const login = new Process(['login', sandbox.origin, '--data', data, '--no-browser'], { env: { BRICKGATE_DATABRICKS_HOSTS: sandbox.origin }, cwd: dirname(data) });
  const link = await until(() => /http\S+authorize\?\S+/.exec(login.err)?.[0], 'the link');
  return { link, end: async () => assert.equal((await login.ended).code, 0, login.err), stray: () => page.goto(`http://localhost:${new URL(new URL(link).searchParams.get('redirect_uri')).port}/nothing`) };
}

for (const screen of ['phone', 'desktop']) {
  for (const colorScheme of ['light', 'dark']) {
    test(`the other pages on a ${colorScheme} ${screen}`, async () => {
      const { context, page, problems } = await openWindow(browser, { screen, colorScheme });
      const see = (name) => look(page, problems, `serve-${name}-${screen}-${colorScheme}`);

      await signInAt(page, `${gateway.url}/auth`);
      assert.match(await shown(page), /Acme Reports is connected to Databricks/);
      assert.equal(await page.locator('pre').count(), 0, 'no lines of the demo');
      await see('connected');
      await sandbox.settings({ issue: 'no_refresh_token' });
      await signInAt(page, `${gateway.url}/auth`, { person: 'Grace Hopper' });
      assert.match(await shown(page), /ends with its first token/);
      await see('session-only');
      await sandbox.settings({ ...usual, scope: 'fewer' });
      await signInAt(page, `${gateway.url}/auth`, { person: 'Alan Turing' });
      assert.match(await shown(page), /Fewer rights/);
      await see('scope-reduced');
      await sandbox.settings(usual);

      await page.goto(asking.url);
      await page.getByLabel('Your workspace').waitFor();
      await see('which-workspace');
      await page.getByLabel('Your workspace').fill('https://dbc-a1b2c3d4-e5f6.cloud.databricks.com/?o=1');
      await page.getByRole('button', { name: 'Continue to Databricks' }).click();
      assert.equal(await codeOn(page), 'host_denied');
      await see('workspace-not-served');
      await page.goto(`${asking.url}/auth`);
      await see('workspace-missing');

      await page.goto(`${gateway.url}/auth?return_to=https://elsewhere.example/`);
      assert.equal(await codeOn(page), 'return_to_denied');
      await see('return-to-denied');
      await sandbox.fault({ endpoint: 'authorize', kind: 'server_error' });
      await page.goto(`${gateway.url}/auth`);
      assert.equal(await codeOn(page), 'server_error');
      await see('server-error');
      await sandbox.fault({ endpoint: 'token', kind: 'drop_after_commit' });
      await signInAt(page, `${gateway.url}/auth`);
      assert.equal(await codeOn(page), 'outcome_unknown');
      await see('answer-lost');
      await signInAt(page, `${misled.url}/auth`);
      assert.equal(await codeOn(page), 'invalid_client');
      await see('invalid-client');
      await signInAt(page, await begin(gateway, new Jar()));
      assert.equal(await codeOn(page), 'state_cookie_missing');
      await see('other-browser');
      const late = await outdated(page);
      await signInAt(page, late);
      assert.equal(await codeOn(page), 'login_expired');
      await see('expired');

      const login = await terminal(page);
      await login.stray();
      await see('terminal-stray');
      await signInAt(page, login.link);
      assert.match(await shown(page), /Go back to your terminal/);
      await see('terminal-thanks');
      await login.end();
      await context.close();
    });
  }
}
