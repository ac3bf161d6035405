// SPDX-License-Identifier: Apache-2.0
// T39, T41: byte streams that two parsers might read as different numbers of requests. Whatever the gateway makes of
// one, the workspace sees as many requests as the gateway answered with success, and a stream that is wrong ends there.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { echo } from '../support/answers.mjs';
import { sleep } from '../support/brickgate.mjs';
import { answersIn, converse } from '../support/raw.mjs';
import { ProxyWorld } from '../support/proxy_world.mjs';

let world;
before(async () => {
  world = await ProxyWorld.start();
  world.double.on(/^/, echo);
});
after(() => world?.stop());

// name, bytes, what is expected: a number of successes, 'refused' (none, and the gateway closes), or 'either' (refused
// or one). `end`: the caller says that nothing follows.
const corpus = [];
const row = (name, bytes, expected = 'refused', options = {}) => corpus.push({ name, bytes, expected, ...options });

function build() {
  const auth = `Host: ${world.host}\r\nAuthorization: Bearer ${world.capability}\r\n`;
  const start = `POST /api/2.0/echo HTTP/1.1\r\n${auth}`;
  const smuggled = `GET /api/2.0/echo/smuggled HTTP/1.1\r\n${auth}\r\n`;
  const close = 'Connection: close\r\n';
  const post = (lines, body, version = '1.1') => `POST /api/2.0/echo HTTP/${version}\r\n${auth}${lines}\r\n${body}`;
  const chunk = (text) => `${text.length.toString(16)}\r\n${text}\r\n`;
  const last = '0\r\n\r\n';
  const te = 'Transfer-Encoding: chunked\r\n';

  // What must work, so that the rest is not refused for another reason.
  row('Content-Length', post(`${close}Content-Length: 5\r\n`, '12345'), 1);
  row('no body at all', post(`${close}Content-Length: 0\r\n`, ''), 1);
  row('chunked', post(close + te, chunk('12345') + chunk('678') + last), 1);
  row('a GET without a body', `GET /api/2.0/echo HTTP/1.1\r\n${auth}${close}\r\n`, 1);
  row('two in a row', post('Content-Length: 5\r\n', '12345') + post(`${close}${te}`, chunk('abc') + last), 2);
  row('three in a row, the body looks like a request', post(`Content-Length: ${smuggled.length}\r\n`, smuggled) + smuggled + post(`${close}Content-Length: 0\r\n`, ''), 3);
  row('a chunk that looks like a request', post(close + te, chunk(smuggled) + last), 1);

  // Both framings, or one of them twice.
  for (const [name, lines] of Object.entries({
    'CL.TE': `Content-Length: 4\r\n${te}`, 'TE.CL': `${te}Content-Length: 4\r\n`, 'CL 0 and TE': `Content-Length: 0\r\n${te}`,
    'two equal lengths': 'Content-Length: 5\r\nContent-Length: 5\r\n', 'two lengths': 'Content-Length: 5\r\nContent-Length: 0\r\n', 'a list of lengths': 'Content-Length: 5, 5\r\n',
    'two codings': te + te, 'chunked and identity': `${te}Transfer-Encoding: identity\r\n`,
  })) row(name, post(lines, chunk('12345') + last + smuggled));

  // Codings that are not exactly chunked.
  for (const value of ['xchunked', 'chunked, identity', 'identity, chunked', 'identity', 'chunked, chunked', 'gzip, chunked', 'chunked;q=1', '"chunked"', 'chunked,', ',chunked', '\x0bchunked', 'chunked\x0b',
    'chun ked', 'chunke', 'x', '', 'chunked\0', "'chunked'", 'cow', 'chunked-x', '\xa0chunked', 'chunked\x85'])
    row(`Transfer-Encoding: ${JSON.stringify(value)}`, post(`Transfer-Encoding: ${value}\r\n`, chunk('12345') + last + smuggled));
  for (const value of ['Chunked', 'CHUNKED', '  chunked', 'chunked \t'])
    row(`Transfer-Encoding: ${JSON.stringify(value)}`, post(`${close}Transfer-Encoding: ${value}\r\n`, chunk('12345') + last), 'either');

  // Names of framing fields in disguise.
  for (const name of ['Transfer-Encoding ', 'Transfer-Encoding\t', ' Transfer-Encoding', '\tTransfer-Encoding', 'Transfer-Encoding\0', 'Transfer-\xadEncoding', 'X: y\rTransfer-Encoding', 'X: y\nTransfer-Encoding',
    'X: y\r\n Transfer-Encoding', 'Transfer-Encoding\r\n ', '', '\r', 'Transfer-Encod\ring', 'Trans(fer'])
    row(`the field ${JSON.stringify(name)}`, post(`Content-Length: 5\r\n${name}: chunked\r\n`, '12345' + smuggled));
  row('Transfer_Encoding with a length', post(`${close}Content-Length: 5\r\nTransfer_Encoding: chunked\r\n`, '12345'), 'either');
  row('Content_Length beside the length', post(`${close}Content-Length: 5\r\nContent_Length: 0\r\n`, '12345'), 'either');
  row('a folded coding', post('Transfer-Encoding:\r\n chunked\r\n', chunk('12345') + last + smuggled));
  row('a folded field', post('Content-Length: 5\r\nX: a\r\n b\r\n', '12345' + smuggled));
  row('a line without a colon', post('Content-Length: 5\r\nnonsense\r\n', '12345' + smuggled));
  row('nominating the length away', post(`Connection: close, Content-Length\r\nContent-Length: 5\r\n`, '12345'), 'either');
  row('nominating the coding away', post(`Connection: close, Transfer-Encoding\r\n${te}`, chunk('12345') + last), 'either');

  // Lengths that are not digits, or too many of them.
  for (const value of ['+5', '-5', '5 5', '5,', '0x5', '5.0', '5e0', '', ' ', '5;', '5\0', '"5"', '9007199254740993', '18446744073709551621', '99999999999999999999', '4294967301x', '\xb2'])
    row(`Content-Length: ${JSON.stringify(value)}`, post(`Content-Length: ${value}\r\n`, '12345' + smuggled));
  for (const value of ['05', '0005', ' 5', '5\t']) row(`Content-Length: ${JSON.stringify(value)}`, post(`${close}Content-Length: ${value}\r\n`, '12345'), 'either');

  // Chunks.
  for (const size of ['', ' 5', '0x5', '+5', '-5', '5g', 'g', '5 ;', 'ffffffffffffffff5', '10000000000000005', '5,5', '5\t5', '\u00b5', '5\0', '5\r', '5;\rx', `5;${'x'.repeat(10000)}`])
    row(`chunk size ${JSON.stringify(size.slice(0, 40))}`, post(te, `${size}\r\n12345\r\n${last}${smuggled}`));
  for (const size of ['5;x=y', '5;x="a;b"', '05', '00000000000000000005', '5 ']) row(`chunk size ${JSON.stringify(size)}`, post(close + te, `${size}\r\n12345\r\n${last}`), 'either');
  row('bare LF after a chunk size', post(te, `5\n12345\r\n${last}${smuggled}`));
  row('bare LF after a chunk', post(te, `5\r\n12345\n${last}${smuggled}`));
  row('bare CR after a chunk size', post(te, `5\r12345\r\n${last}${smuggled}`));
  row('nothing after a chunk', post(te, `5\r\n12345${last}${smuggled}`));
  row('a chunk longer than it says', post(te, `5\r\n123456\r\n${last}${smuggled}`));
  row('a chunk shorter than it says', post(te, `6\r\n12345\r\n${last}${smuggled}`));
  row('bare LF after the last chunk', post(te, `5\r\n12345\r\n0\n\n${smuggled}`));
  row('a last chunk of -0', post(te, `5\r\n12345\r\n-0\r\n\r\n${smuggled}`));
  row('a trailer', post(close + te, `${chunk('12345')}0\r\nX-Trailer: y\r\n\r\n`), 'either');
  row('a trailer that frames', post(close + te, `${chunk('12345')}0\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\n\r\n`), 'either');
  row('a folded trailer', post(te, `${chunk('12345')}0\r\nX: a\r\n b\r\n\r\n${smuggled}`));
  row('a trailer with bare CR', post(te, `${chunk('12345')}0\r\nX: a\rb\r\n\r\n${smuggled}`));
  row('endless trailers', post(te, `${chunk('12345')}0\r\n${'X-T: y\r\n'.repeat(5000)}\r\n${smuggled}`));

  // Versions and start lines.
  row('chunked in HTTP/1.0', post(te, chunk('12345') + last + smuggled, '1.0'));
  row('a length in HTTP/1.0', post('Content-Length: 5\r\n', '12345', '1.0'), 'either');
  for (const version of ['HTTP/1.2', 'HTTP/2.0', 'HTTP/0.9', 'http/1.1', 'HTTP/1.1 ', 'HTTP/01.1', 'HTTP/1.10', 'HTTP/1', 'HTTP/1.', 'HTTP/ 1.1', 'HTTPS/1.1', '', 'HTTP/1.1\t', 'HTTP/1.1\0'])
    row(`version ${JSON.stringify(version)}`, `POST /api/2.0/echo ${version}\r\n${auth}Content-Length: 5\r\n\r\n12345${smuggled}`);
  for (const line of ['POST  /api/2.0/echo HTTP/1.1', 'POST\t/api/2.0/echo HTTP/1.1', 'POST /api/2.0/echo  HTTP/1.1', ' POST /api/2.0/echo HTTP/1.1', 'POST /api/2.0/echo\tHTTP/1.1', 'POST /api/2.0/echo x HTTP/1.1',
    'POST', 'POST /api/2.0/echo', 'PO(ST /api/2.0/echo HTTP/1.1', 'POST /api/2.0/\0echo HTTP/1.1', 'POST\0 /api/2.0/echo HTTP/1.1', 'P\xd6ST /api/2.0/echo HTTP/1.1', 'POST /api/2.0/echo\rX HTTP/1.1', ': x'])
    row(`start line ${JSON.stringify(line)}`, `${line}\r\n${auth}Content-Length: 5\r\n\r\n12345${smuggled}`);
  row('an empty line first', `\r\n${start}${close}Content-Length: 5\r\n\r\n12345`, 'either');
  row('LF instead of CRLF', `${start}Content-Length: 5\r\n\r\n12345`.replaceAll('\r\n', '\n') + smuggled);
  row('LF in one line', `POST /api/2.0/echo HTTP/1.1\n${auth}Content-Length: 5\r\n\r\n12345${smuggled}`);
  row('the head ends with LF LF', `${start}Content-Length: 5\n\n12345${smuggled}`);
  row('the head ends with LF CRLF', `${start}Content-Length: 5\n\r\n12345${smuggled}`);
  row('CR instead of CRLF', `${start}Content-Length: 5\r\n\r\n`.replaceAll('\r\n', '\r') + smuggled, 'refused', { end: true });

  // Hosts.
  for (const [name, lines] of Object.entries({
    'no Host': '', 'two Hosts': `Host: ${world.host}\r\nHost: ${world.host}\r\n`, 'another Host': 'Host: evil.test\r\n', 'Host and another': `Host: ${world.host}\r\nHost: evil.test\r\n`, 'an empty Host': 'Host:\r\n',
    'a list of Hosts': `Host: ${world.host}, evil.test\r\n`, 'Host with userinfo': `Host: ${world.host}@evil.test\r\n`, 'Host with a path': `Host: ${world.host}/x\r\n`, 'a folded Host': `Host:\r\n ${world.host}\r\n`,
  })) row(name, `POST /api/2.0/echo HTTP/1.1\r\n${lines}Authorization: Bearer ${world.capability}\r\nContent-Length: 5\r\n\r\n12345`, 'refused', { mayStay: true });

  // T41 inbound: bytes that end a line for somebody.
  for (const value of ['a\0b', 'a\rb', 'a\nb', 'a\r\n\tb', 'a\x01b', 'a\x7fb', 'a\x1bb']) row(`a value ${JSON.stringify(value)}`, post(`Content-Length: 5\r\nX-Request-Id: ${value}\r\n`, '12345' + smuggled));
  row('two Authorization', post(`${close}Authorization: Bearer x\r\nContent-Length: 5\r\n`, '12345'), 'either');

  // What does not come whole is no request.
  row('a body that ends early', post('Content-Length: 10\r\n', '12345'), 'refused', { end: true });
  row('chunks that end early', post(te, chunk('12345')), 'refused', { end: true });
  row('a chunk that ends early', post(te, 'a\r\n12345'), 'refused', { end: true });
  row('a last chunk that ends early', post(te, `${chunk('12345')}0\r\n`), 'refused', { end: true });
  row('a head that ends early', start, 'refused', { end: true });

  // Protocol changes are not followed.
  row('h2c', `GET /api/2.0/echo HTTP/1.1\r\n${auth}Connection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n`, 'either');
  row('websocket', `GET /api/2.0/echo HTTP/1.1\r\n${auth}Connection: close, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n`, 'either');
  row('the preface of HTTP/2', `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${'\0'.repeat(9)}`);
  row('an expectation that nobody knows', post(`${close}Expect: the unexpected\r\nContent-Length: 5\r\n`, '12345'), 'either');
}

