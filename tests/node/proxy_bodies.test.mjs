// SPDX-License-Identifier: Apache-2.0
// T45: bodies stream in both ways, byte by byte as they were sent, without piling up in the gateway.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, beforeEach, test } from 'node:test';
import { answer, download, echo, upload, wire } from '../support/answers.mjs';
import { sleep, until } from '../support/brickgate.mjs';
import { whole } from '../support/http_call.mjs';
import { patternBytes, PatternCheck, patternHash, patternPiece } from '../support/pattern.mjs';
import { ProxyWorld, withExpectation } from '../support/proxy_world.mjs';
import { answersIn, converse } from '../support/raw.mjs';

let world, plain, secure;
const file = '/api/2.0/fs/files/Volumes/main/default/v/x';
before(async () => {
  world = plain = await ProxyWorld.start();
  secure = await ProxyWorld.start({ upstreamTls: true });
});
after(async () => {
  await plain?.stop();
  await secure?.stop();
});
beforeEach(() => { world.double.reset(); world.double.on('/api/2.0/echo', echo).on(file, download({ size: 300_000 })).on(file, upload(), { method: 'PUT' }); });

for (const over of ['', ' (TLS upstream)']) {
  const prepare = () => {
    const world = over === '' ? plain : secure;
    world.double.reset();
    world.double.on('/api/2.0/echo', echo).on(file, download()).on(file, upload(), { method: 'PUT' });
    return world;
  };

  test(`downloads of every size and framing arrive as they are${over}`, async () => {
    const world = prepare();
    for (const framing of ['length', 'chunked', 'close']) {
      for (const size of [0, 1, 1023, 16384, 65536, 262144, 262145, 5_000_000]) {
        const got = await world.call(`${file}?framing=${framing}&size=${size}`);
        assert.equal(got.status, 200);
        assert.ok(got.complete, `${framing} ${size}`);
        const check = new PatternCheck();
        check.update(got.body);
        assert.deepEqual([check.size, check.wrongAt], [size, undefined], `${framing} ${size}`);
        if (framing === 'length') assert.equal(got.headers['content-length'], String(size));
      }
    }
  });

  test(`uploads of every size and framing arrive as they are${over}`, async () => {
    const world = prepare();
    async function* pieces(size, piece) {
      for (let at = 0; at < size; at += piece) yield patternBytes(Math.min(piece, size - at), at);
    }
    for (const size of [0, 1, 1023, 65536, 262144, 262145, 5_000_000]) {
      for (const framing of ['length', 'chunked']) {
        const got = await world.call(file, { method: 'PUT', body: pieces(size, 50_000), headers: framing === 'length' ? { 'Content-Length': size } : { 'Transfer-Encoding': 'chunked' } });
        assert.deepEqual(got.json(), { body_size: size, body_sha256: patternHash(size) }, `${framing} ${size}`);
      }
    }
    assert.deepEqual(world.double.violations, []);
  });
}

test('ranges, validators, HEAD, 204 and 304 keep their meaning', async () => {
  const part = await world.call(file, { headers: { Range: 'bytes=70000-70009' } });
  assert.deepEqual([part.status, part.headers['content-range'], part.headers['content-length']], [206, 'bytes 70000-70009/300000', '10']);
  assert.deepEqual(part.body, patternBytes(10, 70000));
  assert.equal((await world.call(file, { headers: { Range: 'bytes=300000-' } })).status, 416);
  const head = await world.call(file, { method: 'HEAD' });
  assert.deepEqual([head.status, head.headers['content-length'], head.headers.etag, head.body.length], [200, '300000', '"brickgate-1"', 0]);
  const chunkedHead = await world.call(`${file}?framing=chunked`, { method: 'HEAD' });
  assert.deepEqual([chunkedHead.status, chunkedHead.headers['content-length'], chunkedHead.body.length], [200, undefined, 0]);
  const same = await world.call(file, { headers: { 'If-None-Match': '"brickgate-1"' } });
  assert.deepEqual([same.status, same.headers.etag, same.body.length], [304, '"brickgate-1"', 0]);
  world.double.on('/api/2.0/none', (x) => x.respond(204));
  const none = await world.call('/api/2.0/none', { method: 'DELETE' });
  assert.deepEqual([none.status, none.body.length, none.headers['content-length'], none.headers['transfer-encoding']], [204, 0, undefined, undefined]);
});

