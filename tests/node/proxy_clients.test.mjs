// SPDX-License-Identifier: Apache-2.0
// Clients as they are, through the gateway: @databricks/sql over Thrift, curl, Node's fetch.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { download, echo, events, refusals, sequence, upload } from '../support/answers.mjs';
import { temporaryFolder } from '../support/brickgate.mjs';
import { patternBytes, PatternCheck, patternHash } from '../support/pattern.mjs';
import { ProxyWorld } from '../support/proxy_world.mjs';
import { ThriftWarehouse } from '../support/thrift_warehouse.mjs';

const require = createRequire(import.meta.url);
const { DBSQLClient } = require('@databricks/sql');

let plain, secure;
before(async () => {
  plain = await ProxyWorld.start();
  secure = await ProxyWorld.start({ upstreamTls: true, gatewayTls: true });
});
after(async () => {
  await plain?.stop();
  await secure?.stop();
});
const file = '/api/2.0/fs/files/Volumes/main/default/v/x';
beforeEach(() => {
  for (const { double } of [plain, secure]) {
    double.reset();
    double.on('/api/2.0/echo', echo).on(file, download({ size: 3_000_000 })).on(file, upload(), { method: 'PUT' }).on(file, upload(), { method: 'POST' });
  }
});

const path = '/sql/1.0/warehouses/0123456789abcdef';
const rows = Array.from({ length: 5000 }, (_, at) => [at, `row ${at} \u00e9\u4e16`, at % 7 === 0 ? null : at * 1_000_000_007]);
const table = { columns: [['id', 'int'], ['name', 'string'], ['big', 'bigint']], rows };

