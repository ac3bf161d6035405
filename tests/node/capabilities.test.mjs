// SPDX-License-Identifier: Apache-2.0
// Capabilities by command line and API, with and without a running daemon, and what happens to keys in addresses (T49).
// What they open at a workspace is in proxy_capabilities.test.mjs.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { Gateway, Jar, Sandbox, signIn, until } from '../support/brickgate.mjs';

let sandbox, gateway, id;
before(async () => {
  sandbox = await Sandbox.start();
  gateway = await Gateway.start({ sandbox, env: { BRICKGATE_LOG_LEVEL: 'debug' } });
  await sandbox.control('POST', 'apps', { client_id: 'brickgate-demo', client_secret: 'brickgate-demo-secret', redirect_uris: [`${gateway.url}/callback`] });
  ({ id } = await signIn(gateway, new Jar()));
});
after(async () => {
  await gateway.stop();
  await sandbox.stop();
});

const make = async (wish = {}) => {
  const made = await gateway.api('POST', '/v1/capabilities', { connection: id, ...wish });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  return made.body;
};
const rows = async (query = '') => (await gateway.api('GET', `/v1/capabilities${query}`)).body.items;
const row = async (wanted) => (await rows()).find((one) => one.id === wanted);
// The status of the metadata service: the shortest way to see whether a capability works.
const works = async (capability) => {
  const headers = { 'X-Databricks-Metadata-Version': '1', 'X-Databricks-Host': sandbox.origin };
  const answer = await fetch(`http://127.0.0.1:${gateway.port}/m/${capability}`, { headers });
  await answer.text();
  return answer.status;
};

test('the command line makes, lists and revokes them, for people and for scripts', async () => {
  const shown = await gateway.cli('capabilities', 'create', '--connection', id, '--name', 'by hand');
  assert.equal(shown.code, 0, shown.err);
  assert.match(shown.out, /^bgc_[0-9a-f]{16}_[A-Za-z0-9_-]{43}\n$/, 'nothing else, so that it can be piped');
  assert.match(shown.err, /shown once/);
  assert.equal(await works(shown.out.trim()), 200);

  const made = await gateway.cli('capabilities', 'create', '--connection', id, '--methods', 'POST,GET', '--paths', '/api/2.0/sql,/sql/1.0', '--expires-in', '600', '--json');
  const { id: its, capability, methods, paths, not_after } = JSON.parse(made.out);
  assert.deepEqual([methods, paths], [['GET', 'POST'], ['/api/2.0/sql', '/sql/1.0']]);
  assert.ok(Math.abs(Date.parse(not_after) - Date.now() - 600_000) < 30_000);
  assert.ok(capability.startsWith(`bgc_${its}_`));

  const listed = await gateway.cli('capabilities', 'list', '--connection', id);
  assert.match(listed.out, new RegExp(`${its}  ${id}    methods GET,POST  paths /api/2\\.0/sql,/sql/1\\.0  until \\S+Z  active\n`));
  assert.match(listed.out, /by hand  methods any  paths any  active\n/);
  assert.ok(!listed.out.includes(capability.slice(-43)));
  assert.equal(JSON.parse((await gateway.cli('capabilities', 'list', '--connection', 'con_0', '--json')).out).items.length, 0);

  assert.equal((await gateway.cli('capabilities', 'revoke', its)).out, 'Revoked.\n');
  assert.match((await gateway.cli('capabilities', 'list')).out, new RegExp(`${its}.*  revoked\n`));
  assert.equal((await gateway.cli('capabilities', 'revoke', its)).code, 1);
});

test('a wish that cannot be is said to be wrong at the terminal', async () => {
  for (const [words, code, said] of [
    [['--connection', id, '--methods', 'get'], 64, /'get' is no method/],
    [['--connection', id, '--paths', '/api/../oidc'], 64, /is no path/],
    [['--connection', id, '--paths', '/oidc'], 64, /begin with \/api, \/sql or \/serving-endpoints/],
    [['--connection', 'con_00000000000000000000000000000000'], 1, /code: connection_unknown/],
  ]) {
    const refused = await gateway.cli('capabilities', 'create', ...words);
    assert.equal(refused.code, code, refused.err);
    assert.match(refused.err, said);
    assert.equal(refused.out, '');
  }
});

