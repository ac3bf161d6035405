// SPDX-License-Identifier: Apache-2.0
// brickgate keys: through a running daemon and on the folder, with refreshes going on; and what the root key comes from.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { command, freePort, Process, temporaryFolder } from '../support/brickgate.mjs';
import { RotationWorld } from '../support/rotation.mjs';

let world;
before(async () => { world = await RotationWorld.start(); });
after(() => world.stop());

const keysBy = async (...args) => {
  const run = await world.gateway.cli('keys', ...args, '--json');
  assert.equal(run.code, 0, run.err);
  return JSON.parse(run.out);
};
const isGone = (id, keys) => keys.items.find((key) => key.id === id).state === 'destroyed';

test('keys are listed with what needs them', async () => {
  const keys = await keysBy('list');
  assert.deepEqual(keys.items.map((key) => key.purpose).sort(), ['api_mac', 'index', 'login', 'spool', 'token']);
  const token = world.key(keys, 'token', 'active');
  assert.equal(token.records.access_tokens, 3);
  assert.equal(token.records.refresh_tokens, 3);
  const text = await world.gateway.cli('keys', 'list');
  assert.match(text.out, new RegExp(`^${token.id}  token  active  since .*refresh_tokens 3`, 'm'));
  assert.match(text.out, /^[0-9a-f]{8}  root  active$/m);
});

test('a rotation under load leaves nothing under the former key, and takes nothing from anybody', async () => {
  const former = world.key(await world.keys(), 'token', 'active').id;
  world.startLoad();
  const keys = await keysBy('rotate');
  await world.stopLoad();
  assert.ok(world.refreshed > 0);
  assert.equal(keys.rotation.running, false);
  assert.equal(keys.rotation.left, 0);
  const refused = await world.gateway.cli('keys', 'retire', String(world.key(keys, 'token', 'active').id));
  assert.equal(refused.code, 1);
  assert.match(refused.err, /seals what is new/);
  assert.match(refused.err, /code: key_in_use/);
  assert.ok(isGone(former, await keysBy('retire', String(former))));
  await world.everybodyGoesOn();
  const metrics = await (await fetch(`${world.gateway.url}/metrics`)).text();
  assert.match(metrics, /^brickgate_rows_resealed_total [1-9]/m);
  assert.match(metrics, /^brickgate_key_rotation_running 0$/m);
});

test('the key of the spool is not retired while the spool has answers under it', async () => {
  const former = world.key(await world.keys(), 'spool', 'decrypt_only');
  const refused = await world.gateway.cli('keys', 'retire', String(former.id));
  assert.equal(refused.code, 1);
  assert.match(refused.err, /answers of the spool are sealed with it/);
});

test('an API key and a capability that were handed out live through all of it', async () => {
  assert.equal((await world.gateway.api('GET', '/v1/connections')).status, 200);
  await keysBy('rotate', '--root');
  assert.equal((await world.gateway.api('GET', '/v1/connections')).status, 200);
});

test('the root key is changed while the daemon runs; the former one opens until it is retired', async () => {
  const [now, former] = (await world.keys()).root_keys;
  const file = join(world.gateway.data, 'root.key');
  assert.equal(readFileSync(file, 'utf8').trim().split('\n').length, 2);
  const refused = await world.gateway.cli('keys', 'retire', now.id);
  assert.match(refused.err, /code: key_in_use/);
  await keysBy('retire', former.id);
  assert.equal(readFileSync(file, 'utf8').trim().split('\n').length, 1);
  await world.gateway.process.stop();
  world.audit();
  await world.gateway.restart();
  assert.equal((await world.gateway.api('GET', '/v1/connections')).status, 200);
  await world.everybodyGoesOn();
});

test('without a daemon the same commands work on the folder', async () => {
  await world.gateway.process.stop();
  const former = world.key(await keysBy('list'), 'token', 'active').id;
  const keys = await keysBy('rotate');
  assert.equal(keys.rotation.left, 0);
  assert.ok(isGone(former, await keysBy('retire', String(former))));
  assert.equal(world.audit().underFormer, 0);
  await world.gateway.restart();
  await world.everybodyGoesOn();
});

