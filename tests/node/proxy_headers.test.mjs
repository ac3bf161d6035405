// SPDX-License-Identifier: Apache-2.0
// T40, T41, T42, T44: which header fields pass, in both directions.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { answer, echo, harmlessHeaders, hostile, hostileHeaders, wire } from '../support/answers.mjs';
import { codeOf, namesOf, ProxyWorld } from '../support/proxy_world.mjs';
import { answersIn, raw } from '../support/raw.mjs';

let world;
before(async () => { world = await ProxyWorld.start({ env: { BRICKGATE_PROXY_REQUEST_HEADERS: 'X-Customer' } }); });
after(() => world?.stop());
beforeEach(() => { world.double.reset(); world.double.on('/api/2.0/echo', echo); });

const ask = async (lines, method = 'GET') => answersIn(await raw(world.port, world.head(method, '/api/2.0/echo', [...lines, 'Connection: close'])))[0];
const arrived = () => world.double.calls.at(-1);

test('T40 hop-by-hop fields stop here, nominated ones too, and ours cannot be nominated away', async () => {
  const lines = ['Connection: keep-alive, Authorization, X-Databricks-Org-Id, Accept', 'Connection: User-Agent , ,X-Customer', 'Accept: text/plain', 'X-Customer: 1', 'Keep-Alive: timeout=9', 'Proxy-Connection: keep-alive',
    'Proxy-Authorization: Basic eDp4', 'Proxy-Authenticate: Basic', 'TE: trailers', 'Trailer: X-After', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk', 'Accept-Language: de'];
  const { status } = answersIn(await raw(world.port, world.head('GET', '/api/2.0/echo', lines), { quiet: 1000 }))[0];
  assert.equal(status, 200);
  const x = arrived();
  assert.equal(x.all('authorization').length, 1);
  assert.ok(x.tokenGood);
  assert.equal(x.header('accept-language'), 'de');
  for (const name of ['accept', 'x-customer', 'keep-alive', 'proxy-connection', 'proxy-authorization', 'proxy-authenticate', 'te', 'trailer', 'upgrade', 'http2-settings']) assert.deepEqual(x.all(name), [], name);
  assert.ok(['', 'keep-alive', 'close'].includes(x.all('connection').join().toLowerCase()), x.all('connection').join());
});

test('T40 more nominations than an honest client has are refused', async () => {
  const names = (count) => `Connection: ${Array.from({ length: count }, (_, at) => `X-${at}`).join(', ')}`;
  assert.equal(answersIn(await raw(world.port, world.head('GET', '/api/2.0/echo', [names(16)]), { quiet: 1000 }))[0].status, 200);
  world.double.calls.length = 0;
  assert.equal(answersIn(await raw(world.port, world.head('GET', '/api/2.0/echo', [names(17)]), { quiet: 1000 }))[0].status, 400);
  assert.equal(world.double.calls.length, 0);
});

test('T42 the workspace gets its token once, and nothing of the caller\'s own', async () => {
  assert.equal((await ask(['Cookie: a=b; __Host-bg_admin=x', 'Cookie2: c', 'Proxy-Authorization: Bearer x'])).status, 200);
  const x = arrived();
  assert.equal(x.all('authorization').length, 1);
  assert.equal(x.bearer, (await world.gateway.token(world.id)).body.access_token);
  assert.ok(!x.head.includes(world.capability));
  assert.ok(!/cookie|proxy-auth/i.test(x.head), x.head);
  await world.via('/api/2.0/echo');
  assert.ok(!arrived().head.includes(world.key));
});

// T42's list, the operator's X-Customer, and what the gateway must say itself.
const passing = { Accept: 'application/json', 'Accept-Encoding': 'gzip', 'Accept-Language': 'de', 'Content-Type': 'application/json', 'Content-Encoding': 'gzip', 'If-None-Match': '"x"', 'If-Match': '*',
  'If-Modified-Since': 'Tue, 01 Sep 2026 12:00:00 GMT', 'If-Unmodified-Since': 'Tue, 01 Sep 2026 12:00:00 GMT', 'If-Range': '"x"', Range: 'bytes=0-1', 'X-Request-Id': '7', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  'Idempotency-Key': 'k', 'X-Customer': 'acme' };
const own = ['host', 'authorization', 'user-agent', 'connection', 'content-length', 'transfer-encoding', 'x-databricks-org-id', 'x-databricks-workspace-id'];

test('T42 what is on the list passes as it is, and a user agent gets a word of ours', async () => {
  assert.equal((await ask([...Object.entries(passing).map(([name, value]) => `${name}: ${value}`), 'User-Agent: my-app/1.0 databricks-sdk-py/0.30', 'Content-Length: 0'], 'POST')).status, 200);
  const x = arrived();
  for (const [name, value] of Object.entries(passing)) assert.deepEqual(x.all(name), [value], name);
  assert.match(x.header('user-agent'), /^my-app\/1\.0 databricks-sdk-py\/0\.30 .*brickgate/i);
  assert.equal((await ask(['Accept: a', 'Accept: b'])).status, 200);
  assert.deepEqual(arrived().all('accept'), ['a', 'b']);
});

test('T42 two hundred other headers reach nobody', async () => {
  const odd = ['X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Prefix', 'X-Real-IP', 'X-Client-IP', 'True-Client-IP', 'Forwarded', 'Via', 'X-Databricks-Org-Id', 'X-Databricks-Workspace-Id', 'X-Databricks-Azure-SP-Management-Token',
    'X-Databricks-Azure-Workspace-Resource-Id', 'X-Databricks-GCP-SA-Access-Token', 'X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override', 'X-Original-URL', 'X-Rewrite-URL', 'X-Api-Key', 'X-Auth-Token', 'Origin', 'Referer',
    'DNT', 'Pragma', 'Cache-Control', 'Sec-WebSocket-Key', 'Sec-Fetch-Site', 'Early-Data', 'Max-Forwards', 'From', 'Date', 'Age', 'Warning', 'Location', 'Set-Cookie', 'Refresh', 'Link', 'Server', 'X_Customer', 'Content_Length', 'Authorization_',
    'X-Brickgate-Anything', 'Brickgate-Attempts', 'baggage', 'tracestate', 'B3', 'x-amz-date', 'x-ms-client-principal', 'x-goog-iap', ...Array.from({ length: 160 }, (_, at) => `X-Odd-${at}`)];
  assert.ok(odd.length >= 200, `${odd.length}`);
  for (let at = 0; at < odd.length; at += 80) {
    assert.equal((await ask(odd.slice(at, at + 80).map((name) => `${name}: canary-${name}`))).status, 200);
    const x = arrived();
    assert.ok(!x.head.includes('canary-'), x.head);
    for (const [name] of x.headers) assert.ok([...own, ...Object.keys(passing).map((known) => known.toLowerCase())].includes(name.toLowerCase()), name);
    for (const name of ['authorization', 'host']) assert.equal(x.all(name).length, 1, name);
  }
});

test('T44 a hostile answer is harmless on our origin', async () => {
  world.double.on('/api/2.0/hostile', hostile);
  const got = await world.call('/api/2.0/hostile');
  assert.equal(got.status, 200);
  assert.equal(got.body.toString(), '<script>document.title = "ran"</script>');
  const names = namesOf(got.pairs);
  const added = { 'x-content-type-options': 'nosniff', 'content-security-policy': "sandbox; default-src 'none'", 'cross-origin-resource-policy': 'same-origin' };
  for (const [name, value] of hostileHeaders) {
    if (name === 'Connection' || name === 'Keep-Alive') continue;  // this hop has its own
    if (name.toLowerCase() in added) assert.ok(!got.pairs.some(([known, its]) => known.toLowerCase() === name.toLowerCase() && its === value), name);
    else assert.ok(!names.includes(name.toLowerCase()), name);
  }
  for (const [name, value] of Object.entries(added)) assert.deepEqual(got.pairs.filter(([known]) => known.toLowerCase() === name).map(([, its]) => its), [value], name);
  for (const [name, value] of harmlessHeaders) assert.deepEqual(got.pairs.filter(([known]) => known.toLowerCase() === name.toLowerCase()).map(([, its]) => its), [value], name);
  assert.equal(got.headers['content-type'], 'text/html');
});

test('T44 errors of the workspace are the workspace\'s own, and just as harmless', async () => {
  world.double.on('/api/2.0/odd', answer(404, { error_code: 'RESOURCE_DOES_NOT_EXIST', message: 'no' }, [['Set-Cookie', 'a=b'], ['x-databricks-reason-phrase', 'no']]));
  const got = await world.call('/api/2.0/odd');
  assert.deepEqual([got.status, got.json()], [404, { error_code: 'RESOURCE_DOES_NOT_EXIST', message: 'no' }]);
  assert.equal(got.headers['set-cookie'], undefined);
  assert.equal(got.headers['content-security-policy'], "sandbox; default-src 'none'");
  const redirected = 'HTTP/1.1 307 Temporary Redirect\r\nLocation: https://evil.test/x?y=%2F\r\nContent-Length: 0\r\n\r\n';
  world.double.on('/api/2.0/odd', wire(redirected));
  const redirect = await world.call('/api/2.0/odd');
  assert.deepEqual([redirect.status, redirect.headers.location], [307, 'https://evil.test/x?y=%2F'], 'T30 passed on, never followed');
});

test('T44 interim answers end here, and nobody changes the protocol', async () => {
  world.double.on('/api/2.0/odd', wire('HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', 'keep'));
  const got = await world.call('/api/2.0/odd');
  assert.deepEqual([got.status, got.body.toString(), got.interim, got.headers.link], [200, 'ok', [], undefined]);
  world.double.on('/api/2.0/odd', wire('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nfree bytes'));
  const switched = await world.call('/api/2.0/odd', { method: 'POST' });
  assert.equal(switched.status, 502);
  assert.ok(!switched.body.includes('free bytes'));
});

// A POST, so that a broken answer is not asked for again.
const brokenAnswers = {
  'bare CR in a value': 'HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b=c\r\nContent-Length: 2\r\n\r\nok', 'bare LF in a value': 'HTTP/1.1 200 OK\r\nX: a\nSet-Cookie: b=c\r\nContent-Length: 2\r\n\r\nok',
  'NUL in a value': 'HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok', 'a control character in a value': 'HTTP/1.1 200 OK\r\nX: a\x0bb\r\nContent-Length: 2\r\n\r\nok',
  'obs-fold': 'HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok', 'a space before the colon': 'HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 2\r\n\r\nok', 'a name that is none': 'HTTP/1.1 200 OK\r\nX(: a\r\nContent-Length: 2\r\n\r\nok',
  'both framings': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n', 'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!',
  'a length that is none': 'HTTP/1.1 200 OK\r\nContent-Length: 2x\r\n\r\nok', 'a negative length': 'HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok', 'another coding': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok',
  'coding on coding': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n', 'no HTTP': 'SSH-2.0-OpenSSH_9.2\r\n\r\n', 'an odd version': 'HTTP/3.0 200 OK\r\nContent-Length: 2\r\n\r\nok',
  'no status': 'HTTP/1.1 OK\r\nContent-Length: 2\r\n\r\nok', 'a status of four digits': 'HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok', 'seventeen nominations': `HTTP/1.1 200 OK\r\nConnection: ${Array.from({ length: 17 }, (_, at) => `X${at}`)}\r\nContent-Length: 2\r\n\r\nok`,
  'an endless head': `HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(100000)}Content-Length: 2\r\n\r\nok`, 'an endless line': `HTTP/1.1 200 OK\r\nX: ${'y'.repeat(1_000_000)}\r\nContent-Length: 2\r\n\r\nok`,
};

test('T41 a broken head of the workspace becomes 502, and none of its bytes pass', async () => {
  for (const [name, bytes] of Object.entries(brokenAnswers)) {
    world.double.on('/api/2.0/odd', wire(bytes));
    const got = await world.call('/api/2.0/odd', { method: 'POST', body: '{}' });
    assert.equal(got.status, 502, `${name}: ${got.status} ${got.body.toString().slice(0, 200)}`);
    assert.match(codeOf(got) ?? '', /^[a-z_]+$/, name);
    assert.equal(got.headers['set-cookie'], undefined, name);
    assert.ok(!got.body.includes('ok!'), name);
  }
});

test('T41 bytes after an answer belong to nobody\'s next', async () => {
  const whole = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
  world.double.on('/api/2.0/odd', wire(`${whole}HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-Poison: 1\r\n\r\npoison`, 'keep'));
  for (let i = 0; i < 10; ++i) {
    const got = await world.call('/api/2.0/odd');
    assert.deepEqual([got.status, got.body.toString(), got.headers['x-poison']], [200, 'ok', undefined]);
    const next = await world.call('/api/2.0/echo');
    assert.equal(next.json().target, '/api/2.0/echo');
  }
});
