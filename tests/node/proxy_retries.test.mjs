// SPDX-License-Identifier: Apache-2.0
// T47 and the table of retries: what is asked again, what never is, and what the caller is told.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { answer, drop, echo, refusals, sequence, wire } from '../support/answers.mjs';
import { patternBytes } from '../support/pattern.mjs';
import { codeOf, ProxyWorld } from '../support/proxy_world.mjs';

let world, brief;
before(async () => {
  world = await ProxyWorld.start();
  brief = await ProxyWorld.start({ env: { BRICKGATE_PROXY_ATTEMPTS_MAX: '1' } });
});
after(async () => {
  await world?.stop();
  await brief?.stop();
});
beforeEach(() => {
  for (const { double } of [world, brief]) {
    double.reset();
    double.on('/api/2.0/echo', echo);
  }
});

const ok = echo;
const json = { 'Content-Type': 'application/json' };
const { tooMany, unavailable, badGateway, gatewayTimeout, tooManyWithRetryInfo } = refusals;
const files = '/api/2.0/fs/files/Volumes/a/b/c/';
const token = JSON.stringify({ job_id: 1, idempotency_token: 'once' });

// [what, method, path, body, answers in turn, status at the caller, attempts, reasons]
const table = [
  ['GET 503', 'GET', '/api/2.0/t1', undefined, [unavailable(), ok], 200, 2, 'unavailable'],
  ['GET 429 with a wait', 'GET', '/api/2.0/t2', undefined, [tooMany([['Retry-After', '1']]), ok], 200, 2, 'rate_limited'],
  ['GET 502', 'GET', '/api/2.0/t3', undefined, [badGateway, ok], 200, 2, 'bad_gateway'],
  ['GET 504', 'GET', '/api/2.0/t4', undefined, [gatewayTimeout, ok], 200, 2, 'gateway_timeout'],
  ['GET, no answer', 'GET', '/api/2.0/t5', undefined, [drop('end'), ok], 200, 2, 'connection_lost'],
  ['GET, reset', 'GET', '/api/2.0/t6', undefined, [drop('reset'), ok], 200, 2, 'connection_lost'],
  ['GET, one after the other', 'GET', '/api/2.0/t7', undefined, [unavailable(), badGateway, ok], 200, 3, 'unavailable,bad_gateway'],
  ['GET, RetryInfo', 'GET', '/api/2.0/t8', undefined, [tooManyWithRetryInfo('1.2s'), ok], 200, 2, 'rate_limited'],
  ['GET, four times and no more', 'GET', '/api/2.0/t9', undefined, [unavailable()], 503, 4, 'unavailable,unavailable,unavailable'],
  ['HEAD 503', 'HEAD', '/api/2.0/t10', undefined, [unavailable(), ok], 200, 2, 'unavailable'],
  ['PUT of a file 503', 'PUT', `${files}t11`, 'x'.repeat(1000), [unavailable(), ok], 200, 2, 'unavailable'],
  ['PUT of a file, no answer', 'PUT', `${files}t12`, 'x'.repeat(1000), [drop('reset'), ok], 200, 2, 'connection_lost'],
  ['PUT elsewhere, no answer', 'PUT', '/serving-endpoints/t13/config', '{}', [drop('reset'), ok], 502, 1, ''],
  ['DELETE of permissions 502', 'DELETE', '/api/2.0/permissions/t14', undefined, [badGateway, ok], 200, 2, 'bad_gateway'],
  ['DELETE elsewhere 502', 'DELETE', '/api/2.0/t15', undefined, [badGateway, ok], 502, 1, ''],
  ['PATCH 503', 'PATCH', '/api/2.0/t16', '{}', [unavailable(), ok], 503, 1, ''],
  ['POST 429: refused at the door', 'POST', '/api/2.0/t17', '{}', [tooMany([['Retry-After', '1']]), ok], 200, 2, 'rate_limited'],
  ['POST 503 without a wait: maybe done', 'POST', '/api/2.0/t18', '{}', [unavailable(), ok], 503, 1, ''],
  ['POST 503 with a wait', 'POST', '/api/2.0/t19', '{}', [unavailable([['Retry-After', '1']]), ok], 200, 2, 'unavailable'],
  ['POST 502: maybe done', 'POST', '/api/2.0/t20', '{}', [badGateway, ok], 502, 1, ''],
  ['POST, no answer: maybe done', 'POST', '/api/2.0/t21', '{}', [drop('end'), ok], 502, 1, ''],
  ['POST of a run with its token 502', 'POST', '/api/2.1/jobs/run-now', token, [badGateway, ok], 200, 2, 'bad_gateway'],
  ['POST of a run with its token, no answer', 'POST', '/api/2.2/jobs/runs/submit', token, [drop('reset'), ok], 200, 2, 'connection_lost'],
  ['POST of a run without one', 'POST', '/api/2.0/jobs/run-now', '{"job_id": 1}', [badGateway, ok], 502, 1, ''],
  ['POST with a token where it means nothing', 'POST', '/api/2.0/t25', token, [badGateway, ok], 502, 1, ''],
  ['GET 500 is an answer', 'GET', '/api/2.0/t26', undefined, [answer(500, { error_code: 'INTERNAL_ERROR' }), ok], 500, 1, ''],
  ['GET 404 is an answer', 'GET', '/api/2.0/t27', undefined, [answer(404, {}), ok], 404, 1, ''],
  ['GET 501 is an answer', 'GET', '/api/2.0/t28', undefined, [answer(501, {}), ok], 501, 1, ''],
  ['GET, broken off inside: the first byte is out', 'GET', '/api/2.0/t29', undefined, [wire('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart'), ok], 200, 1, ''],
  ['POST 429 with a large body: it is gone', 'POST', '/api/2.0/t30', patternBytes(1 << 20), [tooMany([['Retry-After', '1']]), ok], 429, 1, ''],
];