// A folder of its own, with the root key from somewhere else.
async function startWith(env, data = join(temporaryFolder(), 'data')) {
  const port = await freePort();
  const daemon = new Process(['serve', '--data', data, '--listen', `127.0.0.1:${port}`], { env: { CLIENT_ID: 'app', DATABRICKS_HOST: world.sandbox.origin, ...env }, cwd: dirname(data) });
  return { daemon, data };
}
const rootLine = () => `rk1:${randomBytes(32).toString('base64')}\n`;
const privateFile = (name, text) => {
  const file = join(temporaryFolder(), name);
  writeFileSync(file, text);
  chmodSync(file, 0o400);
  return file;
};

const sources = {
  'a command': () => ({ BRICKGATE_DATA_ROOT_KEY_COMMAND: `cat ${privateFile('key', rootLine())}` }),
  'a passphrase': () => ({ BRICKGATE_DATA_ROOT_KEY_PASSPHRASE_FILE: privateFile('words', `correct horse ${randomBytes(8).toString('hex')}\n`) }),
  'a systemd credential': () => ({ CREDENTIALS_DIRECTORY: dirname(privateFile('brickgate-root', rootLine())), BRICKGATE_DATA_ROOT_KEY_CREDENTIAL: 'brickgate-root' }),
};
for (const [what, make] of Object.entries(sources)) {
  test(`the root key from ${what}: the next start opens the same folder, another key does not`, async () => {
    const env = make();
    const first = await startWith(env);
    await first.daemon.ready();
    await first.daemon.stop();
    const list = await command(['keys', 'list', '--json', '--data', first.data], { env, cwd: dirname(first.data) });
    assert.equal(list.code, 0, list.err);
    const refused = await command(['keys', 'rotate', '--root', '--data', first.data], { env, cwd: dirname(first.data) });
    assert.match(refused.err, /does not come from a file[^]*Put a new line before the old one/);
    const other = await startWith(make(), first.data);
    assert.equal((await other.daemon.ended).code, 78);
    assert.match(other.daemon.err, /needs the root key [0-9a-f]{8}; given was [0-9a-f]{8}/);
  });
}

test('a new root key before the old one in a command\'s answer takes the folder over at the start', async () => {
  const [old, fresh] = [rootLine(), rootLine()];
  const { daemon, data } = await startWith({ BRICKGATE_DATA_ROOT_KEY_COMMAND: `cat ${privateFile('key', old)}` });
  await daemon.ready();
  await daemon.stop();
  const both = await startWith({ BRICKGATE_DATA_ROOT_KEY_COMMAND: `cat ${privateFile('key', fresh + old)}` }, data);
  await both.daemon.ready();
  await both.daemon.stop();
  const alone = await startWith({ BRICKGATE_DATA_ROOT_KEY_COMMAND: `cat ${privateFile('key', fresh)}` }, data);
  await alone.daemon.ready();
  await alone.daemon.stop();
});

test('a command that fails is told in its own words; what it prints is told to nobody', async () => {
  const script = privateFile('helper', '#!/bin/sh\necho rk1:canarycanary\necho "permission denied on key 7" >&2\nexit 2\n');
  chmodSync(script, 0o500);
  const { daemon, data } = await startWith({ BRICKGATE_DATA_ROOT_KEY_COMMAND: script });
  assert.equal((await daemon.ended).code, 78);
  assert.match(daemon.err, /failed with exit code 2[^]*permission denied on key 7/);
  assert.doesNotMatch(daemon.err + daemon.out, /canary/);
  const short = await startWith({ BRICKGATE_DATA_ROOT_KEY_PASSPHRASE_FILE: privateFile('words', 'short') }, data);
  assert.equal((await short.daemon.ended).code, 78);
  assert.match(short.daemon.err, /shorter than 12 characters/);
});
