// SPDX-License-Identifier: Apache-2.0
// What was cut never looks whole: answers and uploads that end at any byte, by a farewell or by a reset.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { cut, download, echo, upload, wire } from '../support/answers.mjs';
import { sleep, until } from '../support/brickgate.mjs';
import { patternBytes } from '../support/pattern.mjs';
import { codeOf, ProxyWorld } from '../support/proxy_world.mjs';
import { converse } from '../support/raw.mjs';

let world;
before(async () => { world = await ProxyWorld.start(); });
after(() => world?.stop());
beforeEach(() => { world.double.reset(); world.double.on('/api/2.0/echo', echo); });

const bodies = ['first part, ', 'second part, ', 'and the last'];
const text = bodies.join('');
const answers = {
  'Content-Length': `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
  chunked: `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${bodies.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('')}0\r\n\r\n`,
};

// POST: nothing is asked for again, so what the caller sees is this answer.
for (const [framing, bytes] of Object.entries(answers)) {
  for (const how of ['end', 'reset']) {
    test(`a ${framing} answer cut at every byte (${how}) is 502 or broken, never a short success`, async () => {
      const head = bytes.indexOf('\r\n\r\n') + 4;
      for (let at = 0; at < bytes.length; ++at) {
        const calls = world.double.calls.length;
        world.double.on('/api/2.0/odd', cut(bytes, at, how));
        const got = await world.call('/api/2.0/odd', { method: 'POST', body: '{}' }).catch((error) => ({ status: 0, complete: false, error }));
        if (got.status === 200) {
          assert.ok(!got.complete, `cut at ${at}: ${got.body}`);
          assert.ok(text.startsWith(got.body.toString()), `cut at ${at}: ${got.body}`);
        } else {
          assert.equal(got.status, 502, `cut at ${at}: ${got.error}`);
        }
        if (at < head) assert.equal(got.headers?.['brickgate-retryable'], '0', `cut at ${at}: it may have been done`);
        assert.equal(world.double.calls.length, calls + 1, `cut at ${at}: asked once`);
      }
      world.double.on('/api/2.0/odd', wire(bytes, how === 'end' ? 'end' : 'keep'));
      const got = await world.call('/api/2.0/odd', { method: 'POST', body: '{}' });
      assert.deepEqual([got.status, got.complete, got.body.toString()], [200, true, text]);
    });
  }

  test(`a ${framing} answer in two packets, split at every byte, is the same answer`, async () => {
    for (let at = 1; at < bytes.length; ++at) {
      world.double.on('/api/2.0/odd', async (x) => {
        await x.drain();
        await x.write(bytes.slice(0, at));
        await sleep(3);
        await x.write(bytes.slice(at));
      });
      const got = await world.call('/api/2.0/odd');
      assert.deepEqual([got.status, got.complete, got.body.toString()], [200, true, text], `split at ${at}`);
    }
  });
}

test('a broken chunk in the middle breaks the answer there', async () => {
  for (const middle of ['g\r\nxx\r\n', '2\r\nxxx\r\n', '-2\r\nxx\r\n', '2;\rxx\r\nxx\r\n', '\r\n', '2\nxx\r\n', 'ffffffffffffffffff\r\nxx\r\n', '2\r\nxx', `2;${'e'.repeat(100_000)}\r\nxx\r\n`]) {
    world.double.on('/api/2.0/odd', wire(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n${middle}0\r\n\r\n`));
    const got = await world.call('/api/2.0/odd', { method: 'POST' }).catch(() => ({ status: 0, complete: false }));
    assert.ok(got.status === 502 || got.status === 0 || !got.complete, `${JSON.stringify(middle.slice(0, 30))}: ${got.status} ${got.body}`);
  }
});

test('an answer without a length ends with the connection, but not by a reset', async () => {
  const open = `HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${text}`;
  world.double.on('/api/2.0/odd', wire(open, 'end'));
  const good = await world.call('/api/2.0/odd');
  assert.deepEqual([good.complete, good.body.toString()], [true, text]);
  world.double.on('/api/2.0/odd', async (x) => {
    await x.drain();
    await x.write(open);
    await sleep(50);
    x.reset();
  });
  const bad = await world.call('/api/2.0/odd', { method: 'POST' });
  assert.ok(bad.status === 502 || !bad.complete);
});

test('large bodies cut far inside are broken too', async () => {
  const path = '/api/2.0/fs/files/Volumes/x';
  for (const framing of ['length', 'chunked']) {
    for (const how of ['end', 'reset']) {
      world.double.on(path, async (x) => {
        const write = x.write.bind(x);
        let left = 3_000_000;
        x.write = async (bytes) => {
          left -= bytes.length;
          if (left > 0) return write(bytes);
          x[how]();
          return false;
        };
        await download({ size: 8_000_000, framing })(x);
      });
      const got = await world.call(path);
      assert.equal(got.status, 200);
      assert.ok(!got.complete && got.body.length < 8_000_000, `${framing} ${how}`);
      assert.ok(got.body.equals(patternBytes(got.body.length)), 'what came before is right');
    }
  }
});

