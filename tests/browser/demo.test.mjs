// SPDX-License-Identifier: Apache-2.0
// The demo as a person meets it: Chromium, `brickgate demo`, and nothing else. The gateway is on localhost and the
// practice workspace on 127.0.0.1, so that the browser takes them for different sites, as it would in earnest.
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { approve, begin, freePort, Jar, Process, temporaryFolder } from '../support/brickgate.mjs';
import { codeOn, launch, look, openWindow, real, shown, signInAt } from '../support/browser.mjs';

let browser, demo, url, workspace, data;

before(async () => {
  data = join(temporaryFolder(), 'data');
  const [port, sandboxPort] = [await freePort(), await freePort()];
  demo = new Process(['demo', '--data', data, '--listen', `127.0.0.1:${port}`, '--sandbox-listen', `127.0.0.1:${sandboxPort}`],
    { cwd: dirname(data) });
  const ready = await demo.ready();
  url = ready.public_url;
  workspace = ready.sandbox;
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await demo?.stop();
  rmSync(dirname(data), { recursive: true, force: true });
});

const signIn = (page, { at = `${url}/auth`, ...rest } = {}) => signInAt(page, at, rest);

for (const screen of ['phone', 'desktop']) {
  for (const colorScheme of ['light', 'dark']) {
    test(`every page on a ${colorScheme} ${screen}`, async () => {
      const { context, page, problems } = await openWindow(browser, { screen, colorScheme });
      const see = (name) => look(page, problems, `demo-${name}-${screen}-${colorScheme}`);
      let callback;
      page.on('request', (request) => { if (request.url().startsWith(`${url}/callback`)) callback = request.url(); });

      await page.goto(url);
      await see('connect');
      await page.getByRole('link', { name: 'Continue to Databricks' }).click();
      assert.equal(new URL(page.url()).origin, workspace);
      await see('sign-in');
      await page.getByRole('button', { name: 'Ada Lovelace' }).click();
      await see('consent');
      await page.getByRole('button', { name: 'Approve' }).click();
      await page.getByRole('heading', { name: 'Authorization successful!' }).waitFor();
      await see('connected');
      await page.goto(callback);
      await see('used-link');
      assert.equal(await codeOn(page), 'state_unknown');
      await signIn(page, { answer: 'Deny' });
      await see('denied');
      await page.goto(`${url}/auth?workspace=dbc-a1b2c3d4-e5f6.cloud.databricks.com.evil.test`);
      await see('foreign-host');
      await page.goto(`${url}/connect/result/none`);
      await see('gone');
      await page.goto(`${url}/nothing`);
      await see('not-found');
      await page.goto(workspace);
      await see('sandbox');
      await context.close();
    });
  }
}

test('a person signs in: the page names workspace and person, the address bar has neither code nor state', async () => {
  const { context, page, problems } = await openWindow(browser);
  await signIn(page);
  await page.getByRole('heading', { name: 'Authorization successful!' }).waitFor();
  const text = await shown(page);
  assert.match(text, /Ada Lovelace/);
  assert.match(text, /ada@example\.com/);
  assert.ok(text.includes(new URL(workspace).host), 'the workspace is named');
  assert.match(page.url(), new RegExp(`^${url}/connect/result/[A-Za-z0-9_-]+$`));
  assert.deepEqual((await context.cookies(url)).filter(({ name }) => name.includes('bg_t_')), [], 'the cookie is gone');
  assert.deepEqual(real(problems), []);
  await context.close();
});

