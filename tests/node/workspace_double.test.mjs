// SPDX-License-Identifier: Apache-2.0
// The workspace double, and the warehouse in it, do what the proxy's tests take for granted.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, beforeEach, test } from 'node:test';
import { createRequire } from 'node:module';
import { cut, download, drop, echo, events, hostile, hostileHeaders, refusals, sequence, upload, wire } from '../support/answers.mjs';
import { approve, begin, Gateway, Jar, sleep, until } from '../support/brickgate.mjs';
import { Authority } from '../support/certificates.mjs';
import { call, open } from '../support/http_call.mjs';
import { patternBytes, PatternCheck, patternHash } from '../support/pattern.mjs';
import { raw } from '../support/raw.mjs';
import { ThriftWarehouse } from '../support/thrift_warehouse.mjs';
import { WorkspaceDouble } from '../support/workspace.mjs';

const require = createRequire(import.meta.url);
const { DBSQLClient } = require('@databricks/sql');

let double;
before(async () => { double = await WorkspaceDouble.start(); });
after(() => double.stop());
beforeEach(() => double.reset());

const free = (path, handler) => double.on(path, handler, { any: true });

async function signInThrough(workspace, env = {}) {
  const gateway = await Gateway.start({ sandbox: workspace, env });
  await workspace.sandbox.control('POST', 'apps', { client_id: 'brickgate-demo', client_secret: 'brickgate-demo-secret', redirect_uris: [`${gateway.url}/callback`] });
  const jar = new Jar();
  const authorize = await begin(gateway, jar);
  assert.ok(authorize.startsWith(`${workspace.origin}/oidc/v1/authorize?`), authorize);
  const back = await jar.get(await approve(authorize.replace(workspace.origin, workspace.sandbox.origin)));
  const page = await jar.get(gateway.url + back.location);
  return { gateway, page, id: /con_[0-9a-f]{32}/.exec(page.text)?.[0] };
}

test('people sign in at the sandbox behind it, and its token is good for the double', async (t) => {
  const { gateway, page, id } = await signInThrough(double);
  t.after(() => gateway.stop());
  assert.equal(page.status, 200);
  assert.ok(double.forwarded.some((x) => x.path === '/oidc/v1/token' && x.method === 'POST'));
  const ask = async () => {
    const { access_token } = (await gateway.token(id)).body;
    return call(double.origin, '/api/2.0/echo', { headers: { Authorization: `Bearer ${access_token}` } });
  };
  assert.equal((await ask()).status, 200);
  double.rejectTokens();
  assert.equal((await ask()).status, 401, 'a rejected token is refused');
  await gateway.api('POST', `/v1/connections/${id}/refresh`);
  assert.equal((await ask()).status, 200, 'the next is good');
  assert.equal((await call(double.origin, '/api/2.0/echo', { headers: { Authorization: 'Bearer x' } })).status, 401);
  assert.equal((await call(double.origin, '/api/2.0/echo')).headers['www-authenticate'], 'Bearer realm="DatabricksRealm"');
  assert.equal((await call(double.origin, '/api/2.0/echo/more', { headers: { Authorization: `Bearer ${(await gateway.token(id)).body.access_token}` } })).status, 200);
  assert.deepEqual(double.violations, []);
});

test('under TLS, with an authority that the gateway is told of', async (t) => {
  const authority = new Authority();
  const workspace = await WorkspaceDouble.start({ tls: authority.issue() });
  t.after(() => workspace.stop());
  const { gateway, page } = await signInThrough(workspace, { BRICKGATE_TLS_CA_FILE: authority.file });
  t.after(() => gateway.stop());
  assert.equal(page.status, 200);
  assert.match(page.text, /Ada Lovelace/);
});

test('a head is logged byte by byte, and a body by size and hash', async () => {
  free('/api/2.0/echo', echo);
  const head = 'POST /api/2.0/echo?a=%2F&b=%C3%A9 HTTP/1.1\r\nhOsT: x\r\nX-Odd:\tspaced  \r\ncontent-LENGTH: 5\r\nConnection: close\r\n\r\n';
  await raw(double.port, `${head}12345`);
  const [x] = double.at('/api/2.0/echo');
  assert.equal(x.head, head);
  assert.equal(x.target, '/api/2.0/echo?a=%2F&b=%C3%A9');
  assert.deepEqual(x.headers[1], ['X-Odd', 'spaced']);
  assert.equal(x.bodySize, 5);
  assert.equal(x.bodyHash, '5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5');
});