test('TLS that ends without its farewell is broken, even where the end of the connection is the end of the body', async (t) => {
  const secure = await ProxyWorld.start({ upstreamTls: true });
  t.after(() => secure.stop());
  const path = '/api/2.0/odd';
  secure.double.on(path, async (x) => {
    await x.drain();
    await x.write(`HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${text}`);
    if (x.query.has('farewell')) return x.end();
    await sleep(50);
    x.cutCable();
  });
  const good = await secure.call(`${path}?farewell`, { method: 'POST' });
  assert.deepEqual([good.complete, good.body.toString()], [true, text]);
  const bad = await secure.call(path, { method: 'POST' });
  assert.ok(bad.status === 502 || !bad.complete, `${bad.status} ${bad.body}`);
});

test('an upload that breaks off never looks whole to the workspace', async () => {
  const path = '/api/2.0/fs/files/Volumes/x';
  world.double.on(path, upload());
  const body = patternBytes(200_000).toString('latin1');
  const streams = {
    'Content-Length': world.head('PUT', path, [`Content-Length: ${body.length}`]) + body,
    chunked: `${world.head('PUT', path, ['Transfer-Encoding: chunked'])}${(100_000).toString(16)}\r\n${body.slice(0, 100_000)}\r\n${(100_000).toString(16)}\r\n${body.slice(100_000)}\r\n0\r\n\r\n`,
  };
  for (const [framing, bytes] of Object.entries(streams)) {
    const begin = bytes.indexOf('\r\n\r\n') + 4;
    const cuts = [begin, begin + 1, begin + 5, begin + 8, begin + 90_000, begin + 100_007, begin + 100_009, begin + 100_012, bytes.length - 7, bytes.length - 5, bytes.length - 3, bytes.length - 1];
    for (const at of cuts.filter((cutAt) => cutAt < bytes.length)) {
      world.double.calls.length = 0;
      const { text: answered } = await converse(world.port, [bytes.slice(0, at)], { end: true, quiet: 5000 });
      assert.ok(!/^HTTP\/1\.1 2/.test(answered), `${framing} cut at ${at - begin}: ${answered.slice(0, 100)}`);
      await until(() => world.double.calls.every((x) => x.complete || x.socket.destroyed || x.connection.source.over), 'the upload to end upstream', 10000);
      assert.deepEqual(world.double.calls.filter((x) => x.complete), [], `${framing} cut at ${at - begin}`);
    }
    world.double.calls.length = 0;
    assert.match((await converse(world.port, [bytes], { quiet: 3000 })).text, /^HTTP\/1\.1 200/, framing);
  }
  assert.deepEqual(world.double.violations, []);
});

test('a caller that leaves ends its call upstream', async () => {
  world.double.on('/api/2.0/odd', async (x) => {
    await x.drain();
    await x.write(x.headOf(200, [['Transfer-Encoding', 'chunked']]));
    await x.write('3\r\nabc\r\n');
    await x.connection.gone;
    x.left = true;
  });
  const { message } = await world.open('/api/2.0/odd');
  message.once('data', () => message.destroy());
  message.on('error', () => {});
  await until(() => world.double.at('/api/2.0/odd')[0]?.left, 'the call to end upstream', 20000);
  // And while the answer has not begun.
  world.double.on('/api/2.0/mute', async (x) => { await x.drain(); await x.connection.gone; x.left = true; });
  const waiting = converse(world.port, [world.head('GET', '/api/2.0/mute')], { quiet: 500 });
  await world.untilCalls('/api/2.0/mute', 1);
  await waiting;
  await until(() => world.double.at('/api/2.0/mute')[0].left, 'the call to end upstream', 20000);
});

test('a workspace that cannot be reached is 502 with a code, and nobody hangs', async (t) => {
  const away = await ProxyWorld.start({ env: { BRICKGATE_PROXY_ATTEMPTS_MAX: '2', BRICKGATE_PROXY_RETRY_TIME_MAX: '5' } });
  t.after(() => away.gateway.stop());
  await away.double.wire.close();
  const got = await away.call('/api/2.0/echo');
  assert.equal(got.status, 502);
  assert.equal(codeOf(got), 'upstream_unreachable');
  await away.double.sandbox.stop();
});

test('a workspace that never begins to answer is given up after its time', async (t) => {
  const slow = await ProxyWorld.start({ env: { BRICKGATE_PROXY_ANSWER_TIMEOUT: '1', BRICKGATE_PROXY_ATTEMPTS_MAX: '1' } });
  t.after(() => slow.stop());
  slow.double.on('/api/2.0/mute', async (x) => { await x.drain(); await x.connection.gone; });
  const got = await slow.call('/api/2.0/mute', { method: 'POST', body: '{}' });
  assert.equal(got.status, 504);
  assert.equal(codeOf(got), 'upstream_timeout');
  assert.equal(slow.double.at('/api/2.0/mute').length, 1);
});
