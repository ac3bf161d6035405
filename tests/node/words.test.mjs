// SPDX-License-Identifier: Apache-2.0
// What pages, answers and commands say when something is wrong: true, and with a way on.
import assert from 'node:assert/strict';
import { dirname } from 'node:path';
import { after, before, test } from 'node:test';
import { command, freePort, Gateway, Jar, Sandbox, signIn, temporaryFolder } from '../support/brickgate.mjs';

let sandbox, gateway;
before(async () => {
  sandbox = await Sandbox.start();
  gateway = await Gateway.start({ sandbox });
  await sandbox.control('POST', 'apps', { client_id: 'brickgate-demo', client_secret: 'brickgate-demo-secret', redirect_uris: [`${gateway.url}/callback`] });
});
after(async () => {
  await gateway.stop();
  await sandbox.stop();
});
const page = async (path, at = gateway) => {
  const answer = await fetch(at.url + path, { redirect: 'manual' });
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
};
const button = (text) => /<a class="button" href="([^"]*)">/.exec(text)?.[1].replaceAll('&#61;', '=');

test('who declines is not told that a connection made before is gone', async () => {
  const jar = new Jar();
  const { id } = await signIn(gateway, jar);
  const declined = await signIn(gateway, jar, { answer: 'deny' });
  assert.match(declined.page.text, /a connection made before stays/);
  assert.doesNotMatch(declined.page.text, /no access|Nothing was stored/);
  assert.equal((await gateway.token(id)).status, 200);
});

test('what was refused is not asked for again by the button', async () => {
  const workspace = await page('/auth?workspace=evil.example&subject=u1');
  assert.match(workspace.text, /host_denied/);
  assert.equal(button(workspace.text), '/?subject=u1');
  const long = await page(`/auth?subject=${'x'.repeat(201)}`);
  assert.equal(long.status, 400);
  assert.equal(button(long.text), '/');
});

test('an address that is not there leads to the start', async () => {
  for (const path of ['/auth/', '/nothing']) {
    const gone = await page(path);
    assert.equal(gone.status, 404);
    assert.match(gone.text, /<a class="button" href="\/">To the start<\/a>/);
  }
});

test('an answer with a state that is not ours is not told that it has none', async () => {
  const jar = new Jar();
  const shown = async (query) => (await jar.get(gateway.url + (await jar.get(`${gateway.url}/callback?${query}`)).location)).text;
  assert.match(await shown('code=x&state=y'), /The answer carries a state that is not of ours/);
  assert.match(await shown('code=x'), /The answer carries no state\./);
});

test('HSTS is for this name alone, and not for localhost', async (t) => {
  assert.equal((await page('/')).headers.get('strict-transport-security'), null);
  const started = async (url) => {
    const other = await Gateway.start({ sandbox, env: { BRICKGATE_SERVER_PUBLIC_URL: url, BRICKGATE_TLS_TERMINATED_UPSTREAM: 'true' } });
    t.after(() => other.stop());
    return page('/healthz/none', other);
  };
  assert.equal((await started('https://localhost:8443')).headers.get('strict-transport-security'), null);
  const { get } = await import('node:http');
  const far = await Gateway.start({ sandbox, env: { BRICKGATE_SERVER_PUBLIC_URL: 'https://gate.example.com', BRICKGATE_TLS_TERMINATED_UPSTREAM: 'true' } });
  t.after(() => far.stop());
  const headers = await new Promise((resolve) => get({ host: '127.0.0.1', port: far.port, path: '/', headers: { host: 'gate.example.com' } }, (answer) => { answer.resume(); resolve(answer.headers); }));
  assert.equal(headers['strict-transport-security'], 'max-age=63072000');
});

test('a program that calls the browsers\' listener is told where the API is', async (t) => {
  const apart = await Gateway.start({ sandbox, args: ['--private-listen', `127.0.0.1:${await freePort()}`] });
  t.after(() => apart.stop());
  const answer = await fetch(`${apart.url}/v1/connections`);
  const { error } = await answer.json();
  assert.deepEqual([answer.status, error.code], [404, 'not_found']);
  assert.match(error.message, /server\.private_listen/);
});

