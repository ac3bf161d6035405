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

test('a call whose caller left while it waited for another try is not made again', async () => {
  world.double.on('/api/2.0/left', later());
  const socket = post('/api/2.0/left');
  await world.untilCalls('/api/2.0/left', 1);
  socket.destroy();
  await sleep(8000);
  assert.equal(world.double.at('/api/2.0/left').length, 1);
});

test('a call whose capability is revoked while it waits for another try is not made again, and says why', async () => {
  world.double.on('/api/2.0/revoked', later());
  const made = await world.makeCapability();
  const asked = world.call('/api/2.0/revoked', { as: made.capability, method: 'POST', body: '{}' });
  await world.untilCalls('/api/2.0/revoked', 1);
  await world.gateway.api('DELETE', `/v1/capabilities/${made.id}`);
  const got = await asked;
  assert.deepEqual([got.status, codeOf(got)], [401, 'unauthorized']);
  await sleep(3000);
  assert.equal(world.double.at('/api/2.0/revoked').length, 1);
});

test('calls that wait for their turn end with their callers', async () => {
  const sockets = Array.from({ length: 120 }, () => post(run));
  await world.untilCalls(run, 12);
  sockets.forEach((socket) => socket.destroy());
  await sleep(1500);
  const made = world.double.at(run).length;
  await sleep(3000);
  assert.equal(world.double.at(run).length, made, 'the rest never left');
  const explained = await world.gateway.api('GET', `/v1/connections/${world.id}/explain`);
  assert.equal(explained.body.rate_limits.find(({ family }) => family === 'jobs_run_now').waiting, 0, 'and their places are free');
});

test('a stream ends with the capability that began it: revoked, expired, or its connection ended', async () => {
  world.double.on('/api/2.0/sse', events({ ticks: 100, everyMs: 200 }));
  const other = await world.connect('other', 'grace@example.com');
  const brief = await world.makeCapability({ expires_in: 3 });
  const revoked = await world.makeCapability();
  const ended = await world.makeCapability({ connection: other });
  const streams = [];
  for (const made of [brief, revoked, ended]) {
    const { status, message } = await world.open('/api/2.0/sse', { as: made.capability });
    assert.equal(status, 200);
    const stream = { broken: false, whole: false };
    message.on('data', () => {}).on('error', () => {}).on('end', () => (stream.whole = true)).on('close', () => (stream.broken = true));
    streams.push(stream);
  }
  await world.gateway.api('DELETE', `/v1/capabilities/${revoked.id}`);
  await world.gateway.api('DELETE', `/v1/connections/${other}`);
  await until(() => streams.every(({ broken }) => broken), 'all of them to end', 10000);
  assert.ok(streams.every(({ whole }) => !whole), 'cut, and never a short success');
});

test('T51 an answer that drips in has no more time than one that is silent', async () => {
  world.double.on('/api/2.0/drip', async (x) => {
    await x.drain();
    for (const byte of `HTTP/1.1 200 OK\r\nX-Long: ${'a'.repeat(20)}`) {
      if (!(await x.write(byte))) return;
      await sleep(500);
    }
    x.end();
  });
  const got = await world.call('/api/2.0/drip', { method: 'POST', body: '{}' });
  assert.deepEqual([got.status, codeOf(got)], [504, 'upstream_timeout']);
});

test('a tool server that says 429 for a day holds up nobody else\'s', async () => {
  world.double.on('/api/2.0/mcp/external/mine', refusals.tooMany([['Retry-After', '86400']]));
  assert.equal((await world.call('/api/2.0/mcp/external/mine', { method: 'POST', body: '{}' })).status, 429);
  assert.equal((await world.call('/api/2.0/mcp/functions/system/ai', { method: 'POST', body: '{}' })).status, 200);
});

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