test('T39 T41 the workspace sees as many requests as were answered, for every byte stream', async () => {
  build();
  assert.ok(corpus.length >= 140, `${corpus.length}`);
  const wrong = [];
  for (const { name, bytes, expected, end, mayStay } of corpus) {
    const { calls, violations } = world.double;
    calls.length = violations.length = 0;
    const { text, closed } = await converse(world.port, [bytes], { quiet: expected === 'refused' && !mayStay ? 5000 : 1500, end });
    const answers = answersIn(text);
    const good = answers.filter(({ status }) => status >= 200 && status < 300).length;
    if (good === 0) await sleep(5);
    const whole = calls.filter((x) => x.complete).length;
    const say = (what) => wrong.push(`${name}: ${what}; answers ${answers.map(({ status }) => status)}, upstream ${calls.map((x) => `${x.target} ${x.complete ? 'whole' : 'cut'}`)}`);
    if (whole !== good) say(`${whole} requests upstream, ${good} successes`);
    if (violations.some((text) => !/inside a head/.test(text))) say(`what came upstream was ${violations}`);
    if (expected === 'refused') {
      if (good + whole > 0) say('was not refused');
      if (!closed && !mayStay) say('the connection stayed');
      if (!answers.every(({ status }) => status === 0 || (status >= 400 && status < 600))) say('odd answer');
    } else if (expected === 'either') {
      if (good > 1) say('more than one');
      if (good === 0 && !answers.some(({ status }) => status >= 400)) say('no answer');
    } else if (good !== expected) say(`not ${expected}`);
  }
  assert.deepEqual(wrong, []);
});

test('T39 the same bytes in two packets, split anywhere, mean the same', async () => {
  const auth = `Host: ${world.host}\r\nAuthorization: Bearer ${world.capability}\r\nConnection: close\r\n`;
  const streams = [
    `POST /api/2.0/echo HTTP/1.1\r\n${auth}Transfer-Encoding: chunked\r\n\r\n5;x=y\r\n12345\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n`,
    `POST /api/2.0/echo HTTP/1.1\r\n${auth}Content-Length: 8\r\n\r\n12345abc`,
  ];
  for (const stream of streams) {
    for (let at = 1; at < stream.length; at += at < 60 ? 7 : 1) {
      world.double.calls.length = 0;
      const { text } = await converse(world.port, [stream.slice(0, at), stream.slice(at)], { pauseMs: 2 });
      assert.deepEqual(answersIn(text).map(({ status }) => status), [200], `split at ${at}: ${text.slice(0, 300)}`);
      assert.deepEqual(world.double.calls.map((x) => [x.bodySize, x.complete]), [[8, true]], `split at ${at}`);
    }
  }
});
