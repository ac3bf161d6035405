// SPDX-License-Identifier: Apache-2.0
// Recorded conversations: what Databricks' Python, Go, Java and JDBC clients say on the wire and how they take the
// answers, written from databricks-facts 5.3, 5.4 and 7.1 (tests/support/sdk_clients.mjs). The clients themselves do
// not run here.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { echo, refusals, sequence } from '../support/answers.mjs';
import { sleep } from '../support/brickgate.mjs';
import { call } from '../support/http_call.mjs';
import { ProxyWorld } from '../support/proxy_world.mjs';
import { go, jdbc, python } from '../support/sdk_clients.mjs';

let world;
before(async () => { world = await ProxyWorld.start({ env: { BRICKGATE_PROXY_ATTEMPTS_MAX: '2' } }); });
after(() => world?.stop());
beforeEach(() => { world.double.reset(); world.double.on(/^/, echo); });

const url = () => `http://127.0.0.1:${world.port}/m/${world.capability}`;
const direct = (token) => call(world.double.origin, '/api/2.0/clusters/list', { headers: { Authorization: `Bearer ${token}` } });

for (const [name, sdk] of Object.entries({ Python: python, Go: go })) {
  test(`${name}: DATABRICKS_METADATA_SERVICE_URL feeds it, and its calls succeed`, async () => {
    const token = await sdk.metadataToken(url(), world.double.origin);
    assert.equal(token.token_type, 'Bearer');
    assert.ok(!python.isExpired(token), 'it is not asked for again at once');
    assert.equal((await direct(token.access_token)).status, 200);
    await assert.rejects(sdk.metadataToken(url(), 'https://other.cloud.databricks.com'), /empty token|400/);
    await assert.rejects(sdk.metadataToken(url().slice(0, -1), world.double.origin), /empty token|40\d/);
    const fresh = await world.freshToken();
    assert.equal((await sdk.metadataToken(url(), world.double.origin)).access_token, fresh.access_token);
  });

  test(`${name}: the metadata service never gives a token that it would call expired`, async () => {
    await world.sandbox.settings({ access_ttl: 600 });
    const id = await world.connect(`short-${name}`);
    const { capability } = await world.makeCapability({ connection: id });
    const token = await sdk.metadataToken(`http://localhost:${world.port}/m/${capability}`, world.double.origin);
    assert.ok(!python.isExpired(token));
    await world.sandbox.settings({ access_ttl: 3600 });
  });
}

test('Go takes loopback names only, and the ones we print are', async () => {
  await assert.rejects(go.metadataToken(url().replace('127.0.0.1', '[::1]'), world.double.origin), /invalid metadata service url/);
  assert.equal((await go.metadataToken(url().replace('127.0.0.1', 'localhost'), world.double.origin)).token_type, 'Bearer');
});

test('host and token: an SDK looks for the configuration first, then calls as if we were the workspace', async () => {
  const config = await call(world.origin, '/.well-known/databricks-config');
  assert.equal(config.status, 200);
  const me = await python.call(() => world.call('/api/2.0/preview/scim/v2/Me', { headers: { 'User-Agent': 'unknown/0.0.0 databricks-sdk-py/0.30.0 python/3.11.2 os/linux auth/pat', Accept: 'application/json' } }));
  assert.equal(me.json().userName, 'ada@example.com');
  const sent = world.double.forwarded.at(-1);
  assert.match(sent.header('user-agent'), /^unknown\/0\.0\.0 databricks-sdk-py\/0\.30\.0 python\/3\.11\.2 os\/linux auth\/pat/);
  assert.notEqual(sent.bearer, world.capability);
});

// More refusals than the gateway's own two attempts take: the client sees some, and waits as it does.
for (const [name, sdk] of Object.entries({ Python: python, Go: go })) {
  for (const [what, refusal] of Object.entries({
    '429 without Retry-After': refusals.tooMany(), '429 with a date': (x) => refusals.tooMany([['Retry-After', new Date(Date.now() + 1500).toUTCString()]])(x), '503': refusals.unavailable(),
  })) {
    test(`${name}: ${what}, passed on, ends in success`, async () => {
      const path = `/api/2.0/busy-${name}-${what.length}`;
      world.double.on(path, sequence(refusal, refusal, refusal, echo));
      let seen = 0;
      const got = await sdk.call(async () => {
        const answer = await world.call(path);
        if (answer.status !== 200) {
          seen += 1;
          assert.ok(jdbc.waitOf(answer) >= 1, 'JDBC would find what it needs');
        }
        return answer;
      }, { limitMs: 60_000 });
      assert.equal(got.status, 200);
      assert.ok(seen >= 1, 'the client did see a refusal');
      assert.equal(world.double.at(path).length, 4);
    });
  }
}

test('our own 429 is as good to them as the workspace\'s', async (t) => {
  const strict = await ProxyWorld.start({ env: { BRICKGATE_LIMITS_REQUESTS_PER_KEY: '2' } });
  t.after(() => strict.stop());
  strict.double.on(/^/, echo);
  for (let left = 60; left > 0; --left) await strict.call('/api/2.0/echo');
  let refused = 0;
  const ask = async () => {
    const answer = await strict.call('/api/2.0/echo');
    if (answer.status === 429) { refused += 1; jdbc.waitOf(answer); }
    return answer;
  };
  for (const sdk of [python, go]) assert.equal((await sdk.call(ask, { limitMs: 60_000 })).status, 200);
  assert.ok(refused > 0);
});

test('a token that dies between two calls is nothing that an SDK would notice', async () => {
  assert.equal((await world.call('/api/2.0/clusters/list')).status, 200);
  await sleep(10);
  await world.sandbox.control('POST', 'expire');
  world.double.rejectTokens();
  world.double.refuse = refusals.invalidToken;
  const answers = await Promise.all(Array.from({ length: 20 }, () => world.call('/api/2.0/clusters/list')));
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
});