async function withDriver(work) {
  const warehouse = new ThriftWarehouse({ 'SELECT * FROM practice': table, 'SELECT 1': { columns: [['1', 'int']], rows: [[1]] } });
  secure.double.on(/^\/sql\/1\.0\/warehouses\//, warehouse.handler);
  const client = new DBSQLClient({ logger: { log() {} } });
  await client.connect({ host: 'localhost', port: secure.port, path, token: secure.capability, customCaCert: secure.authority.pem, telemetryEnabled: false });
  const session = await client.openSession();
  await work(session, warehouse);
  await session.close();
  await client.close();
  return warehouse;
}
async function query(session, statement) {
  const operation = await session.executeStatement(statement);
  const got = await operation.fetchAll();
  await operation.close();
  return got;
}

test('@databricks/sql: a session, a statement, its rows, over TLS on both sides', async () => {
  const warehouse = await withDriver(async (session) => {
    assert.deepEqual(await query(session, 'SELECT * FROM practice'), rows.map(([id, name, big]) => ({ id, name, big })));
    await assert.rejects(session.executeStatement('SELEC'), { message: '[PARSE_SYNTAX_ERROR] SELEC' });
  });
  assert.deepEqual([warehouse.sessions.size, warehouse.operations.size], [0, 0]);
  assert.ok(secure.double.calls.every((x) => x.tokenGood && x.bearer !== secure.capability));
  assert.match(secure.double.calls[0].header('user-agent'), /^NodejsDatabricksSqlConnector\//);
  assert.deepEqual(secure.double.violations, []);
});

test('@databricks/sql: a token that dies in the middle of a session is nothing that the driver notices', async () => {
  await withDriver(async (session, warehouse) => {
    assert.deepEqual(await query(session, 'SELECT 1'), [{ 1: 1 }]);
    secure.double.rejectTokens();
    assert.deepEqual(await query(session, 'SELECT 1'), [{ 1: 1 }]);
    assert.equal(warehouse.asked.filter(({ method }) => method === 'ExecuteStatement').length, 2, 'each statement ran once');
  });
});

test('@databricks/sql: twenty sessions at once', async () => {
  await withDriver(async (session) => {
    const got = await Promise.all(Array.from({ length: 20 }, () => query(session, 'SELECT 1')));
    assert.ok(got.every(([row]) => row[1] === 1));
  });
});

test('@databricks/sql: a busy warehouse that refuses at the door is asked again by us, not by the driver', async () => {
  const warehouse = new ThriftWarehouse({ 'SELECT 1': { columns: [['1', 'int']], rows: [[1]] } });
  const busy = refusals.tooMany([['Retry-After', '1']]);
  secure.double.on(/^\/sql\/1\.0\/warehouses\//, sequence(busy, warehouse.handler));
  const client = new DBSQLClient({ logger: { log() {} } });
  await client.connect({ host: 'localhost', port: secure.port, path, token: secure.capability, customCaCert: secure.authority.pem, telemetryEnabled: false });
  const session = await client.openSession();
  await session.close();
  await client.close();
  assert.equal(warehouse.asked.filter(({ method }) => method === 'OpenSession').length, 1);
});

function curl(world, args) {
  return new Promise((resolve) => {
    const run = spawn('curl', ['-sS', '--max-time', '60', '-H', `Authorization: Bearer ${world.capability}`, ...(world.authority ? ['--cacert', world.authority.file] : []), ...args]);
    const parts = [];
    let err = '';
    run.stdout.on('data', (piece) => parts.push(piece));
    run.stderr.on('data', (piece) => (err += piece));
    run.on('close', (code) => resolve({ code, body: Buffer.concat(parts), err }));
  });
}

for (const name of ['plain', 'TLS']) {
  const at = () => (name === 'TLS' ? secure : plain);

  test(`curl (${name}): download, range, upload, chunked upload, HEAD`, async () => {
    const world = at();
    const url = world.origin + file;
    const folder = temporaryFolder();
    const [from, to] = [join(folder, 'from'), join(folder, 'to')];
    writeFileSync(from, patternBytes(5_000_000));
    const got = await curl(world, ['-o', to, url]);
    assert.equal(got.code, 0, got.err);
    assert.ok(readFileSync(to).equals(patternBytes(3_000_000)));
    const part = await curl(world, ['-r', '70000-70099', url]);
    assert.ok(part.body.equals(patternBytes(100, 70000)));
    const wanted = { body_size: 5_000_000, body_sha256: patternHash(5_000_000) };
    // curl asks for the go-ahead by itself before so large a body.
    const put = await curl(world, ['-T', from, url]);
    assert.deepEqual(JSON.parse(put.body), wanted, put.err);
    const chunked = await curl(world, ['-X', 'POST', '-H', 'Transfer-Encoding: chunked', '--data-binary', `@${from}`, url]);
    assert.deepEqual(JSON.parse(chunked.body), wanted, chunked.err);
    const head = await curl(world, ['-I', url]);
    assert.match(head.body.toString(), /^HTTP\/1\.1 200[^]*\r\nContent-Length: 3000000\r\n/i);
    assert.deepEqual(world.double.violations, []);
  });

  test(`curl (${name}): a broken download is an error to it`, async () => {
    const world = at();
    world.double.on('/api/2.0/odd', async (x) => {
      await x.drain();
      await x.write(x.headOf(200, [['Content-Length', 1000]]));
      await x.write('only so much');
      x.end();
    });
    const got = await curl(world, [`${world.origin}/api/2.0/odd`]);
    assert.ok([18, 56, 92].includes(got.code), `${got.code} ${got.err}`);
  });
}

test('fetch: JSON, errors, a stream up, a stream down, a reader that stops', async () => {
  const world = plain;
  const headers = { ...world.bearer(), 'Content-Type': 'application/json' };
  const made = await fetch(`${world.origin}/api/2.0/echo?x=1`, { method: 'POST', headers, body: JSON.stringify({ a: 1 }) });
  assert.deepEqual([made.status, (await made.json()).body_size], [200, 7]);
  const missing = await fetch(`${world.origin}/api/2.0/missing`, { headers });
  assert.deepEqual([missing.status, (await missing.json()).error_code], [404, 'ENDPOINT_NOT_FOUND']);
  let at = 0;
  const body = new ReadableStream({
    pull(controller) {
      if (at === 2_000_000) return controller.close();
      controller.enqueue(patternBytes(100_000, at));
      at += 100_000;
    },
  });
  const up = await fetch(world.origin + file, { method: 'PUT', headers: world.bearer(), body, duplex: 'half' });
  assert.deepEqual(await up.json(), { body_size: 2_000_000, body_sha256: patternHash(2_000_000) });
  const down = await fetch(world.origin + file, { headers: world.bearer() });
  const check = new PatternCheck();
  for await (const piece of down.body) check.update(Buffer.from(piece));
  assert.deepEqual([check.size, check.wrongAt], [3_000_000, undefined]);
  const stop = new AbortController();
  const left = await fetch(`${world.origin}${file}?size=${500 << 20}`, { headers: world.bearer(), signal: stop.signal });
  await left.body.getReader().read();
  stop.abort();
  assert.equal((await fetch(`${world.origin}/api/2.0/echo`, { headers: world.bearer() })).status, 200);
});

test('fetch: server-sent events of a model', async () => {
  plain.double.on('/serving-endpoints/practice/invocations', events({ ticks: 5, everyMs: 50 }));
  const answer = await fetch(`${plain.origin}/serving-endpoints/practice/invocations`, { method: 'POST', headers: plain.bearer(), body: '{"stream":true}' });
  assert.equal(answer.headers.get('content-type'), 'text/event-stream');
  let text = '';
  for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) text += piece;
  assert.equal(text.match(/data: /g).length, 5);
});