test('an empty report of a rejected token is told what to send', async () => {
  const { id } = await signIn(gateway, new Jar());
  const empty = await gateway.api('POST', `/v1/connections/${id}/token/rejected`);
  assert.equal(empty.status, 400);
  assert.match(empty.body.error.message, /fingerprint, generation or access_token/);
});

test('explain at a terminal speaks to people, and is true while a refresh does not succeed', async () => {
  const { id } = await signIn(gateway, new Jar());
  assert.match((await gateway.cli('connections', 'explain', id)).out, /Who must act: nobody\n/);
  await sandbox.fault({ endpoint: 'token', kind: 'status', status: 503 });
  assert.notEqual((await gateway.cli('connections', 'refresh', id)).code, 0);
  const said = (await gateway.cli('connections', 'explain', id)).out;
  assert.match(said, /The last try to refresh did not succeed \(\w+\); nothing is lost/);
  assert.doesNotMatch(said, /Healthy|The last 1 tries/);
  await gateway.cli('connections', 'disconnect', id);
  const over = await gateway.cli('connections', 'explain', id);
  assert.match(over.out, /Who must act: the person who connected\. /);
  assert.match((await gateway.cli('connections', 'list', '--status', 'disconnected')).out, new RegExp(`${id} {2}disconnected .* since \\d{4}-`));
  const status = await gateway.cli('connections', 'list', '--status', 'activ');
  assert.match(status.err, /pending, active, .*reauth_required/);
  const none = await gateway.cli('connections', 'list', '--subject', 'nobody');
  assert.match(none.out, /^No connection fits that/);
});

test('doctor tries the secret, and says a thing once', async () => {
  const doctor = async (env) => {
    const run = await command(['doctor', '--json', '--data', gateway.data], { env: { ...gateway.env, REDIRECT_URI: `${gateway.url}/callback`, BRICKGATE_SERVER_LISTEN: `127.0.0.1:${gateway.port}`, ...env }, cwd: dirname(gateway.data) });
    return { code: run.code, of: (check) => JSON.parse(run.out).findings.filter((one) => one.check === check) };
  };
  const before = (await sandbox.families()).length;
  const right = await doctor({});
  assert.equal(right.code, 0);
  assert.deepEqual(right.of('secret').map(({ verdict }) => verdict), ['ok']);
  const wrong = await doctor({ CLIENT_SECRET: 'dose0000' });
  assert.equal(wrong.code, 1);
  assert.match(wrong.of('secret')[0].what, /refuses this secret/);
  assert.match(wrong.of('secret')[0].remedy, /CLIENT_SECRET/);
  assert.deepEqual((await doctor({ CLIENT_ID: 'nobody' })).of('secret'), [], 'an app that is not known is shown no secret');
  assert.equal((await sandbox.families()).length, before, 'nothing was granted or ended');
  const misled = await doctor({ BRICKGATE_SERVER_LISTEN: '127.0.0.1:1' });
  assert.equal(misled.of('redirect_uri').length, 1);
  assert.ok(misled.of('configuration').every(({ what }) => !what.includes('leads to port')), JSON.stringify(misled.of('configuration')));
  const dead = await doctor({ DATABRICKS_HOST: `http://127.0.0.1:${await freePort()}` });
  assert.ok(dead.of('discovery').every(({ remedy }) => !remedy.includes('doctor')), JSON.stringify(dead.of('discovery')));
});

test('the practice Databricks names the app that it was given, and a taken port asks for no other redirect URI', async (t) => {
  const other = await Sandbox.start({ args: ['--client-id', 'my-app'] });
  t.after(() => other.stop());
  const query = new URLSearchParams({ response_type: 'code', client_id: 'my-app', redirect_uri: 'http://localhost:3000/callback', scope: 'all-apis', state: 's', code_challenge: Buffer.alloc(32).toString('base64url'), code_challenge_method: 'S256' });
  assert.match(await (await fetch(`${other.origin}/oidc/v1/authorize?${query}`)).text(), /to continue to <b>my-app<\/b>/);
  const taken = await command(['sandbox', '--listen', `127.0.0.1:${other.port}`], { cwd: temporaryFolder() });
  assert.equal(taken.code, 69);
  assert.match(taken.err, /--listen/);
  assert.doesNotMatch(taken.err, /redirect URI/);
});

