// SPDX-License-Identifier: Apache-2.0
// Waiting for the next token, on the wire and in a file: what the unit tests cannot see. The streams' own conversation
// is in tests/unit/server/token_watch_routes_test.cpp.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { Agent } from 'node:http';
import { dirname, join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { freePort, Gateway, Jar, Process, Sandbox, signIn, temporaryFolder, until } from '../support/brickgate.mjs';
import { call, open } from '../support/http_call.mjs';

let sandbox, gateway, key;
before(async () => {
  sandbox = await Sandbox.start();
  gateway = await Gateway.start({ sandbox, env: { BRICKGATE_LIMITS_WATCHERS_MAX: '12' } });
  await sandbox.control('POST', 'apps', { client_id: 'brickgate-demo', client_secret: 'brickgate-demo-secret', redirect_uris: [`${gateway.url}/callback`] });
  key = await gateway.key('token:read');
});
after(async () => {
  await gateway.stop();
  await sandbox.stop();
});
beforeEach(async () => {
  await sandbox.control('DELETE', 'faults');
  await sandbox.settings({ access_ttl: 3600 });
});

let person = 0;
const connect = async () => (await signIn(gateway, new Jar(), { query: `?subject=w${++person}` })).id;
const refresh = (id) => gateway.api('POST', `/v1/connections/${id}/refresh`);
const bearer = () => ({ Authorization: `Bearer ${key}` });
const ask = (id, tail, options = {}) => call(gateway.url, `/v1/connections/${id}/token${tail}`, { ...options, headers: { ...bearer(), ...options.headers } });
const generationOf = async (id) => (await ask(id, '')).json().generation;
const waiting = async () => Number(/^brickgate_token_watchers (\d+)/m.exec((await call(gateway.url, '/metrics')).body.toString())?.[1]);

// A stream of events, as it comes.
async function listen(id, headers = {}) {
  const { status, headers: got, message, request: sent } = await open(gateway.url, `/v1/connections/${id}/token/events`, { headers: { ...bearer(), ...headers } });
  const stream = { status, headers: got, message, request: sent, text: '', ended: false };
  message.on('data', (piece) => (stream.text += piece)).on('end', () => (stream.ended = true)).on('error', () => {});
  return stream;
}

test('a poll is not the fast path, and its connection serves the next request', async () => {
  const id = await connect();
  const generation = await generationOf(id);  // in memory now
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const poll = ask(id, `?wait=${generation}`, { agent });
  await until(async () => await waiting() === 1, 'the poll to wait');
  await refresh(id);
  const got = await poll;
  assert.deepEqual([got.status, got.json().generation], [200, generation + 1]);
  const none = await ask(id, `?wait=${generation + 1}&timeout=0`, { agent });
  assert.deepEqual([none.status, none.body.length], [204, 0]);
  const plain = await ask(id, '', { agent });
  assert.equal(plain.status, 200);
  assert.equal(plain.request.reusedSocket, true);
  agent.destroy();
});

test('events arrive as they happen, chunked, and a reconnect takes up where it was', async () => {
  const id = await connect();
  const generation = await generationOf(id);
  const stream = await listen(id);
  assert.equal(stream.headers['transfer-encoding'], 'chunked');
  await until(() => stream.text.includes(`id: ${generation}\n`), 'the token that is');
  await refresh(id);
  await until(() => stream.text.includes(`id: ${generation + 1}\n`), 'the next token');
  stream.message.destroy();
  await refresh(id);
  const again = await listen(id, { 'Last-Event-ID': `${generation + 1}` });
  await until(() => again.text.includes(`id: ${generation + 2}\n`), 'what was missed');
  again.message.destroy();
  const known = await listen(id, { 'Last-Event-ID': `${generation + 2}` });
  assert.equal(known.status, 200, 'the header does not wait for the next token');
  assert.ok(!known.text.includes('event:'));
  known.message.destroy();
});

test('a stream says why it ends when the connection is ended', async () => {
  const id = await connect();
  const stream = await listen(id);
  await gateway.api('DELETE', `/v1/connections/${id}`);
  await until(() => stream.ended, 'the end');
  assert.ok(stream.message.complete, 'whole');
  assert.match(stream.text, /\nevent: end\ndata: \{"error":\{"code":"disconnected"/);
});

test('more than the half that one key may hold are told when to come again; who leaves makes room', async () => {
  const id = await connect();
  await until(async () => await waiting() === 0, 'those of the tests before to be gone', 30000);
  const generation = await generationOf(id);
  const polls = Array.from({ length: 6 }, () => ask(id, `?wait=${generation}`));
  await until(async () => await waiting() === 6, 'all places to be taken');
  for (const tail of [`?wait=${generation}`, '/events']) {
    const got = await ask(id, tail);
    assert.deepEqual([got.status, got.json().error.code], [503, 'overloaded']);
    assert.match(got.headers['retry-after'], /^[1-9]\d*$/);
  }
  assert.equal((await ask(id, '')).status, 200, 'a plain question needs no place');
  await refresh(id);
  for (const got of await Promise.all(polls)) assert.equal(got.status, 200);
  assert.equal(await waiting(), 0);
});

test('browsers cannot wait: the public listener has no such routes', async () => {
  const apart = await Gateway.start({ sandbox, args: ['--private-listen', `127.0.0.1:${await freePort()}`] });
  for (const tail of ['?wait=1', '/events']) {
    const got = await call(apart.url, `/v1/connections/con_${'0'.repeat(32)}/token${tail}`, { headers: bearer() });
    assert.equal(got.status, 404, tail);
  }
  await apart.stop();
});

test('a shutdown ends polls and streams at once', async () => {
  const id = await connect();
  const generation = await generationOf(id);
  const poll = ask(id, `?wait=${generation}&timeout=300`);
  const stream = await listen(id);
  await until(async () => await waiting() === 2, 'both to wait');
  const end = await gateway.process.stop();
  assert.equal(end.code, 0);
  assert.deepEqual([(await poll).status, (await poll).json().error.code], [503, 'shutting_down']);
  await until(() => stream.ended, 'the end of the stream');
  await gateway.restart();
});

// brickgate token --write

const writerOf = (id, file, ...more) => new Process(['token', id, '--write', file, '--data', gateway.data, ...more], { env: gateway.env, cwd: dirname(gateway.data) });
const content = (file) => { try { return readFileSync(file, 'utf8'); } catch { return ''; } };

test('--once writes each form, says so, and ends', async () => {
  const id = await connect();
  const token = (await ask(id, '')).json();
  const folder = temporaryFolder();
  for (const [format, text] of [['text', `${token.access_token}\n`], ['env', `DATABRICKS_HOST=${sandbox.origin}\nDATABRICKS_TOKEN=${token.access_token}\n`]]) {
    const run = await gateway.cli('token', id, '--write', join(folder, format), '--format', format, '--once');
    assert.equal(run.code, 0, run.err);
    assert.equal(run.out, '', 'no token on standard output');
    assert.equal(run.err.trim().split('\n').length, 1);
    assert.match(run.err, new RegExp(`holds generation ${token.generation}, good until `));
    assert.ok(!run.err.includes(token.access_token));
    assert.equal(content(join(folder, format)), text);
    assert.equal(statSync(join(folder, format)).mode & 0o777, 0o600);
  }
  assert.equal((await gateway.cli('token', id, '--write', join(folder, 'json'), '--format', 'json', '--once')).code, 0);
  assert.deepEqual(Object.keys(JSON.parse(content(join(folder, 'json')))), ['access_token', 'token_type', 'expiry']);
  assert.deepEqual(readdirSync(folder).sort(), ['env', 'json', 'text'], 'no drafts are left');
});

test('what cannot be written, or is nobody\'s, ends at once', async () => {
  const id = await connect();
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'taken'));
  for (const [file, said] of [[join(folder, 'no', 'token'), /No such file/], [join(folder, 'taken'), /is not a file/]]) {
    const run = await gateway.cli('token', id, '--write', file);
    assert.equal(run.code, 1, run.err);
    assert.match(run.err, said);
  }
  const unknown = await gateway.cli('token', `con_${'0'.repeat(32)}`, '--write', join(folder, 'x'));
  assert.equal(unknown.code, 1);
  assert.match(unknown.err, /connection_unknown/);
  assert.ok(!existsSync(join(folder, 'x')));
  assert.equal((await gateway.cli('token', '--format', 'env')).code, 64, '--format belongs to --write');
  assert.equal((await gateway.cli('token', '--write', 'x', '--format', 'xml')).code, 64);
});

for (const signal of ['SIGTERM', 'SIGINT']) {
  test(`a file follows the rotations; ${signal} ends it well, and the file stays`, async (t) => {
    const id = await connect();
    const file = join(temporaryFolder(), 'token');
    const writer = writerOf(id, file);
    t.after(() => writer.kill());
    const token = async () => `${(await ask(id, '')).json().access_token}\n`;
    await until(async () => content(file) === await token(), 'the first token');
    for (let i = 0; i < 2; ++i) {
      await refresh(id);
      const next = await token();
      await until(() => content(file) === next, 'the next token');
    }
    assert.equal(writer.err.match(/holds generation/g).length, 3, writer.err);
    writer.child.kill(signal);
    assert.equal((await writer.ended).code, 0, writer.err);
    assert.equal(content(file), await token());
  });
}

test('a grant that ends is said, with an exit code, and the file is let be', async (t) => {
  const id = await connect();
  const file = join(temporaryFolder(), 'token');
  const writer = writerOf(id, file);
  t.after(() => writer.kill());
  await until(() => content(file) !== '', 'the first token');
  const before = content(file);
  await gateway.api('DELETE', `/v1/connections/${id}`);
  assert.equal((await writer.ended).code, 1);
  assert.match(writer.err, /code: disconnected/);
  assert.equal(content(file), before);
});

test('without a daemon the vault is opened for each refresh alone; a daemon that comes and goes is followed', async (t) => {
  await sandbox.settings({ access_ttl: 20 });  // refreshed at half of it
  const id = await connect();
  const file = join(temporaryFolder(), 'token');
  await gateway.process.stop();
  t.after(() => gateway.process.end && gateway.restart());
  const writer = writerOf(id, file);
  t.after(() => writer.kill());
  await until(() => content(file) !== '', 'the first token');
  const first = content(file);
  const meanwhile = await gateway.cli('connections', 'show', id);
  assert.equal(meanwhile.code, 0, `the folder is free in between: ${meanwhile.err}`);
  await until(() => content(file) !== first, 'the next token, with no daemon', 30000);
  const second = content(file);
  await gateway.restart();
  await until(async () => await waiting() === 1, 'the writer to ask the daemon', 20000);
  await refresh(id);
  await until(() => content(file) !== second, 'the daemon\'s token');
  await gateway.process.stop();
  const third = content(file);
  await until(() => content(file) !== third, 'the next token, alone again', 30000);
  writer.child.kill('SIGTERM');
  assert.equal((await writer.ended).code, 0, writer.err);
  assert.equal((await sandbox.families()).at(-1).reuses, 0);
  await gateway.restart();
});
