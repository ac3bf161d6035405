// SPDX-License-Identifier: Apache-2.0
// T50 to T55: what one caller can cost the others.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';
import { echo, upload } from '../support/answers.mjs';
import { sleep, until } from '../support/brickgate.mjs';
import { call } from '../support/http_call.mjs';
import { codeOf, ProxyWorld } from '../support/proxy_world.mjs';
import { answersIn, converse } from '../support/raw.mjs';

let world;
before(async () => { world = await ProxyWorld.start(); });
after(() => world?.stop());
beforeEach(() => { world.double.reset(); world.double.on(/^/, echo); });

const statusOf = (text) => answersIn(text)[0]?.status;
const post = (body, headers = {}) => call(world.origin, '/v1/capabilities', { method: 'POST', body, headers: { Authorization: `Bearer ${world.gateway.apiKey}`, 'Content-Type': 'application/json', ...headers } });

test('T50 a key that asks too much waits, by a whole number of seconds, and the others do not', async (t) => {
  const strict = await ProxyWorld.start({ env: { BRICKGATE_LIMITS_REQUESTS_PER_KEY: '5' } });
  t.after(() => strict.stop());
  strict.double.on(/^/, echo);
  const burst = await Promise.all(Array.from({ length: 150 }, () => strict.call('/api/2.0/echo')));
  const good = burst.filter(({ status }) => status === 200).length;
  const late = burst.filter(({ status }) => status === 429);
  assert.ok(good >= 40 && good <= 90, `${good} of a burst of 50 passed`);
  assert.equal(good + late.length, 150);
  for (const answer of late) {
    assert.equal(codeOf(answer), 'rate_limited');
    assert.match(answer.headers['retry-after'], /^[1-9]\d*$/);
  }
  assert.equal(strict.double.calls.length, good, 'nothing of the rest was sent');
  assert.equal((await strict.via('/api/2.0/echo')).status, 200, 'an API key has its own');
  const { capability } = await strict.makeCapability();
  assert.equal((await strict.call('/api/2.0/echo', { as: capability })).status, 200);
  await sleep(1000 * Number(late[0].headers['retry-after']) + 300);
  assert.equal((await strict.call('/api/2.0/echo')).status, 200, 'and after that time it goes on');
});

test('T50 T43 guesses from one address slow down, by the address that a trusted proxy names; this machine is nobody', async (t) => {
  const behind = await ProxyWorld.start({ env: { BRICKGATE_SERVER_TRUSTED_PROXIES: '127.0.0.1' } });
  t.after(() => behind.stop());
  behind.double.on(/^/, echo);
  const guess = (from, at) => behind.call('/api/2.0/echo', { as: `guess-${at}`, headers: from ? { 'X-Forwarded-For': from } : {} });
  const guesses = async (from) => (await Promise.all(Array.from({ length: 80 }, (_, at) => guess(typeof from === 'function' ? from(at) : from, at))));
  const of = (answers, wanted) => answers.filter(({ status }) => status === wanted).length;
  const one = await guesses('192.0.2.7');
  assert.deepEqual([...new Set(one.map(({ status }) => status))].sort(), [401, 429]);
  assert.ok(of(one, 401) <= 40, `${of(one, 401)} of 80 guesses were heard`);
  for (const answer of one.filter(({ status }) => status === 429)) {
    assert.equal(codeOf(answer), 'rate_limited');
    assert.match(answer.headers['retry-after'], /^[1-9]\d*$/);
  }
  assert.equal((await guess('192.0.2.8')).status, 401, 'the next address has its own');
  assert.equal((await guess('198.51.100.1, 192.0.2.7')).status, 429, 'the proxy\'s word counts, not the caller\'s before it');
  assert.ok(of(await guesses((at) => `2001:db8:0:1::${at.toString(16)}`), 429) > 0, 'one subscriber\'s /64 is one');
  assert.equal(of(await guesses(undefined), 401), 80);
  assert.equal((await behind.call('/api/2.0/echo', { headers: { 'X-Forwarded-For': '192.0.2.7' } })).status, 200, 'who has a capability is no stranger');
  const direct = await Promise.all(Array.from({ length: 60 }, (_, at) => world.call('/api/2.0/echo', { as: `guess-${at}`, headers: { 'X-Forwarded-For': '192.0.2.7' } })));
  assert.equal(of(direct, 401), 60, 'T43 from a peer that nobody trusts the header is air');
});

test('T51 slow heads, slow bodies and idle connections end by themselves', async () => {
  world.double.on('/api/2.0/up', upload());
  const slowly = (first, rest) => new Promise((resolve) => {
    const socket = connect(world.port, '127.0.0.1', () => socket.write(first));
    let said = '';
    let at = 0;
    const timer = setInterval(() => { if (at < rest.length) socket.write(rest[at++]); }, 500);
    socket.on('data', (piece) => (said += piece));
    socket.on('error', () => {});
    socket.on('close', () => { clearInterval(timer); resolve(said); });
  });
  const before = process.hrtime.bigint();
  const crowd = [
    ['a head, byte by byte', slowly('GET /api/2.0/echo HTTP/1.1\r\n', `Host: ${world.host}\r\nX: ${'y'.repeat(500)}`)],
    ['a body, byte by byte', slowly(world.head('PUT', '/api/2.0/up', ['Content-Length: 1000000']), 'z'.repeat(500))],
    ['nothing at all', slowly('', '')],
    ['one request and then nothing', slowly(world.head('GET', '/api/2.0/echo'), '')],
  ];
  let over = false;
  const all = Promise.all(crowd.map(async ([what, talk]) => [what, await talk])).then((said) => { over = true; return said; });
  let others = 0;
  await until(async () => { others += (await world.call('/api/2.0/echo')).status === 200 ? 1 : -1000; return over || sleep(500).then(() => false); }, 'all of them to end', 90000);
  assert.ok(others > 0, 'everybody else was served meanwhile');
  for (const [what, said] of await all) {
    if (what === 'one request and then nothing') assert.match(said, /^HTTP\/1\.1 200/);
    else assert.ok(said === '' || /^HTTP\/1\.1 4/.test(said), `${what}: ${said.slice(0, 100)}`);
  }
  assert.ok(process.hrtime.bigint() - before > 1_000_000_000n, 'and nobody was thrown out at once');
  assert.ok(world.double.at('/api/2.0/up').every((x) => !x.complete));
});

