// SPDX-License-Identifier: Apache-2.0
// T57, T30: links that a workspace names are the caller's to follow, without our token.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { answer, externalLinks } from '../support/answers.mjs';
import { WireServer } from '../support/http_wire.mjs';
import { ProxyWorld } from '../support/proxy_world.mjs';

let world, canary;
const seen = [];
before(async () => {
  world = await ProxyWorld.start();
  canary = await WireServer.listen(async (x) => { seen.push(x); await x.respond(200, [], 'the rows'); });
});
after(async () => {
  await canary?.close();
  await world?.stop();
});

test('T57 a statement\'s external links pass untouched, and nobody here follows them', async () => {
  const link = `http://127.0.0.1:${canary.port}/bucket/x?X-Amz-Signature=0a%2Fb&X-Amz-Expires=900&response-content-type=application%2Fvnd.apache.arrow.stream`;
  world.double.on('/api/2.0/sql/statements', externalLinks(link));
  const got = await world.call('/api/2.0/sql/statements', { method: 'POST', body: '{"statement":"SELECT 1"}', headers: { 'Content-Type': 'application/json' } });
  assert.equal(got.json().result.external_links[0].external_link, link);
  assert.deepEqual(seen, []);
  assert.equal(await (await fetch(link)).text(), 'the rows');
  assert.equal(seen[0].bearer, undefined);
});

test('T57 T30 redirects to other hosts pass untouched too, on calls of every kind', async () => {
  seen.length = 0;
  for (const status of [301, 302, 303, 307, 308]) {
    for (const method of ['GET', 'POST', 'PUT']) {
      const location = `http://127.0.0.1:${canary.port}/elsewhere`;
      world.double.on('/api/2.0/moved', answer(status, {}, [['Location', location]]));
      const got = await world.call('/api/2.0/moved', { method, body: method === 'GET' ? undefined : 'x' });
      assert.deepEqual([got.status, got.headers.location], [status, location]);
    }
  }
  assert.deepEqual(seen, []);
});
