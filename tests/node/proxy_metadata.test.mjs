// SPDX-License-Identifier: Apache-2.0
// T56: the metadata service, DATABRICKS_METADATA_SERVICE_URL, as databricks-facts 5.4 has it. A browser that is sent
// there by another name gets nothing.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { call } from '../support/http_call.mjs';
import { codeOf, ProxyWorld } from '../support/proxy_world.mjs';
import { answersIn, converse } from '../support/raw.mjs';

let world;
before(async () => { world = await ProxyWorld.start(); });
after(() => world?.stop());

const good = () => ({ 'X-Databricks-Metadata-Version': '1', 'X-Databricks-Host': world.double.origin });
const ask = (headers, capability = world.capability) => call(`http://127.0.0.1:${world.port}`, `/m/${capability}`, { headers });

test('a token, its type, and its end as a number', async () => {
  const got = await ask(good());
  assert.equal(got.status, 200);
  assert.match(got.headers['content-type'], /^application\/json/);
  assert.equal(got.headers['cache-control'], 'no-store');
  const { access_token, token_type, expires_on } = got.json();
  const token = (await world.gateway.token(world.id)).body;
  assert.deepEqual([access_token, token_type, typeof expires_on], [token.access_token, 'Bearer', 'number']);
  assert.ok(Number.isInteger(expires_on));
  assert.equal(expires_on, Math.floor(Date.parse(token.expires_at) / 1000), 'the true end');
});

test('the host is compared as a host', async () => {
  for (const host of [`${world.double.origin}/`, world.double.origin.replace('http', 'HTTP')]) assert.equal((await ask({ ...good(), 'X-Databricks-Host': host })).status, 200, host);
  const wrong = ['', 'https://evil.test', 'https://adb-1.2.azuredatabricks.net', `${world.double.origin}.evil.test`, `http://evil.test@127.0.0.1:${world.double.port}`, `http://127.0.0.1:${world.double.port + 1}`, `http://127.0.0.1:${world.double.port}@evil.test`];
  for (const host of wrong) {
    const got = await ask({ ...good(), 'X-Databricks-Host': host });
    assert.deepEqual([got.status, codeOf(got)], [400, 'metadata_host_mismatch'], host);
    assert.ok(!('access_token' in got.json()));
  }
  const without = await ask({ 'X-Databricks-Metadata-Version': '1' });
  assert.ok(without.status >= 400 && without.status < 500);
});

test('an absent or unknown version is refused', async () => {
  for (const version of [undefined, '', '0', '2', '1.0', '01', '1, 1', 'x']) {
    const got = await ask({ 'X-Databricks-Host': world.double.origin, ...(version !== undefined && { 'X-Databricks-Metadata-Version': version }) });
    assert.deepEqual([got.status, codeOf(got)], [400, 'metadata_version_unsupported'], `${version}`);
  }
});

test('every error is JSON without access_token, since one SDK reads the body and not the status', async () => {
  const made = await world.makeCapability();
  await world.gateway.api('DELETE', `/v1/capabilities/${made.id}`).catch(() => {});
  for (const capability of ['x', 'A'.repeat(60), made.capability, `${world.capability}/`, `${world.capability}x`, '']) {
    const got = await ask(good(), capability);
    assert.ok(got.status >= 400 && got.status < 500, `${capability}: ${got.status}`);
    assert.match(got.headers['content-type'], /^application\/json/, capability);
    assert.ok(!('access_token' in got.json()), capability);
  }
  for (const method of ['POST', 'PUT', 'DELETE']) assert.ok((await call(world.origin, `/m/${world.capability}`, { method, headers: good() })).status >= 400, method);
});

test('T56 a rebound name, a page or a form gets nothing', async () => {
  const raw = async (host, lines = []) => {
    const head = [`GET /m/${world.capability} HTTP/1.1`, `Host: ${host}`, 'X-Databricks-Metadata-Version: 1', `X-Databricks-Host: ${world.double.origin}`, ...lines, 'Connection: close', '', ''].join('\r\n');
    const [answer] = answersIn((await converse(world.port, [head])).text);
    return [answer.status, JSON.parse(answer.body).error?.code];
  };
  for (const name of ['localhost', '127.0.0.1']) assert.equal((await raw(`${name}:${world.port}`))[0], 200);
  for (const host of [`rebind.evil.test:${world.port}`, 'evil.test', 'localhost:7777', `localhost.evil.test:${world.port}`, `[::1]:${world.port + 1}`]) assert.deepEqual(await raw(host), [421, 'misdirected_request'], host);
  for (const line of ['Origin: https://evil.test', `Origin: ${world.origin}`, 'Origin: null', 'Sec-Fetch-Site: cross-site', 'Sec-Fetch-Site: none', 'Sec-Fetch-Site: same-origin', 'Sec-Fetch-Mode: navigate']) assert.deepEqual(await raw(world.host, [line]), [403, 'browser_refused'], line);
});

test('a limited capability gives no token away: that could not be limited any more', async () => {
  for (const limits of [{ methods: ['GET'] }, { paths: ['/api/2.0/sql'] }]) {
    const { capability } = await world.makeCapability(limits);
    const got = await ask(good(), capability);
    assert.deepEqual([got.status, codeOf(got)], [403, 'capability_denied'], JSON.stringify(limits));
  }
});

test('a refresh shows at once', async () => {
  const before = (await ask(good())).json().access_token;
  const fresh = await world.freshToken();
  assert.notEqual(before, fresh.access_token);
  assert.equal((await ask(good())).json().access_token, fresh.access_token);
});

test('the gateway answers for the workspace where an SDK looks first', async () => {
  const got = await call(world.origin, '/.well-known/databricks-config');
  assert.equal(got.status, 200);
  assert.equal(typeof got.json().oidc_endpoint, 'string');
});