test('the command on the page gives a token that the workspace takes', async () => {
  const { context, page } = await openWindow(browser);
  await signIn(page, { person: 'Grace Hopper' });
  const [, key, at] = /Authorization: Bearer (\S+)' (\S+)/.exec(await page.locator('pre').first().textContent());
  const answer = await fetch(at, { headers: { authorization: `Bearer ${key}` } });
  assert.equal(answer.status, 200);
  // Without script: one click takes the whole command, however it is broken into lines.
  await page.locator('pre').first().click();
  assert.equal((await page.evaluate(() => getSelection().toString())).replaceAll('\n', ''), await page.locator('pre').first().textContent());
  const { access_token: token } = await answer.json();
  const me = await fetch(`${workspace}/api/2.0/preview/scim/v2/Me`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal((await me.json()).userName, 'grace@example.com');
  await context.close();
});

test('it works without JavaScript', async () => {
  const { context, page } = await openWindow(browser, { javaScriptEnabled: false });
  await signIn(page);
  assert.match(await shown(page), /Authorization successful!/);
  await context.close();
});

test('who denies is told that nothing was kept, and the way back in works', async () => {
  const { context, page } = await openWindow(browser);
  await signIn(page, { answer: 'Deny' });
  assert.equal(await codeOn(page), 'access_denied');
  assert.doesNotMatch(page.url(), /code=|state=|error/);
  await page.getByRole('link', { name: 'Try again' }).click();
  await page.getByRole('link', { name: 'Continue to Databricks' }).click();
  await page.getByRole('button', { name: 'Ada Lovelace' }).click();
  await page.getByRole('button', { name: 'Approve' }).click();
  assert.match(await shown(page), /Authorization successful!/);
  await context.close();
});

test('T02 a workspace address forwarded to another browser connects nobody, and the page says so', async () => {
  for (const screen of ['phone', 'desktop']) {
    const forwarded = await begin({ url }, new Jar());
    const { context, page, problems } = await openWindow(browser, { screen });
    await signIn(page, { at: forwarded, person: 'Grace Hopper' });
    assert.equal(await codeOn(page), 'state_cookie_missing');
    assert.match(await shown(page), /do not go on/);
    assert.doesNotMatch(page.url(), /code=|state=/);
    await look(page, problems, `demo-other-browser-${screen}-light`);
    await context.close();
  }
});

test('T01 a finished link of a stranger connects nobody', async () => {
  const link = await approve(await begin({ url }, new Jar()), { email: 'grace@example.com' });
  const { context, page } = await openWindow(browser);
  const answer = await page.goto(link);
  assert.equal(answer.status(), 403);
  assert.equal(await codeOn(page), 'state_cookie_missing');
  await context.close();
});

test('T04 the second visit of a link is a plain page, and the connection stays', async () => {
  const { context, page } = await openWindow(browser);
  const links = [];
  page.on('request', (request) => { if (request.url().startsWith(`${url}/callback`)) links.push(request.url()); });
  await signIn(page);
  const good = page.url();
  for (let i = 0; i < 2; ++i) {
    await page.goto(links[0]);
    assert.equal(await codeOn(page), 'state_unknown');
  }
  await page.goto(good);
  assert.match(await shown(page), /Authorization successful!/);
  await context.close();
});

test('T22 neither history nor Referer carries a code; the way back does not lead to the callback', async () => {
  const { context, page } = await openWindow(browser);
  const headers = [];
  const callbacks = [];
  page.on('request', (request) => {
    headers.push(request.allHeaders());
    if (request.url().startsWith(`${url}/callback`)) callbacks.push(new URL(request.url()));
  });
  await signIn(page);
  await page.evaluate((next) => location.assign(next), `${workspace}/`);
  await page.waitForURL(`${workspace}/`);
  const secrets = ['code', 'state'].map((name) => callbacks[0].searchParams.get(name));
  assert.ok(secrets.every(Boolean));
  const session = await context.newCDPSession(page);
  const { entries } = await session.send('Page.getNavigationHistory');
  const addresses = entries.map((entry) => entry.url);
  assert.ok(addresses.some((address) => address.includes('/connect/result/')));
  for (const address of addresses) {
    assert.ok(!address.includes(secrets[0]), address);
    assert.ok(!address.startsWith(`${url}/callback`), address);
    if (address.startsWith(url)) assert.doesNotMatch(address, /code=|state=/);
  }
  const sent = (await Promise.all(headers)).map((one) => one.referer ?? '');
  assert.ok(sent.length > 6);
  for (const referer of sent) for (const secret of secrets) assert.ok(!referer.includes(secret), referer);
  assert.ok(!(await page.evaluate(() => document.referrer)), 'the result page tells the next site nothing');
  await context.close();
});

test('T24 markup that a workspace sends as error_description is text, never a script of ours', async () => {
  for (const text of ['<img src=x onerror=alert(1)>', '"><script>alert(1)</script>', '</code><svg onload=alert(1)>', "'-alert(1)-'",
    '<a href="javascript:alert(1)">go on</a>', '<form action="http://127.0.0.1:1/"><input name=p></form>']) {
    const { context, page, problems } = await openWindow(browser);
    const dialogs = [];
    page.on('dialog', (dialog) => { dialogs.push(dialog.message()); dialog.dismiss(); });
    let state;
    page.on('request', (request) => { state ??= new URL(request.url()).searchParams.get('state'); });
    await page.goto(`${url}/auth`);
    await page.goto(`${url}/callback?${new URLSearchParams({ error: 'server_error', error_description: text, state })}`);
    assert.equal(await codeOn(page), 'server_error');
    assert.equal(await page.locator('script, svg, form, input, [onerror], [onload], a[href^="javascript:"]').count(), 0, text);
    assert.equal(await page.locator('img').count(), 1, 'the logo alone');
    assert.deepEqual(dialogs, [], text);
    assert.deepEqual(real(problems), [], text);
    await context.close();
  }
});

test('T25 no page lets itself be framed by another site', async () => {
  const framed = async (prepare = () => {}) => {
    const { context, page } = await openWindow(browser);
    await prepare(context);
    await page.goto(`${workspace}/_sandbox/log`);
    await page.setContent(`<iframe src="${url}/"></iframe>`);
    await page.waitForTimeout(500);
    const text = await page.frames().find((frame) => frame !== page.mainFrame()).content();
    await context.close();
    return text.includes('Connect Databricks');
  };
  assert.equal(await framed(), false);
  // Without our headers it is shown: the test can fail.
  const unguarded = (context) => context.route(`${url}/`, (route) => route.fulfill({ contentType: 'text/html', body: 'Connect Databricks' }));
  assert.equal(await framed(unguarded), true);
});