test('T49 a key in an address is refused on every route, noted once in log and list, and goes on working', async () => {
  const { id: lent, capability } = await make({ name: 'leaked' });
  const bystander = await make();
  const key = await gateway.key('token:read');
  const keyId = key.slice(3, 19);
  const targets = (secret) => [`/v1/connections/${id}/token?min_valid=1&key=${secret}`, `/v1/connections?k=%${secret.charCodeAt(0).toString(16)}${secret.slice(1)}`, `/v1/connections/${secret}`, `/auth?key=${secret}`, `/healthz?${secret}`,
    `/no-such-route?key=${secret}`, `/m/${secret}?key=${secret}`];
  for (const secret of [key, capability]) {
    for (const target of targets(secret)) {
      // With a good key in the header as well: that does not make it right.
      const answer = await fetch(gateway.url + target, { redirect: 'manual', headers: { authorization: `Bearer ${gateway.apiKey}` } });
      const text = await answer.text();
      assert.equal(answer.status, 400, target);
      assert.match(text, /\bkey_in_url\b/, target);  // to a browser's address, on a page
      assert.ok(!text.includes(secret.slice(-43)));
    }
  }
  const keys = async () => (await gateway.api('GET', '/v1/api-keys')).body.items;
  await until(async () => (await row(lent)).leaked_at && (await keys()).find((one) => one.id === keyId).leaked_at, 'both to be marked');
  const of = (event) => gateway.process.log.filter((line) => line.event === event);
  assert.deepEqual(of('key_leaked').map((line) => [line.level, line.key]), [['warning', keyId]]);
  assert.deepEqual(of('capability_leaked').map((line) => [line.level, line.capability]), [['warning', lent]]);
  assert.equal((await row(bystander.id)).leaked_at, null);
  assert.deepEqual((await keys()).filter((one) => one.leaked_at).map((one) => one.id), [keyId]);
  assert.match((await gateway.cli('capabilities', 'list')).out, new RegExp(`${lent}.*active \\(leaked\\)\n`));

  const token = await fetch(`${gateway.url}/v1/connections/${id}/token`, { headers: { authorization: `Bearer ${key}` } });
  await token.text();
  assert.equal(token.status, 200, 'the key is not revoked by itself');
  assert.equal(await works(capability), 200, 'nor is the capability');
  for (const secret of [key, capability]) assert.ok(!gateway.process.err.includes(secret.slice(-43)), 'no secret in the log, even at level debug');
});

test('T49 an invented secret beside a known id marks nothing', async () => {
  const { id: its, capability } = await make();
  const answer = await fetch(`${gateway.url}/v1/connections?key=${capability.slice(0, 21)}${'A'.repeat(43)}`);
  assert.deepEqual([answer.status, (await answer.json()).error.code], [400, 'key_in_url']);
  const { capability: other, id: marker } = await make();
  await (await fetch(`${gateway.url}/v1/connections?key=${other}`)).text();
  await until(async () => (await row(marker)).leaked_at, 'the genuine one to be marked');
  assert.equal((await row(its)).leaked_at, null);
});

test('a disconnect ends them, whatever is still in memory', async () => {
  const { id: theirs } = await signIn(gateway, new Jar(), { query: '?subject=leaver' });
  const { id: its, capability } = await make({ connection: theirs });
  assert.equal(await works(capability), 200);
  assert.equal((await gateway.api('DELETE', `/v1/connections/${theirs}`)).status, 200);
  assert.equal(await works(capability), 401);
  assert.ok((await row(its)).revoked_at);
  const again = await gateway.api('POST', '/v1/capabilities', { connection: theirs });
  assert.deepEqual([again.status, again.body.error.code], [410, 'disconnected']);
});

test('T49 they outlive a restart, can be made while no daemon runs, and cannot be widened in the database', async () => {
  const before = await make();
  const revoked = await make();
  await gateway.api('DELETE', `/v1/capabilities/${revoked.id}`);
  const limited = await make({ paths: ['/api/2.0/sql'] });
  assert.equal(await works(limited.capability), 403);
  await gateway.process.stop();
  const offline = await gateway.cli('capabilities', 'create', '--connection', id, '--json');
  assert.equal(offline.code, 0, offline.err);
  const database = new DatabaseSync(join(gateway.data, 'brickgate.db'));
  assert.equal(database.prepare("UPDATE capability SET paths = '' WHERE id = ?").run(limited.id).changes, 1);
  database.close();
  await gateway.restart();
  assert.equal(await works(before.capability), 200);
  assert.equal(await works(JSON.parse(offline.out).capability), 200);
  assert.equal(await works(revoked.capability), 401);
  assert.equal(await works(limited.capability), 401, 'a widened row admits nobody');
});
