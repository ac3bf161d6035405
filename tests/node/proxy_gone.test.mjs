// SPDX-License-Identifier: Apache-2.0
// Nothing is done for somebody who has left, or who may no more: neither what waits for its turn or for another try, nor what runs.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';
import { answer, echo, events, refusals, sequence } from '../support/answers.mjs';
import { sleep, until } from '../support/brickgate.mjs';
import { call } from '../support/http_call.mjs';
import { codeOf, ProxyWorld } from '../support/proxy_world.mjs';

let world;
before(async () => { world = await ProxyWorld.start({ env: { BRICKGATE_PROXY_ANSWER_TIMEOUT: '3' } }); });
after(() => world?.stop());
beforeEach(() => { world.double.reset(); world.double.on(/^/, echo); });

const run = '/api/2.1/jobs/run-now';
const later = () => sequence(refusals.tooMany([['Retry-After', '3']]), answer(200, { run_id: 1 }));

// A POST over a socket of its own, which can be left.
function post(target, body = '{"job_id":1}') {
  const socket = connect(world.port, '127.0.0.1').on('error', () => {});
  socket.write(`${world.head('POST', target, ['Content-Type: application/json', `Content-Length: ${body.length}`])}${body}`);
  return socket;
}

test('T46 a key that says of every token that it was refused gets one refresh a minute', async () => {
  const key = await world.gateway.key('token:read');
  const rejected = (generation) => call(world.origin, `/v1/connections/${world.id}/token/rejected`, { method: 'POST', headers: { ...world.bearer(key), 'Content-Type': 'application/json' }, body: JSON.stringify({ generation }) });
  const before = await world.refreshCount();
  let generation = await world.generation();
  const first = await rejected(generation);
  assert.equal(first.status, 200);
  generation = first.json().generation;
  for (let at = 0; at < 5; ++at) {
    const next = await rejected(generation);
    assert.deepEqual([next.status, codeOf(next)], [429, 'rate_limited']);
    assert.match(next.headers['retry-after'], /^[1-9]\d?$/);
  }
  assert.equal(await world.refreshCount() - before, 1);
});
