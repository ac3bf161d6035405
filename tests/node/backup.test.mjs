// SPDX-License-Identifier: Apache-2.0
// T74, E19: a backup taken while refreshes go on, put into another folder: its connections are held back until an
// operator lets them go, and one whose token was used since says so.
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { command, Gateway, temporaryFolder } from '../support/brickgate.mjs';
import { RotationWorld } from '../support/rotation.mjs';
import { auditVault } from '../support/vault_audit.mjs';

let world, place, restored;
before(async () => {
  world = await RotationWorld.start({ people: 4 });
  place = temporaryFolder();
});
after(async () => {
  await restored?.stop();
  await world.stop();
});

const backup = 'backup';
const allFiles = (folder) => readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));

test('a backup under load is whole, has no root key, and says which one it needs', async () => {
  world.startLoad();
  const run = await world.gateway.cli('backup', join(place, backup), '--json');
  await world.stopLoad();
  assert.equal(run.code, 0, run.err);
  const about = JSON.parse(run.out);
  assert.equal(about.connections, 4);
  assert.deepEqual(about.root_keys, [(await world.keys()).root_keys[0].id]);
  const key = readFileSync(join(world.gateway.data, 'root.key'), 'utf8').trim();
  for (const file of allFiles(join(place, backup))) {
    const bytes = readFileSync(file);
    assert.ok(!bytes.includes(key.slice(4)) && !bytes.includes(Buffer.from(key.slice(4), 'base64')), file);
  }
  const again = await world.gateway.cli('backup', join(place, backup));
  assert.equal(again.code, 78, 'a folder that holds something is left alone');
});

test('a restore asks for an empty folder and for a backup that is whole', async () => {
  const into = await command(['restore', join(place, backup), '--data', world.gateway.data], { env: world.gateway.env, cwd: place });
  assert.equal(into.code, 78);
  assert.match(into.err, /is not empty/);
  const none = await command(['restore', place, '--data', join(place, 'x')], { cwd: place });
  assert.equal(none.code, 78);
  assert.match(none.err, /code: backup_invalid/);
  assert.ok(!existsSync(join(place, 'x')));
});

test('a restored folder opens with its root key alone', async () => {
  const data = join(place, 'restored', 'data');
  mkdirSync(dirname(data));
  const run = await command(['restore', join(place, backup), '--data', data], { env: world.gateway.env, cwd: place });
  assert.equal(run.code, 0, run.err);
  assert.match(run.out, /Put the root key [0-9a-f]{8} where it is looked for/);
  const early = await command(['connections', 'list', '--data', data], { env: world.gateway.env, cwd: place });
  assert.equal(early.code, 78, early.out);
  assert.match(early.err, /root\.key is gone/);
  copyFileSync(join(world.gateway.data, 'root.key'), join(data, 'root.key'));
  assert.equal(auditVault(data).unreadable, 0);
});

test('what was restored is held back: no token, and not one refresh', async () => {
  // These two go on after the backup, where tokens are used once only.
  await world.sandbox.settings({ refresh_mode: 'strict' });
  for (const id of world.ids.slice(2)) assert.equal((await world.gateway.api('POST', `/v1/connections/${id}/refresh`)).status, 200);
  await world.gateway.process.stop();
  const calls = (await world.sandbox.refreshes()).length;
  restored = await Gateway.start({ sandbox: world.sandbox, data: join(place, 'restored', 'data'), port: world.gateway.port, env: world.gateway.env });
  const list = JSON.parse((await restored.cli('connections', 'list', '--json')).out).items;
  assert.deepEqual(list.map((row) => [row.status, row.reason]), Array(4).fill(['quarantined', 'restored']));
  const [id] = world.ids;
  const refused = await restored.token(id);
  assert.equal(refused.status, 409);
  assert.equal(refused.body.error.code, 'quarantined');
  assert.equal((await restored.api('POST', `/v1/connections/${id}/refresh`)).body.error.code, 'quarantined');
  const said = await restored.cli('connections', 'explain', id);
  assert.match(said.out, /restored backup[^]*Who must act: whoever runs this gateway[^]*connections release/);
  assert.equal((await world.sandbox.refreshes()).length, calls);
  assert.ok(restored.process.log.find((line) => line.event === 'restored' && line.connections === 4));
});

test('one that is let go goes on; one whose token was used since says that it was restored', async () => {
  const [current, , spent] = world.ids;
  assert.equal((await restored.cli('connections', 'release', current)).code, 0);
  const fresh = await restored.api('POST', `/v1/connections/${current}/refresh`);
  assert.equal(fresh.status, 200, JSON.stringify(fresh.body));
  assert.equal(fresh.body.status, 'active');
  assert.equal(fresh.body.reason, null);
  assert.equal((await restored.cli('connections', 'release', current)).code, 64, 'it is not held back any more');
  assert.equal((await restored.cli('connections', 'release')).code, 64);
  const rest = await restored.cli('connections', 'release', '--all', '--json');
  assert.equal(JSON.parse(rest.out).items.length, 3);
  const lost = await restored.api('POST', `/v1/connections/${spent}/refresh`);
  assert.equal(lost.status, 409);
  const row = (await restored.api('GET', `/v1/connections/${spent}`)).body;
  assert.deepEqual([row.status, row.reason], ['reauth_required', 'restored']);
});

test('a restart does not hold back again what was let go', async () => {
  await restored.process.stop();
  await restored.restart();
  assert.equal((await restored.api('GET', `/v1/connections/${world.ids[0]}`)).body.status, 'active');
});

test('with the root key on request, and refused where it is no file', async () => {
  const run = await restored.cli('backup', join(place, 'with'), '--with-root-key');
  assert.equal(run.code, 0, run.err);
  assert.match(run.out, /whoever has this folder has every token/);
  const data = join(place, 'second');
  const back = await command(['restore', join(place, 'with'), '--data', data], { env: world.gateway.env, cwd: place });
  assert.equal(back.code, 0, back.err);
  const list = await command(['connections', 'list', '--json', '--data', data], { env: world.gateway.env, cwd: place });
  assert.equal(list.code, 0, list.err);
  assert.ok(JSON.parse(list.out).items.every((row) => row.status !== 'active'));
  const words = join(place, 'words');
  writeFileSync(words, 'correct horse battery', { mode: 0o400 });
  const refused = await command(['backup', join(place, 'third'), '--with-root-key', '--data', data], { env: { BRICKGATE_DATA_ROOT_KEY_PASSPHRASE_FILE: words }, cwd: place });
  assert.equal(refused.code, 64);
  assert.ok(!existsSync(join(place, 'third')));
});