test('one connection carries all of them in a row', async () => {
  world.double.on('/api/2.0/none', (x) => x.respond(204));
  const heads = [['HEAD', file], ['GET', '/api/2.0/none'], ['GET', '/api/2.0/echo'], ['HEAD', `${file}?framing=chunked`], ['GET', '/api/2.0/echo?last']];
  const bytes = heads.map(([method, target], at) => world.head(method, target, at + 1 === heads.length ? ['Connection: close'] : [])).join('');
  const { text, closed } = await converse(world.port, [bytes]);
  assert.ok(closed);
  const starts = text.match(/HTTP\/1\.1 \d{3}/g);
  assert.deepEqual(starts, ['HTTP/1.1 200', 'HTTP/1.1 204', 'HTTP/1.1 200', 'HTTP/1.1 200', 'HTTP/1.1 200']);
  assert.ok(text.trimEnd().endsWith('}') || text.includes('/api/2.0/echo?last'));
});

test('Content-Encoding is the caller\'s affair: nothing is decompressed', async () => {
  const zipped = Buffer.from('1f8b08000000000000034bcacf07004c5d3b8103000000', 'hex');
  world.double.on('/api/2.0/zip', async (x) => { await x.drain(); await x.respond(200, [['Content-Encoding', 'gzip']], zipped); });
  const got = await world.call('/api/2.0/zip', { headers: { 'Accept-Encoding': 'gzip' } });
  assert.equal(got.headers['content-encoding'], 'gzip');
  assert.deepEqual(got.body, zipped);
});

test('Expect: 100-continue: the go-ahead comes before the body, a refusal instead of it', async () => {
  const good = await withExpectation(world, file, { body: patternBytes(400_000) });
  assert.deepEqual([good.continued, good.status, JSON.parse(good.body)], [true, 200, { body_size: 400_000, body_sha256: patternHash(400_000) }]);
  assert.deepEqual(world.double.calls[0].all('expect'), [], 'between us and the workspace there is none');
  const before = world.double.calls.length;
  const refused = await withExpectation(world, '/api/2.0/../x', { body: patternBytes(1000) });
  assert.deepEqual([refused.continued, refused.status], [false, 400]);
  const stranger = await withExpectation({ origin: world.origin, bearer: () => ({ Authorization: 'Bearer x' }) }, file, { body: patternBytes(1000) });
  assert.deepEqual([stranger.continued, stranger.status], [false, 401]);
  assert.equal(world.double.calls.length, before);
});

test('trailers are dropped, in both directions', async () => {
  const { text } = await converse(world.port, [world.head('PUT', file, ['Transfer-Encoding: chunked', 'Connection: close']) + '3\r\nabc\r\n0\r\nX-Trailer: y\r\n\r\n']);
  assert.equal(answersIn(text)[0].status, 200);
  assert.deepEqual(world.double.violations, []);
  world.double.on('/api/2.0/odd', wire('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;ext=1\r\nok\r\n0\r\nSet-Cookie: a=b\r\n\r\n', 'keep'));
  const got = await world.call('/api/2.0/odd');
  assert.deepEqual([got.body.toString(), got.message.rawTrailers, got.complete], ['ok', [], true]);
});

test('events come when they are sent: the next is sent only when the one before has arrived', async () => {
  let arrived = 0;
  const path = '/serving-endpoints/practice/invocations';
  world.double.on(path, async (x) => {
    await x.drain();
    await x.write(x.headOf(200, [['Content-Type', 'text/event-stream'], ['Transfer-Encoding', 'chunked']]));
    for (let tick = 0; tick < 20; ++tick) {
      const text = `data: ${tick}\n\n`;
      await x.write(`${text.length.toString(16)}\r\n${text}\r\n`);
      await until(() => arrived > tick, `event ${tick} at the caller`, 10000);
    }
    await x.write('0\r\n\r\n');
  });
  const { status, headers, message } = await world.open(path, { method: 'POST', body: '{"stream": true}' });
  assert.deepEqual([status, headers['content-type']], [200, 'text/event-stream']);
  let text = '';
  for await (const piece of message) {
    text += piece;
    arrived = text.split('\n\n').length - 1;
  }
  assert.equal(arrived, 20);
  assert.ok(message.complete);
});

test('the head of an answer does not wait for its body, nor a long upload for its end', async () => {
  let let_go;
  const free = new Promise((resolve) => (let_go = resolve));
  world.double.on('/api/2.0/slow', async (x) => {
    await x.drain();
    await x.write(x.headOf(200, [['Content-Length', 3]]));
    await free;
    await x.write('abc');
  });
  const slow = await world.open('/api/2.0/slow');
  assert.equal(slow.status, 200);
  let_go();
  assert.equal((await whole(slow.message)).body.toString(), 'abc');
  let seen = 0;
  world.double.on('/api/2.0/up', async (x) => {
    for await (const piece of x.pieces()) seen += piece.length;
    await x.json(200, { seen });
  });
  async function* pieces() {
    yield patternBytes(600_000);  // up to 256 KiB are kept, so that they could be sent again
    await until(() => seen >= 262_144, 'the first bytes upstream', 10000);
    yield patternBytes(1000);
  }
  assert.deepEqual((await world.call('/api/2.0/up', { method: 'POST', body: pieces() })).json(), { seen: 601_000 });
});