test('T52 the limits of lines, heads and bodies: what is inside passes, what is outside is named', async () => {
  const get = async (target, lines = []) => statusOf((await converse(world.port, [world.head('GET', target, ['Connection: close', ...lines])], { quiet: 5000 })).text);
  const target = (size) => `/api/2.0/echo?${'q'.repeat(size - 14)}`;
  assert.equal(await get(target(8000)), 200);
  assert.equal(await get(target(9000)), 414);
  assert.equal(await get(target(100_000)), 414);
  assert.equal(await get('/api/2.0/echo', [`X-Customer: ${'v'.repeat(8000)}`]), 200);
  assert.equal(await get('/api/2.0/echo', [`X-Customer: ${'v'.repeat(9000)}`]), 431);
  assert.equal(await get('/api/2.0/echo', Array.from({ length: 3 }, () => `X-Customer: ${'v'.repeat(5000)}`)), 200);
  assert.equal(await get('/api/2.0/echo', Array.from({ length: 5 }, () => `X-Customer: ${'v'.repeat(5000)}`)), 431);
  assert.equal(await get('/api/2.0/echo', Array.from({ length: 90 }, (_, at) => `X-${at}: v`)), 200);
  assert.equal(await get('/api/2.0/echo', Array.from({ length: 110 }, (_, at) => `X-${at}: v`)), 431);
  const padded = (size) => JSON.stringify({ connection: world.id, name: '' }).replace('""', `"${' '.repeat(size)}"`);
  assert.ok([201, 400].includes((await post(padded(60_000))).status));
  const large = await post(padded(70_000));
  assert.deepEqual([large.status, codeOf(large)], [413, 'request_too_large']);
});

test('T52 a length of a gigabyte is refused at once where nobody asked for one', async () => {
  const head = `POST /v1/capabilities HTTP/1.1\r\nHost: ${world.host}\r\nAuthorization: Bearer ${world.gateway.apiKey}\r\nContent-Type: application/json\r\nContent-Length: ${2 ** 30}\r\n\r\n`;
  const { text, closed } = await converse(world.port, [head], { quiet: 5000 });
  assert.equal(statusOf(text), 413);
  assert.ok(closed);
});

test('T53 odd JSON is refused, and the gateway lives', async () => {
  const rows = ['['.repeat(60_000), `{"connection":${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}}`, `{"connection":"${world.id}","connection":"${world.id}"}`, '{"connection":NaN}', '{"connection":1e999}', '{"connection":"\xff"}', '{"connection":"a\0"}',
    `{"connection":"${world.id}"} x`, `{"connection":"${world.id}",}`, '', 'null', '[]', '"x"', '{', '\ufeff{}', `{"connection":"${world.id}","expires_in":123456789012345678901234567890}`, '{"connection":"\\ud800"}'];
  for (const body of rows) {
    const got = await post(Buffer.from(body, 'latin1'));
    assert.equal(got.status, 400, body.slice(0, 60));
    assert.match(codeOf(got), /^[a-z_]+$/, body.slice(0, 60));
  }
  assert.equal((await post(JSON.stringify({ connection: world.id }))).status, 201);
});

test('T54 a Host that is none of ours is misdirected, and never comes back in an answer', async () => {
  for (const [host, status] of [['evil.test', 421], [`evil.test:${world.port}`, 421], ['127.0.0.1.evil.test', 421], [`127.0.0.1:${world.port}`, 200], [world.host, 200]]) {
    for (const target of ['/api/2.0/echo', '/healthz', '/auth', '/']) {
      const { text } = await converse(world.port, [`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${world.capability}\r\nConnection: close\r\n\r\n`]);
      if (status === 421) assert.equal(statusOf(text), 421, `${host} ${target}`);
      else assert.notEqual(statusOf(text), 421, `${host} ${target}`);
      assert.ok(!text.includes('evil.test'), `${host} ${target}`);
    }
  }
  assert.ok(world.double.calls.every((x) => x.header('host') === `127.0.0.1:${world.double.port}`));
});

test('T55 pages of other origins get nothing: no CORS, no JSON in disguise, no OPTIONS', async () => {
  const foreign = { Origin: 'https://evil.test', 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'authorization' };
  for (const target of ['/v1/capabilities', '/v1/connections', '/api/2.0/echo', `/v1/connections/${world.id}/proxy/api/2.0/echo`]) {
    const preflight = await call(world.origin, target, { method: 'OPTIONS', headers: foreign });
    assert.ok([401, 403, 405].includes(preflight.status), `${target}: ${preflight.status}`);
    for (const headers of [preflight.headers, (await world.call(target, { headers: foreign })).headers]) assert.ok(!Object.keys(headers).some((name) => name.startsWith('access-control-')), target);
  }
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/jsonx', '']) {
    const got = await post(JSON.stringify({ connection: world.id }), { 'Content-Type': type });
    assert.deepEqual([got.status, codeOf(got)], [415, 'unsupported_media_type'], type);
  }
  assert.equal((await post(JSON.stringify({ connection: world.id }), { 'Content-Type': 'application/json; charset=utf-8' })).status, 201);
});