test('what a strict parser refuses is a violation, and no call', async () => {
  free('/api/2.0/echo', echo);
  const rows = [
    'Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'Content-Length: 1\r\nContent-Length: 1\r\n\r\nx', 'Content-Length: +1\r\n\r\nx',
    'X : y\r\n\r\n', 'X: a\r\n b\r\n\r\n', 'X: a\rb\r\n\r\n', 'X: a\nY: b\r\n\r\n', 'X: a\0b\r\n\r\n', 'Host: y\r\n\r\n',
    'Transfer-Encoding: chunked\r\n\r\n1;x=y\r\na\r\n0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n1\r\naX0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n',
    'Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n 1\r\na\r\n0\r\n\r\n',
  ];
  for (const row of rows) {
    double.reset();
    free('/api/2.0/echo', echo);
    const answered = await raw(double.port, `POST /api/2.0/echo HTTP/1.1\r\nHost: x\r\n${row}`, { quiet: 500 });
    assert.match(answered, /^HTTP\/1.1 400/, row);
    assert.equal(double.violations.length, 1, row);
    assert.ok(double.calls.every((x) => !x.complete), row);
  }
  double.reset();
  await raw(double.port, 'GET /api/2.0/echo HTTP/1.1\r\nHost', { quiet: 100 });
  await until(() => /inside a head/.test(double.violations[0]), 'the violation', 2000);
});