test('an answer that comes before the upload is over reaches the caller', async () => {
  world.double.on('/api/2.0/full', async (x) => {
    await x.respond(413, [['Content-Type', 'application/json'], ['Connection', 'close']], '{"error_code":"MAX_LIMIT","message":"too large"}');
    for await (const piece of x.pieces()) void piece;
  });
  const got = await world.call('/api/2.0/full', { method: 'POST', body: patternBytes(3_000_000) });
  assert.deepEqual([got.status, got.json().error_code], [413, 'MAX_LIMIT']);
});

const memory = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${world.gateway.process.child.pid}/status`, 'utf8'))[1]) / 1024;
const size = 384 << 20;
// Of fixed buffers; generous, for the sanitizer's own memory counts too. The exact figure is ./run bench's.
const growth_mib_max = 96;

async function peakDuring(work) {
  const before = memory();
  let peak = before;
  const timer = setInterval(() => (peak = Math.max(peak, memory())), 50);
  await work;
  clearInterval(timer);
  return peak - before;
}

test('T45 a large download passes without piling up', async () => {
  await world.call(`${file}?size=1000000`);
  const check = new PatternCheck();
  const growth = await peakDuring((async () => {
    const { message } = await world.open(`${file}?size=${size}`);
    for await (const piece of message) check.update(piece);
  })());
  assert.deepEqual([check.size, check.wrongAt], [size, undefined]);
  assert.ok(growth < growth_mib_max, `grew by ${growth} MiB`);
});

test('T45 a large upload passes without piling up', async () => {
  async function* pieces() {
    for (let at = 0; at < size;) {
      const piece = patternPiece(at, size - at);
      yield piece;
      at += piece.length;
    }
  }
  let got;
  const growth = await peakDuring((async () => { got = await world.call(file, { method: 'PUT', body: pieces(), headers: { 'Content-Length': size } }); })());
  assert.equal(got.json().body_size, size);
  assert.ok(growth < growth_mib_max, `grew by ${growth} MiB`);
});

test('T45 slow readers hold their own streams, and nobody else\'s', async () => {
  const slow = await Promise.all(Array.from({ length: 20 }, () => world.open(`${file}?size=${64 << 20}`)));
  slow.forEach(({ message }) => message.pause());
  const sources = world.double.at(file);
  const sent = () => sources.map((x) => x.sent).join();
  let last;
  await until(async () => { const now = sent(); const same = now === last; last = now; await sleep(300); return same; }, 'the senders to stand still', 30000);
  // Socket buffers of the kernel on four sides, and the gateway's own.
  for (const x of sources) assert.ok(x.sent < 32 << 20, `${x.sent} bytes went to somebody who reads none`);
  const others = await Promise.all(Array.from({ length: 50 }, () => world.call('/api/2.0/echo')));
  assert.ok(others.every(({ status }) => status === 200));
  assert.equal(sent(), last);
  await Promise.all(slow.map(async ({ message }, at) => {
    if (at > 0) return message.destroy();
    const check = new PatternCheck();
    for await (const piece of message) check.update(piece);
    assert.deepEqual([check.size, check.wrongAt], [64 << 20, undefined], 'and come back to life');
  }));
  await until(() => sources.filter((x) => x.socket.destroyed || !x.keep).length === 19, 'the abandoned downloads to end upstream', 20000);
});

test('a workspace that reads slowly slows the sender', async () => {
  world.double.on('/api/2.0/sip', async (x) => { await x.connection.gone; });
  let given = 0;
  async function* pieces() {
    for (;;) {
      const piece = patternPiece(given, 1 << 18);
      given += piece.length;
      yield piece;
    }
  }
  const call = world.open('/api/2.0/sip', { method: 'POST', body: pieces(), headers: { 'Transfer-Encoding': 'chunked' } }).catch(() => {});
  let last = -1;
  await until(async () => { const same = given === last && given > 0; last = given; await sleep(300); return same; }, 'the sender to stand still', 30000);
  assert.ok(given < 32 << 20, `${given} bytes were taken from the caller`);
  world.double.wire.dropConnections({ reset: true });
  await call;
  assert.equal((await world.call('/api/2.0/echo')).status, 200);
});

test('a workspace\'s error answer keeps its body and type', async () => {
  world.double.on('/api/2.0/odd', answer(500, { error_code: 'INTERNAL_ERROR', message: 'oops' }));
  const got = await world.call('/api/2.0/odd', { method: 'POST', body: '{}' });
  assert.deepEqual([got.status, got.headers['content-type'], got.json().message], [500, 'application/json', 'oops']);
});
