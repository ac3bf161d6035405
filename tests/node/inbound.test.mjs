// SPDX-License-Identifier: Apache-2.0
// Who may ask how often (T50), where somebody would rather not be counted, or have somebody else counted.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Gateway } from '../support/brickgate.mjs';
import { call } from '../support/http_call.mjs';
import { ProxyWorld } from '../support/proxy_world.mjs';

let world;
before(async () => { world = await ProxyWorld.start({ env: { BRICKGATE_SERVER_TRUSTED_PROXIES: '127.0.0.1', BRICKGATE_LIMITS_REQUESTS_PER_KEY: '5' } }); });
after(() => world?.stop());

const ask = (target, from, headers = {}) => call(world.origin, target, { headers: { ...(from && { 'X-Forwarded-For': from }), ...headers } });
const madeUp = (at) => ({ Authorization: `Bearer bg_${at.toString(16).padStart(16, '0')}_x` });
const passed = async (count, one) => {
  let good = 0;
  for (let at = 0; at < count; ++at) good += (await one(at)).status === 429 ? 0 : 1;
  return good;
};

test('T50 sign-ins and callbacks are counted by address, whatever bearer comes with them', async () => {
  assert.ok(await passed(40, (at) => ask('/auth', '192.0.2.1', madeUp(at))) <= 12);
  const state = 'a'.repeat(43);
  assert.ok(await passed(100, (at) => ask(`/callback?code=x&state=${state}`, '192.0.2.2', madeUp(at))) <= 65);
  assert.notEqual((await ask('/auth', '192.0.2.3')).status, 429, 'another person is not concerned');
  const { capability } = await world.makeCapability();
  assert.ok(await passed(20, () => ask('/auth', '192.0.2.4', { Authorization: `Bearer ${capability}` })) <= 12, 'nor does a genuine one count for more');
});

test('T50 another spelling of a page is the same page', async () => {
  let good = 0;
  for (const spelling of ['/auth', '/%61uth', '/aut%68']) good += await passed(20, () => ask(spelling, '192.0.2.10'));
  assert.ok(good <= 12, `${good} sign-ins begun`);
});

test('T50 one address leaves room among the sign-ins under way for everybody else', async (t) => {
  const small = await Gateway.start({ sandbox: world.double, env: { BRICKGATE_SERVER_TRUSTED_PROXIES: '127.0.0.1', BRICKGATE_LIMITS_LOGINS_MAX: '20' } });
  t.after(() => small.stop());
  for (let at = 0; at < 60; ++at) await call(small.url, '/auth', { headers: { 'X-Forwarded-For': '192.0.2.20', ...madeUp(at) } });
  assert.equal((await call(small.url, '/auth', { headers: { 'X-Forwarded-For': '192.0.2.21' } })).status, 302);
});

test('T50 who knows the public part of a key spends nothing of what its owner may', async () => {
  const [, id] = world.capability.split('_');
  for (const wrong of [`bgc_${id}_wrong`, `bgc_${id}_${'a'.repeat(43)}`]) {
    for (const target of ['/healthz', '/api/2.0/echo']) await passed(60, () => ask(target, '192.0.2.30', { Authorization: `Bearer ${wrong}` }));
  }
  const owner = await world.call('/api/2.0/echo', { headers: { 'X-Forwarded-For': '192.0.2.31' } });
  assert.notEqual(owner.status, 429, owner.body.toString());
});

test('T50 a page of another site cannot fill the table of sign-ins through a browser of this machine', async () => {
  assert.ok(await passed(30, () => ask('/auth', undefined, { 'Sec-Fetch-Site': 'cross-site' })) <= 12);
  assert.equal(await passed(30, () => ask('/auth', undefined, { 'Sec-Fetch-Site': 'none' })), 30, 'a person at this machine is not counted');
});