test('a token that cannot live as long as was asked for is handed out with a word', async () => {
  await sandbox.settings({ access_ttl: 60 });
  const { id } = await signIn(gateway, new Jar(), { query: '?subject=short' });
  const got = await gateway.cli('token', id, '--min-valid', '3600');
  await sandbox.settings({ access_ttl: 3600 });
  assert.equal(got.code, 0, got.err);
  assert.match(got.err, /good for \d+ seconds, not the 3600 that were asked for/);
  assert.equal((await gateway.cli('token', id)).err, '');
});

test('refusals at a terminal name commands, not routes', async () => {
  const { id } = await signIn(gateway, new Jar(), { query: '?subject=revoked' });
  const unknown = await gateway.cli('connections', 'show', 'con_00000000000000000000000000000000');
  assert.match(unknown.err, /brickgate connections list/);
  const key = await gateway.cli('api-keys', 'revoke', 'nothing');
  assert.match(key.err, /brickgate api-keys list/);
  await sandbox.control('POST', 'revoke', {});
  const dead = await gateway.cli('token', id, '--force-refresh');
  assert.match(dead.err, new RegExp(`brickgate connections explain ${id}`));
  assert.match(dead.err, /code: reauth_required \(\w+\)/);
  for (const { err } of [unknown, key, dead]) assert.doesNotMatch(err, /\/v1\/|openapi|Retry-After/);
  const second = await command(['serve', '--data', gateway.data, '--listen', `127.0.0.1:${await freePort()}`], { env: gateway.env, cwd: dirname(gateway.data) });
  assert.match(second.err, /serves this folder already/);
});

test('a BRICKGATE_CONNECTION that is not there stops an SDK instead of sending it elsewhere', async () => {
  const run = await command(['databricks-shim', 'auth', 'token', '-o', 'json'], { env: { BRICKGATE_DATA_DIR: gateway.data, BRICKGATE_CONNECTION: 'con_nowhere', HOME: temporaryFolder() } });
  assert.equal(run.code, 1);
  const told = JSON.parse(run.err);
  assert.equal(told.error_code, 'INVALID_PARAMETER_VALUE');
  assert.match(told.message, /There is no connection con_nowhere/);
  assert.doesNotMatch(told.message, /not configured|not found/);
});

// Last, since the gateway takes nothing to a workspace that refuses its app.
test('doctor asks the running gateway whether Databricks refuses its app', async () => {
  const { id } = await signIn(gateway, new Jar());
  await sandbox.control('POST', 'apps', { client_id: 'brickgate-demo', client_secret: 'dose-changed', redirect_uris: [`${gateway.url}/callback`] });
  await gateway.cli('connections', 'refresh', id);
  const run = await command(['doctor', '--json', '--data', gateway.data], { env: { ...gateway.env, CLIENT_SECRET: 'dose-changed', REDIRECT_URI: `${gateway.url}/callback`, BRICKGATE_SERVER_LISTEN: `127.0.0.1:${gateway.port}` }, cwd: dirname(gateway.data) });
  await sandbox.control('POST', 'apps', { client_id: 'brickgate-demo', client_secret: 'brickgate-demo-secret', redirect_uris: [`${gateway.url}/callback`] });
  const found = JSON.parse(run.out).findings;
  assert.equal(found.find(({ check }) => check === 'secret').verdict, 'ok', 'the one that is configured now');
  const told = found.find(({ check }) => check === 'gateway');
  assert.equal(told?.verdict, 'fail', run.out);
  assert.match(told.what, /refuses our client registration/);
  assert.match(told.remedy, /restart/);
});
