// SPDX-License-Identifier: Apache-2.0
// T46: a token that the workspace refuses is renewed once for everybody, and only if it was a token that was refused.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { echo, refusals } from '../support/answers.mjs';
import { ProxyWorld } from '../support/proxy_world.mjs';

let world;
before(async () => { world = await ProxyWorld.start(); });
after(() => world?.stop());
beforeEach(async () => {
  world.double.reset();
  world.double.on('/api/2.0/echo', echo);
  await world.sandbox.settings({ refresh_mode: 'strict' });
});

// A connection of its own with its capability: at most one forced refresh a minute is allowed to each.
let people = 0;
async function somebody() {
  const id = await world.connect(`token-${++people}`);
  const { capability } = await world.makeCapability({ connection: id });
  const ask = (target = '/api/2.0/echo', options = {}) => world.call(target, { as: capability, ...options });
  assert.equal((await ask()).status, 200);
  return { id, ask, generation: async () => (await world.gateway.api('GET', `/v1/connections/${id}`)).body.generation };
}

test('T46 permission errors, however many, refresh nothing', async () => {
  const { ask, generation } = await somebody();
  const before = await world.refreshCount();
  for (const refusal of [refusals.permissionDenied, refusals.scopes, refusals.ipAcl]) {
    world.double.on('/api/2.0/forbidden', refusal);
    const calls = world.double.calls.length;
    for (let round = 0; round < 10; ++round) {
      const answers = await Promise.all(Array.from({ length: 50 }, () => ask('/api/2.0/forbidden')));
      assert.ok(answers.every(({ status }) => status === 403));
    }
    assert.equal(world.double.calls.length - calls, 500, 'and is asked once each');
  }
  assert.equal(await world.refreshCount(), before);
  assert.equal(await generation(), 1);
});

test('T46 a thousand calls with a token that is refused: one refresh, and all succeed', async () => {
  const { ask, generation } = await somebody();
  const before = await world.refreshCount();
  world.double.rejectTokens();
  const answers = await Promise.all(Array.from({ length: 1000 }, () => ask()));
  assert.deepEqual([...new Set(answers.map(({ status, body }) => (status === 200 ? 'good' : `${status} ${body}`)))], ['good']);
  assert.equal(await world.refreshCount(), before + 1);
  assert.equal(await generation(), 2);
  assert.ok((await ask()).headers['brickgate-attempts'] === undefined || (await ask()).headers['brickgate-attempts'] === '1', 'the next call needs one attempt');
});

test('T46 a second refusal within a minute is passed on, and refreshes nothing', async () => {
  const { ask } = await somebody();
  world.double.rejectTokens();
  const first = await ask();
  assert.deepEqual([first.status, first.headers['brickgate-attempts']], [200, '2']);
  const before = await world.refreshCount();
  world.double.rejectTokens();
  for (let i = 0; i < 5; ++i) {
    const again = await ask();
    assert.equal(again.status, 401);
    assert.match(again.json().message, /Token is expired/, 'as the workspace said it');
  }
  assert.equal(await world.refreshCount(), before);
});

for (const [name, refusal] of Object.entries({ '401': refusals.expired, '401 with a challenge': refusals.noCredential, '403 invalid access token': refusals.invalidToken, '403 expiring soon': refusals.expiringSoon })) {
  test(`T46 ${name} is a refused token: one refresh, one replay`, async () => {
    const { ask } = await somebody();
    const before = await world.refreshCount();
    world.double.refuse = refusal;
    world.double.rejectTokens();
    const calls = world.double.calls.length;
    const got = await ask();
    assert.deepEqual([got.status, got.headers['brickgate-attempts']], [200, '2'], got.body.toString());
    assert.equal(await world.refreshCount(), before + 1);
    const [first, second] = world.double.calls.slice(calls);
    assert.notEqual(first.bearer, second.bearer);
    assert.equal(world.double.calls.length - calls, 2);
  });
}

test('T46 a workspace that refuses every token costs one refresh', async () => {
  const { ask } = await somebody();
  const before = await world.refreshCount();
  world.double.on('/api/2.0/never', refusals.expired);
  for (let round = 0; round < 4; ++round) {
    const answers = await Promise.all(Array.from({ length: 50 }, () => ask('/api/2.0/never')));
    assert.ok(answers.every(({ status }) => status === 401));
  }
  assert.equal(await world.refreshCount(), before + 1);
});

test('a call never carries an expired token: it waits for the refresh', async () => {
  await world.sandbox.settings({ access_ttl: 3 });
  const { ask } = await somebody();
  await world.sandbox.settings({ access_ttl: 3600 });
  await new Promise((resolve) => setTimeout(resolve, 3500));
  const calls = world.double.calls.length;
  world.double.good.clear();  // ask the sandbox again: the first is over by now
  const got = await ask();
  assert.equal(got.status, 200);
  assert.equal(world.double.calls.length - calls, 1, 'no attempt with the old one');
});

test('a connection that is over is said so by our own code, and nothing is sent', async () => {
  const { id, ask } = await somebody();
  await world.gateway.api('DELETE', `/v1/connections/${id}`);
  const calls = world.double.calls.length;
  const got = await ask();
  assert.ok([401, 403, 404, 410].includes(got.status), `${got.status}`);
  assert.match(got.json().error.code, /^[a-z_]+$/);
  assert.equal(world.double.calls.length, calls);
});