test('T47 the table of retries', async () => {
  await Promise.all(table.map(async ([what, method, path, body, answers, status, attempts, reasons]) => {
    world.double.on(path, sequence(...answers));
    const got = await world.call(path, { method, body, headers: body ? json : {} });
    assert.equal(got.status, status, `${what}: ${got.body}`);
    assert.equal(world.double.at(path).length, attempts, what);
    assert.equal(Number(got.headers['brickgate-attempts'] ?? 1), attempts, what);
    assert.equal(got.headers['brickgate-retried'] ?? '', reasons, what);
    for (const x of world.double.at(path)) assert.equal(x.bodySize, body?.length ?? 0, `${what}: the body again, whole`);
    if ([429, 503].includes(got.status)) assert.match(got.headers['retry-after'], /^[1-9]\d*$/, what);
  }));
  assert.deepEqual(world.double.violations, []);
});

test('T47 POST 1 MiB and 401: no replay; POST 1 KiB and 401: one', async () => {
  world.double.rejectTokens();
  const large = await world.call('/api/2.0/echo', { method: 'POST', body: patternBytes(1 << 20) });
  assert.equal(large.status, 401);
  assert.equal(world.double.at('/api/2.0/echo').length, 1);
  await world.freshToken();
  world.double.calls.length = 0;
  const id = await world.connect('t47');
  const { capability } = await world.makeCapability({ connection: id });
  await world.call('/api/2.0/echo', { as: capability });
  world.double.calls.length = 0;
  world.double.rejectTokens();
  const small = await world.call('/api/2.0/echo', { as: capability, method: 'POST', body: patternBytes(1 << 10) });
  assert.equal(small.status, 200);
  const [first, second] = world.double.at('/api/2.0/echo');
  assert.deepEqual([world.double.calls.length, first.bodySize, second.bodySize], [2, 1024, 1024]);
  assert.equal(first.bodyHash, second.bodyHash);
});

test('T47 dropped after it was sent: 502, not to be repeated, and the workspace saw one', async () => {
  for (const how of ['end', 'reset']) {
    const path = `/api/2.0/drop-${how}`;
    world.double.on(path, drop(how));
    const got = await world.call(path, { method: 'POST', body: '{}' });
    assert.equal(got.status, 502);
    assert.equal(got.headers['brickgate-retryable'], '0');
    assert.match(codeOf(got), /^(outcome_unknown|upstream_)/);
    assert.equal(world.double.at(path).length, 1);
  }
});

test('T47 a kept connection that the workspace closed costs nobody a call', async () => {
  for (const reset of [false, true]) {
    for (let round = 0; round < 5; ++round) {
      assert.equal((await world.call('/api/2.0/echo')).status, 200);
      world.double.wire.dropConnections({ reset });
      await new Promise((resolve) => setTimeout(resolve, 30));
      const calls = world.double.calls.length;
      assert.equal((await world.call('/api/2.0/echo', { method: 'POST', body: 'x' })).status, 200, `reset ${reset}`);
      assert.equal(world.double.calls.length, calls + 1);
    }
  }
});

test('T47 a kept connection that dies with the request on it: a GET is asked again, a POST is not', async () => {
  for (const [method, status, seen] of [['GET', 200, 2], ['POST', 502, 1]]) {
    const path = `/api/2.0/stale-${method}`;
    assert.equal((await world.call('/api/2.0/echo')).status, 200, 'there is a connection to keep');
    world.double.on(path, sequence(drop('reset'), echo));
    const got = await world.call(path, { method, body: method === 'POST' ? '{}' : undefined });
    assert.equal(got.status, status, method);
    assert.equal(world.double.at(path).length, seen, method);
  }
});

test('what passes with time always says when, in whole seconds', async () => {
  const soon = () => new Date(Date.now() + 3500).toUTCString();
  const rows = [
    ['429 without a word', tooMany(), 1, 60], ['429 with seconds', tooMany([['Retry-After', '7']]), 7, 9], ['429 with a date', (x) => tooMany([['Retry-After', soon()]])(x), 2, 6], ['429 with nonsense', tooMany([['Retry-After', 'soon']]), 1, 60],
    ['429 with a fraction', tooMany([['Retry-After', '1.5']]), 1, 60], ['429 with RetryInfo', tooManyWithRetryInfo('3s'), 3, 5], ['503 without a word', unavailable(), 1, 60], ['503 with seconds', unavailable([['Retry-After', '120']]), 120, 130],
    ['503 with a date that is past', unavailable([['Retry-After', 'Sun, 06 Nov 1994 08:49:37 GMT']]), 1, 60],
  ];
  for (const [what, handler, least, most] of rows) {
    brief.double.on('/api/2.0/odd', handler);
    const got = await brief.call('/api/2.0/odd', { method: 'POST', body: '{}' });
    assert.ok([429, 503].includes(got.status), what);
    assert.equal(got.pairs.filter(([name]) => name.toLowerCase() === 'retry-after').length, 1, what);
    assert.match(got.headers['retry-after'], /^[1-9]\d*$/, what);
    const seconds = Number(got.headers['retry-after']);
    assert.ok(seconds >= least && seconds <= most, `${what}: ${seconds}`);
    assert.match(got.json().error_code, /REQUEST_LIMIT_EXCEEDED|TEMPORARILY_UNAVAILABLE/, 'and the workspace\'s own words');
  }
});
