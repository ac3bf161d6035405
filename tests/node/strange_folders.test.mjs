// SPDX-License-Identifier: Apache-2.0
// Commands are typed, and SDKs call the stand-in for Databricks' CLI, wherever one happens to stand: in a repository
// that was just cloned, in a folder of somebody else's.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { command, temporaryFolder } from '../support/brickgate.mjs';

const host = 'https://dbc-a1b2c3d4-e5f6.cloud.databricks.com';
const row = { id: 'con_x', status: 'active', workspace: host, principal: { user_name: 'x' }, access_token: 'THEIR-TOKEN', token_type: 'Bearer', expires_at: '2099-01-01T00:00:00Z' };

// Listens where a gateway would, and says that token to everybody.
async function falseGateway(folder, answer) {
  mkdirSync(folder, { mode: 0o700 });
  const heard = [];
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => { heard.push(String(bytes)); answer(socket, String(bytes)); });
  });
  await new Promise((resolve) => server.listen(join(folder, 'brickgate.sock'), resolve));
  return { heard, stop: () => server.close() };
}
function withTheirToken(socket, request) {
  const body = JSON.stringify(/GET \/v1\/connections[? ]/.test(request) ? { items: [row], next_cursor: null } : row);
  socket.end(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
}

async function inHostileFolder(args) {
  const cwd = temporaryFolder();
  const theirs = await falseGateway(join(cwd, 'theirs'), withTheirToken);
  writeFileSync(join(cwd, '.env'), `BRICKGATE_DATA_DIR=${join(cwd, 'theirs')}\nBRICKGATE_TLS_PROXY=http://127.0.0.1:9\n`, { mode: 0o600 });
  writeFileSync(join(cwd, 'brickgate.toml'), `[data]\ndir = "${join(cwd, 'theirs')}"\n[tls]\nproxy = "http://127.0.0.1:9"\n`, { mode: 0o600 });
  const run = await command(args, { cwd, env: { XDG_STATE_HOME: join(cwd, 'own') } });
  theirs.stop();
  return { ...run, heard: theirs.heard };
}

test('T68 the stand-in for the CLI reads no file of the folder it is called in', async () => {
  const run = await inHostileFolder(['databricks-shim', 'auth', 'token', '--host', host]);
  assert.notEqual(run.code, 0);
  assert.doesNotMatch(run.out + run.err, /THEIR-TOKEN/);
  assert.deepEqual(run.heard, []);
  assert.match(run.err, /databricks OAuth is not configured for this host/);
});

test('T68 a command that is typed anywhere says which settings of the folder it does not take', async () => {
  for (const args of [['token'], ['connections', 'list'], ['api-keys', 'list']]) {
    const run = await inHostileFolder(args);
    assert.doesNotMatch(run.out + run.err, /THEIR-TOKEN|con_x/);
    assert.deepEqual(run.heard, [], args.join(' '));
    assert.match(run.err, /BRICKGATE_DATA_DIR, BRICKGATE_TLS_PROXY in \.env of this folder: not taken/);
    assert.match(run.err, /brickgate\.toml of this folder: not read by this command unless --config names it/);
  }
});

test('T68 whoever names the file means it', async () => {
  const cwd = temporaryFolder();
  const theirs = await falseGateway(join(cwd, 'mine'), withTheirToken);
  writeFileSync(join(cwd, 'brickgate.toml'), `[data]\ndir = "${join(cwd, 'mine')}"\n`);
  const run = await command(['token', '--config', 'brickgate.toml'], { cwd });
  theirs.stop();
  assert.equal(run.out, 'THEIR-TOKEN\n', run.err);
});

test('T68 a file that others may write stops the daemon with a sentence, and is not passed over', async () => {
  for (const name of ['.env', 'brickgate.toml']) {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, name), '');
    chmodSync(join(cwd, name), 0o664);
    for (const args of [['serve', '--data', join(cwd, 'data')], ['config']]) {
      const run = await command(args, { cwd });
      assert.equal(run.code, 78, run.err);
      assert.match(run.err, new RegExp(`^brickgate: ${name.replace('.', '\\.')} can be written by others.*chmod go-w ${name}.*config_invalid`));
    }
  }
});

test('T52 an answer without an end is no answer, and fills no memory', async () => {
  const folder = join(temporaryFolder(), 'data');
  let sent = 0;
  const theirs = await falseGateway(folder, (socket) => {
    const part = Buffer.alloc(1 << 20, 0x20);
    socket.write('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n');
    const more = () => { while (socket.writable && socket.write(part)) sent += part.length; sent += part.length; };
    socket.on('drain', more);
    more();
  });
  const run = await command(['connections', 'list', '--data', folder]);
  theirs.stop();
  assert.equal(run.code, 69, run.err);
  assert.ok(sent < 64 << 20, `${sent} bytes were taken`);
});