test('downloads of every framing, ranges, validators, HEAD', async () => {
  free(/^\/api\/2\.0\/fs\//, download({ size: 300000 }));
  const get = (query = '', options = {}) => call(double.origin, `/api/2.0/fs/files/x${query}`, options);
  for (const framing of ['length', 'chunked', 'close']) {
    const answer = await get(`?framing=${framing}`);
    assert.ok(answer.complete);
    const check = new PatternCheck();
    check.update(answer.body);
    assert.deepEqual([check.size, check.wrongAt], [300000, undefined], framing);
  }
  const part = await get('', { headers: { Range: 'bytes=70000-70009' } });
  assert.equal(part.status, 206);
  assert.equal(part.headers['content-range'], 'bytes 70000-70009/300000');
  assert.deepEqual(part.body, patternBytes(10, 70000));
  assert.deepEqual((await get('', { headers: { Range: 'bytes=-5' } })).body, patternBytes(5, 299995));
  assert.equal((await get('', { headers: { Range: 'bytes=300000-' } })).status, 416);
  const head = await get('', { method: 'HEAD' });
  assert.deepEqual([head.headers['content-length'], head.body.length], ['300000', 0]);
  const same = await get('', { headers: { 'If-None-Match': head.headers.etag } });
  assert.deepEqual([same.status, same.body.length], [304, 0]);
});

test('the pattern tells where a byte is wrong', () => {
  const bytes = Buffer.from(patternBytes(200000));
  bytes[123456] ^= 1;
  const check = new PatternCheck();
  check.update(bytes.subarray(0, 100000));
  assert.equal(check.wrongAt, undefined);
  check.update(bytes.subarray(100000));
  assert.equal(check.wrongAt, 123456);
});

test('an upload is counted and hashed as it comes', async () => {
  free('/api/2.0/fs/files/up', upload());
  async function* pieces() { for (let at = 0; at < 2_000_000; at += 100_000) yield patternBytes(100_000, at); }
  const chunked = (await call(double.origin, '/api/2.0/fs/files/up', { method: 'PUT', body: pieces() })).json();
  assert.deepEqual(chunked, { body_size: 2_000_000, body_sha256: patternHash(2_000_000) });
  const counted = await call(double.origin, '/api/2.0/fs/files/up', { method: 'PUT', body: patternBytes(70_000), headers: { Expect: '100-continue', 'Content-Length': 70_000 } });
  assert.equal(counted.json().body_sha256, patternHash(70_000));
});

test('events come one by one', async () => {
  free('/serving-endpoints/practice/invocations', events({ ticks: 4, everyMs: 150 }));
  const { message } = await open(double.origin, '/serving-endpoints/practice/invocations', { method: 'POST', body: '{}' });
  const late = [];
  for await (const piece of message) {
    for (const [, text] of piece.toString().matchAll(/data: (.*)/g)) late.push(Date.now() - JSON.parse(text).sent_at);
  }
  assert.equal(late.length, 4);
  assert.ok(Math.max(...late) < 140, `late by ${late}`);
});

test('answers break off, connections drop, and what was scripted comes in turn', async () => {
  const whole = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789';
  free('/api/2.0/odd', sequence(cut(whole, whole.length - 3), drop('end'), refusals.tooMany([['Retry-After', '2']]), wire(whole)));
  const broken = await call(double.origin, '/api/2.0/odd');
  assert.deepEqual([broken.status, broken.complete, broken.body.toString()], [200, false, '0123456']);
  await assert.rejects(call(double.origin, '/api/2.0/odd'));
  const limited = await call(double.origin, '/api/2.0/odd');
  assert.deepEqual([limited.status, limited.headers['retry-after']], [429, '2']);
  for (let i = 0; i < 2; ++i) assert.equal((await call(double.origin, '/api/2.0/odd')).body.toString(), '0123456789');
  assert.equal(double.at('/api/2.0/odd').length, 5);
});

test('under TLS an answer can end with a farewell, or as if the cable were cut', async (t) => {
  const authority = new Authority();
  const workspace = await WorkspaceDouble.start({ tls: authority.issue() });
  t.after(() => workspace.stop());
  const how = { end: (x) => x.end(), cut: (x) => x.cutCable(), reset: (x) => x.reset() };
  workspace.on('/api/2.0/odd', async (x) => {
    await x.write('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nsome');
    await sleep(50);
    how[x.query.get('how')](x);
  }, { any: true });
  const ask = (name) => new Promise((resolve) => {
    const client = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${workspace.port}`, '-servername', 'localhost', '-CAfile', authority.file, '-verify_return_error', '-ign_eof', '-quiet']);
    let said = '';
    for (const stream of [client.stdout, client.stderr]) stream.on('data', (piece) => (said += piece));
    client.on('close', () => resolve(said));
    client.stdin.write(`GET /api/2.0/odd?how=${name} HTTP/1.1\r\nHost: x\r\n\r\n`);
  });
  const [end, cutOff, reset] = [await ask('end'), await ask('cut'), await ask('reset')];
  assert.ok(end.includes('some') && !/unexpected eof|errno/.test(end), end);
  assert.match(cutOff, /some[^]*unexpected eof/);
  assert.match(reset, /errno=104/);
});

test('hostile headers are sent as they stand', async () => {
  free('/api/2.0/hostile', hostile);
  const answered = await raw(double.port, 'GET /api/2.0/hostile HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  for (const [name, value] of hostileHeaders) assert.ok(answered.includes(`\r\n${name}: ${value}\r\n`), name);
});

test('a connection that was kept can be dropped under the client', async () => {
  free('/api/2.0/echo', echo);
  const before = double.wire.accepted;
  const socket = await raw(double.port, 'GET /api/2.0/echo HTTP/1.1\r\nHost: x\r\n\r\nGET /api/2.0/echo HTTP/1.1\r\nHost: x\r\n\r\n', { quiet: 300 });
  assert.equal(socket.match(/HTTP\/1.1 200/g).length, 2, 'one connection carries several requests');
  assert.equal(double.wire.accepted, before + 1);
  assert.equal(double.at('/api/2.0/echo')[1].connection.requests, 2);
});

test('@databricks/sql reads rows from the warehouse over TLS', async (t) => {
  const authority = new Authority();
  const workspace = await WorkspaceDouble.start({ tls: authority.issue() });
  t.after(() => workspace.stop());
  const rows = Array.from({ length: 2500 }, (_, at) => [at, `row ${at} \u00e9\u4e16`, at % 7 === 0 ? null : at / 4, BigInt(at) === 3n ? null : at * 1_000_000_007]);
  const warehouse = new ThriftWarehouse({ 'SELECT * FROM practice': { columns: [['id', 'int'], ['name', 'string'], ['ratio', 'double'], ['big', 'bigint']], rows } });
  workspace.on(/^\/sql\/1\.0\/warehouses\//, warehouse.handler, { any: true });
  const client = new DBSQLClient({ logger: { log() {} } });
  await client.connect({ host: 'localhost', port: workspace.port, path: '/sql/1.0/warehouses/0123456789abcdef', token: 'dapi-like', customCaCert: authority.pem, telemetryEnabled: false });
  const session = await client.openSession();
  const operation = await session.executeStatement('SELECT * FROM practice');
  const got = await operation.fetchAll();
  await operation.close();
  await assert.rejects(session.executeStatement('SELEC'), { message: '[PARSE_SYNTAX_ERROR] SELEC' });
  await session.close();
  await client.close();
  assert.deepEqual(got, rows.map(([id, name, ratio, big]) => ({ id, name, ratio, big })));
  assert.deepEqual([warehouse.sessions.size, warehouse.operations.size], [0, 0]);
  assert.ok(warehouse.asked.filter(({ method }) => method === 'FetchResults').length >= 3, 'in pages');
  assert.deepEqual(workspace.violations, []);
  assert.ok(workspace.calls.every((x) => x.bearer === 'dapi-like'));
});
