// SPDX-License-Identifier: Apache-2.0
// Interop: our gateway against a provider that we did not write, through a browser. What the sandbox could get wrong
// together with the gateway, this provider does not. The gateway is on localhost, the provider on 127.0.0.1.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { freePort, Gateway } from '../support/brickgate.mjs';
import { launch, openWindow, screenshot } from '../support/browser.mjs';
import { client, Workspace } from '../support/provider.mjs';

let browser, workspace, gateway, misled;

before(async () => {
  workspace = await Workspace.start();
  const [port, other] = [await freePort(), await freePort()];
  workspace.serve([port, other].map((one) => `http://localhost:${one}/callback`));
  const env = { CLIENT_ID: client.id, CLIENT_SECRET: client.secret };
  gateway = await Gateway.start({ port, host: workspace.origin, env });
  misled = await Gateway.start({ port: other, host: workspace.origin, env: { ...env, CLIENT_SECRET: 'yesterday' } });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await gateway?.stop();
  await misled?.stop();
  await workspace?.stop();
});

// The provider's own pages ask for a font of another host: nothing leaves this machine.
async function window() {
  const opened = await openWindow(browser);
  opened.context.setDefaultTimeout(10000);
  await opened.context.route((url) => !['localhost', '127.0.0.1'].includes(url.hostname), (route) => route.abort());
  return opened;
}

async function enter(page, person) {
  await page.locator('input[name=login]').fill(person);
  await page.locator('input[name=password]').fill('any');
  await page.getByRole('button', { name: 'Sign-in' }).click();
  await page.getByRole('button', { name: 'Continue' }).waitFor();
}

async function signIn({ person = 'ada@example.com', at = gateway } = {}) {
  const { context, page } = await window();
  await page.goto(`${at.url}/auth`);
  await enter(page, person);
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.waitForURL(`${at.url}/connect/result/*`);
  const text = await page.locator('main').innerText();
  return { context, page, text, id: /con_[0-9a-f]{32}/.exec(text)?.[0], code: /Code: ([a-z_]+)/.exec(text)?.[1] };
}

const refresh = (id) => gateway.api('POST', `/v1/connections/${id}/refresh`);
const problemOf = (answer) => answer.body.code ?? answer.body.error?.code ?? answer.body.error;

test('a person signs in at the provider and consents: the page names who and where', async () => {
  const signed = await signIn();
  assert.match(signed.text, /Authorization successful!/);
  assert.match(signed.text, /Ada Lovelace/);
  assert.match(signed.text, /ada@example\.com/);
  assert.ok(signed.text.includes(new URL(workspace.origin).host));
  // The provider leaves offline_access out of the scope it names and gives a refresh token all the same.
  assert.doesNotMatch(signed.text, /Fewer rights|ends with its first token/);
  await screenshot(signed.page, 'provider-connected-desktop-light');
  assert.equal(workspace.last('grant.success').grant, 'authorization_code');
  const token = await gateway.token(signed.id);
  assert.equal(token.status, 200);
  const me = await fetch(`${workspace.origin}/oidc/v1/userinfo`, { headers: { authorization: `Bearer ${token.body.access_token}` } });
  assert.equal((await me.json()).sub, 'ada@example.com', 'the provider takes the token');
  await signed.context.close();
});

test('refresh with rotation, five times: each refresh token is used once, each access token is new', async () => {
  const signed = await signIn({ person: 'grace@example.com' });
  const seen = new Set([(await gateway.token(signed.id)).body.access_token]);
  const spent = workspace.all('refresh_token.consumed').length;
  for (let i = 0; i < 5; ++i) {
    const answer = await refresh(signed.id);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    seen.add((await gateway.token(signed.id)).body.access_token);
  }
  assert.equal(seen.size, 6);
  const used = workspace.all('refresh_token.consumed').slice(spent).map(({ token }) => token);
  assert.equal(used.length, 5);
  assert.equal(new Set(used).size, 5);
  assert.ok(!used.includes(workspace.last('refresh_token.saved').token), 'the newest one is kept unused');
  await signed.context.close();
});

test('a rotated refresh token that somebody presents again ends the family, and we say so once', async () => {
  const signed = await signIn({ person: 'alan@example.com' });
  const stolen = workspace.last('refresh_token.saved').token;
  assert.equal((await refresh(signed.id)).status, 200);
  const thief = await workspace.token({ grant_type: 'refresh_token', refresh_token: stolen });
  assert.equal(thief.body.error, 'invalid_grant');
  assert.ok(workspace.last('grant.revoked'));
  const answer = await refresh(signed.id);
  assert.equal(answer.status, 409, JSON.stringify(answer.body));
  assert.equal(problemOf(answer), 'reauth_required', JSON.stringify(answer.body));
  const state = await gateway.api('GET', `/v1/connections/${signed.id}`);
  assert.equal(state.body.status, 'reauth_required');
  assert.equal(state.body.reason, 'revoked');
  const errors = workspace.all('grant.error').length;
  assert.equal((await refresh(signed.id)).status, 409);
  assert.equal(workspace.all('grant.error').length, errors, 'a dead family is not asked about again');
  const again = await signIn({ person: 'alan@example.com' });
  assert.equal(again.id, signed.id, 'signing in again mends the same connection');
  assert.equal((await refresh(signed.id)).status, 200);
  await signed.context.close();
  await again.context.close();
});

