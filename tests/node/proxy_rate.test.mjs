// SPDX-License-Identifier: Apache-2.0
// The rate governor from outside: calls wait for their turn instead of failing, nobody is crowded out, and who would
// wait too long is told when to come again.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { echo, refusals, sequence } from '../support/answers.mjs';
import { temporaryFolder } from '../support/brickgate.mjs';
import { codeOf, ProxyWorld } from '../support/proxy_world.mjs';

const limits = join(temporaryFolder(), 'limits.toml');
writeFileSync(limits, `
[[family]]
name = "slow"
paths = ["/api/2.0/slow/**"]
per_second = 5
burst = 1
`);

let world;
before(async () => { world = await ProxyWorld.start({ env: { BRICKGATE_PROXY_RATE_LIMITS_FILE: limits, BRICKGATE_PROXY_QUEUE_MAX: '3' } }); });
after(() => world?.stop());
beforeEach(() => { world.double.reset(); world.double.on(/^/, echo); });

const ask = (target, as = world.capability) => world.call(target, { as });
// No two calls of one connection may leave closer together than the limit says, however they came.
const gaps = () => world.double.calls.map((x) => x.at).map((at, index, all) => (index === 0 ? Infinity : at - all[index - 1]));

test('calls wait for their turn, and leave at the pace of the limit', async () => {
  const answers = await Promise.all(Array.from({ length: 10 }, (_, at) => ask(`/api/2.0/slow/${at}`)));
  assert.ok(answers.every(({ status }) => status === 200), `${answers.map(({ status }) => status)}`);
  const span = world.double.calls.at(-1).at - world.double.calls[0].at;
  assert.ok(span >= 1600, `ten calls at five a second left within ${span} ms: ${gaps()}`);
  const others = await Promise.all(Array.from({ length: 50 }, () => ask('/api/2.0/echo')));
  assert.ok(others.every(({ status }) => status === 200));
});

test('a queue that is longer than its deadline sends the rest away, with a time to come again', async () => {
  const answers = await Promise.all(Array.from({ length: 60 }, (_, at) => ask(`/api/2.0/slow/${at}`)));
  const late = answers.filter(({ status }) => status === 429);
  assert.ok(late.length >= 30, `${late.length} of 60 were sent away`);
  for (const answer of late) {
    assert.equal(codeOf(answer), 'rate_limited');
    assert.match(answer.headers['retry-after'], /^[1-9]\d*$/);
  }
  assert.equal(world.double.calls.length, 60 - late.length);
});

test('a connection that floods does not crowd out another of the same workspace', async () => {
  const id = await world.connect('modest', 'grace@example.com');
  const { capability } = await world.makeCapability({ connection: id });
  assert.equal((await ask('/api/2.0/echo', capability)).status, 200);
  world.double.calls.length = 0;
  const flood = Array.from({ length: 14 }, (_, at) => ask(`/api/2.0/slow/flood-${at}`));
  await world.untilCalls('/api/2.0/slow/flood-0', 1, 10000).catch(() => {});
  const modest = await ask('/api/2.0/slow/modest', capability);
  assert.equal(modest.status, 200);
  await Promise.all(flood);
  const order = world.double.calls.map((x) => x.path);
  const place = order.indexOf('/api/2.0/slow/modest');
  assert.ok(place >= 0 && place <= 6, `it was number ${place} of ${order.length}`);
});

test('a limit that nobody published shows itself by a 429, and is kept to then', async () => {
  world.double.on('/api/2.0/preview/queries', sequence(refusals.tooMany([['Retry-After', '1']]), echo));
  const answers = await Promise.all(Array.from({ length: 5 }, () => ask('/api/2.0/preview/queries')));
  assert.ok(answers.every(({ status }) => status === 200), 'a 429 within the limits of our own patience is nobody\'s error');
});

test('report mode only counts', async (t) => {
  const report = await ProxyWorld.start({ env: { BRICKGATE_PROXY_RATE_LIMITS_FILE: limits, BRICKGATE_PROXY_RATE_MODE: 'report' } });
  t.after(() => report.stop());
  report.double.on(/^/, echo);
  const answers = await Promise.all(Array.from({ length: 100 }, (_, at) => report.call(`/api/2.0/slow/${at}`)));
  assert.ok(answers.every(({ status }) => status === 200));
});
