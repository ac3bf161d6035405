// SPDX-License-Identifier: Apache-2.0
// T49: capabilities and keys. Shown once, bound to one connection, limited as they were made, gone when revoked.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { echo } from '../support/answers.mjs';
import { sleep } from '../support/brickgate.mjs';
import { call } from '../support/http_call.mjs';
import { codeOf, ProxyWorld } from '../support/proxy_world.mjs';

let world;
before(async () => { world = await ProxyWorld.start(); });
after(() => world?.stop());
beforeEach(() => { world.double.reset(); world.double.on(/^/, echo); });

const list = async () => (await world.gateway.api('GET', '/v1/capabilities')).body;
const refused = async (got, status, code) => {
  const answer = await got;
  assert.deepEqual([answer.status, codeOf(answer)], [status, code], answer.body.toString());
  return answer;
};

test('a capability is shown once, and fits where a personal access token fits', async () => {
  const made = await world.makeCapability({ name: 'dbt' });
  assert.match(made.capability, /^[A-Za-z0-9_-]{40,200}$/);
  assert.notEqual(made.id, made.capability);
  assert.equal((await world.call('/api/2.0/clusters/list', { as: made.capability })).status, 200);
  const listed = JSON.stringify(await list());
  assert.ok(listed.includes(made.id) && listed.includes('dbt'));
  assert.ok(!listed.includes(made.capability) && !listed.includes(made.capability.slice(-30)));
});

test('it is gone the moment it is revoked', async () => {
  const made = await world.makeCapability();
  assert.equal((await world.call('/api/2.0/echo', { as: made.capability })).status, 200);
  assert.ok([200, 204].includes((await world.gateway.api('DELETE', `/v1/capabilities/${made.id}`).catch(() => ({ status: 204 }))).status));
  await refused(world.call('/api/2.0/echo', { as: made.capability }), 401, 'unauthorized');
  assert.ok(!JSON.stringify((await list()).items.filter((row) => !row.revoked_at)).includes(made.id));
});

test('it ends with its time', async () => {
  const made = await world.makeCapability({ expires_in: 2 });
  assert.equal((await world.call('/api/2.0/echo', { as: made.capability })).status, 200);
  await sleep(2500);
  await refused(world.call('/api/2.0/echo', { as: made.capability }), 401, 'unauthorized');
});

test('it may be limited to methods and to paths, in whole segments', async () => {
  const made = await world.makeCapability({ methods: ['GET', 'HEAD'], paths: ['/api/2.0/sql', '/sql/1.0/warehouses/0123456789abcdef'] });
  const ask = (target, method = 'GET') => world.call(target, { as: made.capability, method });
  for (const target of ['/api/2.0/sql', '/api/2.0/sql/warehouses', '/api/2.0/sql/statements/1?x=y', '/sql/1.0/warehouses/0123456789abcdef']) assert.equal((await ask(target)).status, 200, target);
  assert.equal((await ask('/api/2.0/sql/warehouses', 'HEAD')).status, 200);
  const calls = world.double.calls.length;
  for (const [target, method] of [['/api/2.0/sql/statements', 'POST'], ['/api/2.0/sql/x', 'DELETE'], ['/api/2.0/sqlx', 'GET'], ['/api/2.0/clusters/list', 'GET'], ['/api/2.0/s%71l/x', 'GET'], ['/sql/1.0/warehouses/0123456789abcdefg', 'GET'], ['/api/2.0', 'GET']]) {
    await refused(ask(target, method), 403, 'capability_denied');
  }
  await refused(ask('/api/2.0/sql/../clusters/list'), 400, 'path_rejected');
  assert.equal(world.double.calls.length, calls);
});

test('a wish that cannot be is refused when it is made', async () => {
  const rows = [{}, { connection: 'con_00000000000000000000000000000000' }, { connection: world.id, methods: ['GE T'] }, { connection: world.id, methods: 'GET' }, { connection: world.id, paths: ['api/2.0'] }, { connection: world.id, paths: ['/oidc'] },
    { connection: world.id, expires_in: 0 }, { connection: world.id, expires_in: -1 }, { connection: world.id, expires_in: 'soon' }, { connection: world.id, expires_in: 1e12 }];
  for (const wish of rows) {
    const made = await world.gateway.api('POST', '/v1/capabilities', wish);
    assert.ok(made.status >= 400 && made.status < 500, `${JSON.stringify(wish)}: ${made.status}`);
    assert.match(made.body.error.code, /^[a-z_]+$/);
  }
});