test('a workspace that offers revocation is told when a connection ends; its refresh token is worth nothing then', async () => {
  const signed = await signIn({ person: 'grace@example.com' });
  const kept = workspace.last('refresh_token.saved').token;
  const ended = await gateway.api('DELETE', `/v1/connections/${signed.id}`);
  assert.equal(ended.status, 200, JSON.stringify(ended.body));
  assert.deepEqual({ ...ended.body, id: '' }, { id: '', status: 'disconnected', upstream: 'revoked', end_the_grant_at: null });
  const late = await workspace.token({ grant_type: 'refresh_token', refresh_token: kept });
  assert.equal(late.body.error, 'invalid_grant');
  const again = await gateway.api('DELETE', `/v1/connections/${signed.id}`);
  assert.ok([200, 410].includes(again.status));
  assert.notEqual(again.body.upstream, 'revoked', 'there was nothing left to show');
  await signed.context.close();
});

test('who cancels at the provider is not connected', async () => {
  const { context, page } = await window();
  const grants = workspace.all('grant.success').length;
  await page.goto(`${gateway.url}/auth`);
  await enter(page, 'ada@example.com');
  await page.getByRole('link', { name: 'Cancel' }).click();
  await page.waitForURL(`${gateway.url}/connect/result/*`);
  assert.equal(await page.locator('.code code').textContent(), 'access_denied');
  await screenshot(page, 'provider-cancelled-desktop-light');
  assert.equal(workspace.all('grant.success').length, grants);
  await context.close();
});

test('a client secret that was changed at the provider: the page blames the set-up, not the person', async () => {
  const signed = await signIn({ at: misled });
  assert.equal(signed.code, 'invalid_client');
  assert.match(signed.text, /You did nothing wrong/);
  assert.equal(workspace.last('grant.error').error, 'invalid_client');
  await screenshot(signed.page, 'provider-invalid-client-desktop-light');
  await signed.context.close();
});

// Up to the callback, which is not let through: the code stays unused.
async function codeFor(start, person) {
  const { context, page } = await window();
  await page.goto(start);
  await enter(page, person);
  // The provider answers the last button with a chain of redirects; only the last of them leads to us.
  const action = await page.locator('form').first().getAttribute('action');
  const cookies = new Map((await context.cookies()).filter(({ domain }) => domain === '127.0.0.1').map(({ name, value }) => [name, value]));
  let next = new URL(action, page.url());
  let options = { method: 'POST', body: new URLSearchParams({ prompt: 'consent' }) };
  while (next.origin === workspace.origin) {
    const cookie = [...cookies].map((pair) => pair.join('=')).join('; ');
    const answer = await fetch(next, { ...options, redirect: 'manual', headers: { cookie } });
    for (const line of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      cookies.set(name, value);
    }
    options = {};
    next = new URL(answer.headers.get('location'), next);
  }
  return { context, page, callback: next };
}

test('T15 a code of another sign-in: the provider refuses our verifier, and nobody is connected', async () => {
  const first = await codeFor(`${gateway.url}/auth`, 'ada@example.com');
  const second = await codeFor(`${gateway.url}/auth`, 'grace@example.com');
  second.callback.searchParams.set('code', first.callback.searchParams.get('code'));
  const answer = await second.page.goto(String(second.callback));
  assert.equal(answer.status(), 502);
  assert.equal(await second.page.locator('.code code').textContent(), 'code_rejected');
  assert.equal(workspace.last('grant.error').error, 'invalid_grant');
  assert.match(workspace.last('grant.error').detail, /code_verifier does not match/);
  await screenshot(second.page, 'provider-code-rejected-desktop-light');
  await first.context.close();
  await second.context.close();
});

test('the provider refuses a tampered verifier and a missing one, and takes the right one', async () => {
  const verifier = randomBytes(32).toString('base64url');
  const redirect_uri = `${gateway.url}/callback`;
  const ask = async () => (await codeFor(`${workspace.origin}/oidc/v1/authorize?${new URLSearchParams({
    client_id: client.id, redirect_uri, response_type: 'code', scope: 'openid all-apis', state: 's',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256',
  })}`, 'ada@example.com'));
  for (const [code_verifier, status] of [[`${verifier.slice(0, -1)}${verifier.endsWith('A') ? 'B' : 'A'}`, 400], [undefined, 400], [verifier, 200]]) {
    const { context, callback } = await ask();
    const answer = await workspace.token({ grant_type: 'authorization_code', code: callback.searchParams.get('code'), redirect_uri,
      ...(code_verifier && { code_verifier }) });
    assert.equal(answer.status, status, JSON.stringify(answer.body));
    if (status !== 200) assert.equal(answer.body.error, 'invalid_grant');
    await context.close();
  }
});

test('a code that is used twice ends the family that came of it', async () => {
  const signed = await signIn({ person: 'grace@example.com' });
  const code = workspace.last('authorization_code.saved').token;
  const again = await workspace.token({ grant_type: 'authorization_code', code, redirect_uri: `${gateway.url}/callback`,
    code_verifier: workspace.last('grant.success').verifier });
  assert.equal(again.body.error, 'invalid_grant');
  const answer = await refresh(signed.id);
  assert.equal(answer.status, 409, JSON.stringify(answer.body));
  assert.equal(problemOf(answer), 'reauth_required', JSON.stringify(answer.body));
  await signed.context.close();
});

test('no line of our log holds a token or a code of the provider', () => {
  const secrets = workspace.events.flatMap(({ token, verifier }) => [token, verifier]).filter(Boolean);
  assert.ok(secrets.length > 15);
  for (const secret of secrets) for (const { process } of [gateway, misled]) assert.ok(!`${process.err}${process.out}`.includes(secret));
});