test('it opens the workspace of its own connection, and nothing of the gateway\'s', async () => {
  const other = await world.connect('other', 'grace@example.com');
  const { access_token: hers } = (await world.gateway.token(other)).body;
  await world.call('/api/2.0/echo');
  assert.notEqual(world.double.calls.at(-1).bearer, hers);
  for (const path of ['/v1/connections', `/v1/connections/${world.id}`, `/v1/connections/${world.id}/token`, '/v1/capabilities', '/v1/api-keys']) {
    const got = await world.call(path);
    assert.ok([401, 403].includes(got.status), `${path}: ${got.status}`);
  }
  const calls = world.double.calls.length;
  const crossed = await world.call(`/v1/connections/${other}/proxy/api/2.0/echo`);
  assert.ok([401, 403, 404].includes(crossed.status), `${crossed.status}`);
  assert.equal(world.double.calls.length, calls);
});

test('T49 what is no capability is refused alike, and is no use elsewhere', async () => {
  const flip = (text, at) => text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
  const genuine = world.capability;
  const strangers = [flip(genuine, genuine.length - 1), flip(genuine, genuine.length - 20), `bgc_0000000000000000${genuine.slice(20)}`, `${(await world.makeCapability()).capability.slice(0, 20)}${genuine.slice(20)}`];
  const misshapen = ['', 'x', genuine.slice(0, -1), `${genuine}A`, flip(genuine, 20), genuine.toUpperCase(),
    'dapi0123456789abcdef0123456789abcdef', 'bg_0000000000000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', (await world.gateway.token(world.id)).body.access_token, 'a'.repeat(5000)];
  for (const bad of [strangers, misshapen]) {
    const bodies = new Set();
    for (const token of bad) bodies.add((await refused(world.call('/api/2.0/echo', { as: token }), 401, 'unauthorized')).body.toString());
    assert.equal(bodies.size, 1, [...bodies].join('\n'));
  }
  for (const value of [`Basic ${Buffer.from(`token:${world.capability}`).toString('base64')}`, world.capability, `bearer${world.capability}`, `Bearer ${world.capability} x`]) {
    await refused(call(world.origin, '/api/2.0/echo', { headers: { Authorization: value } }), 401, 'unauthorized');
  }
  await refused(call(world.origin, '/api/2.0/echo'), 401, 'unauthorized');
  assert.equal(world.double.calls.length, 0);
});

test('T49 a key or capability in the address is refused and named', async () => {
  for (const secret of [world.capability, world.key]) {
    for (const target of [`/api/2.0/echo?token=${secret}`, `/v1/connections?key=${secret}`]) {
      const got = await world.call(target);
      assert.deepEqual([got.status, codeOf(got)], [400, 'key_in_url'], target);
      assert.ok(!got.body.includes(secret));
    }
  }
  assert.equal(world.double.calls.length, 0);
  assert.ok(!world.gateway.process.err.includes(world.capability.slice(-30)), 'not in the log either');
});

test('the right `proxy` is needed, and enough', async () => {
  for (const [rights, expected] of [['proxy', 200], ['admin', 200], ['token:read', 403], ['connections', 403]]) {
    const key = await world.gateway.key(rights);
    assert.equal((await world.via('/api/2.0/echo', { as: key })).status, expected, rights);
  }
  await refused(world.via('/api/2.0/echo', { as: 'x' }), 401, 'unauthorized');
  const unknown = await call(world.origin, '/v1/connections/con_00000000000000000000000000000000/proxy/api/2.0/echo', { headers: world.bearer(world.key) });
  assert.deepEqual([unknown.status, codeOf(unknown)], [404, 'connection_unknown']);
  await refused(world.call('/api/2.0/echo', { as: world.key }), 401, 'unauthorized');  // a key names no connection
});

test('the command line makes, lists and revokes them', async () => {
  const made = await world.gateway.cli('capabilities', 'create', '--connection', world.id, '--methods', 'GET', '--paths', '/api/2.0/sql', '--expires-in', '600', '--json');
  assert.equal(made.code, 0, made.err);
  const { id, capability } = JSON.parse(made.out);
  assert.equal((await world.call('/api/2.0/sql/warehouses', { as: capability })).status, 200);
  await refused(world.call('/api/2.0/echo', { as: capability }), 403, 'capability_denied');
  const listed = await world.gateway.cli('capabilities', 'list', '--json');
  assert.ok(listed.out.includes(id) && !listed.out.includes(capability.slice(-30)), listed.out);
  assert.equal((await world.gateway.cli('capabilities', 'revoke', id)).code, 0);
  await refused(world.call('/api/2.0/sql/warehouses', { as: capability }), 401, 'unauthorized');
});

test('it outlives a restart, and rests nowhere as it was shown', async () => {
  await world.gateway.process.stop();
  await world.gateway.restart();
  assert.equal((await world.call('/api/2.0/echo')).status, 200);
  for (const name of readdirSync(world.gateway.data, { recursive: true })) {
    const file = join(world.gateway.data, name);
    if (statSync(file).isFile()) assert.ok(!readFileSync(file).includes(world.capability.slice(-40)), file);
  }
});
