// SPDX-License-Identifier: Apache-2.0
// T76: kill -9 at each named moment of a rotation (security design C.6, R1 to R9), with refreshes going on. Afterwards
// every record opens with the key that it names, and the rotation ends as if nothing had been.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { begin, Jar, sleep, until } from '../support/brickgate.mjs';
import { RotationWorld } from '../support/rotation.mjs';

let world;
// Some records that no refresh seals anew before the rotation comes to them.
before(async () => { world = await RotationWorld.start({ rows: 20 }); });
after(() => world.stop());

// R2 and the waiting of R3 and R6 are for several nodes; there is one.
const rotating = ['R1', 'R1b', 'R3', 'R3b', 'R4', 'R4a@2', 'R4b', 'R5', 'R5b'];
const retiring = ['R6', 'R7', 'R7b'];
const ofRoot = ['R8a', 'R8', 'R8b'];

async function restartArmed(point) {
  await world.gateway.process.stop();
  const [name, hit] = point.split('@');
  await world.gateway.restart({ __brickgate_failpoint: `${name}:kill${hit ? `@${hit}` : ''}` });
  return world.gateway.process;
}
async function killedAt(point, act) {
  const run = await restartArmed(point);
  world.startLoad();
  await sleep(200);  // refreshes are in the air
  await act();
  await until(() => run.end, `${point} to be reached`, 60000);
  assert.equal(run.end.signal, 'SIGKILL', `the program was killed at ${point}`);
  await world.stopLoad();
  const found = world.audit();
  await world.gateway.restart();
  return found;
}

for (const point of rotating) {
  test(`killed at ${point}: every record opens, and the rotation goes on`, async () => {
    if (world.gateway.process.end) await world.gateway.restart();  // what failed before is not this test's business
    await begin(world.gateway, new Jar());  // a sign-in is under way
    await killedAt(point, () => world.post('/v1/keys/rotate'));
    let keys = await world.rotated();
    assert.ok(!keys.items.some((key) => key.state === 'pending'), 'a pending key is in use');
    if (point === 'R1') {
      await world.post('/v1/keys/rotate');  // nothing had been written
      keys = await world.rotated();
    }
    assert.equal(keys.rotation.left, 0);
    assert.equal(keys.rotation.unreadable, 0);
    await world.everybodyGoesOn();
  });
}

for (const point of retiring) {
  test(`killed at ${point}: the key is there whole, or gone`, async () => {
    const former = world.key(await world.keys(), 'token', 'active').id;
    await world.post('/v1/keys/rotate');
    await world.rotated();
    await killedAt(point, () => world.post(`/v1/keys/${former}/retire`));
    const state = (await world.keys()).items.find((key) => key.id === former).state;
    assert.equal(state, point === 'R7b' ? 'destroyed' : 'decrypt_only');
    if (state === 'decrypt_only') assert.equal((await world.post(`/v1/keys/${former}/retire`)).status, 200);
    await world.everybodyGoesOn();
  });
}

for (const point of ofRoot) {
  test(`killed at ${point}: the next start has both root keys, and the new one leads`, async () => {
    const before = (await world.keys()).root_keys[0].id;
    await killedAt(point, () => world.post('/v1/root-keys/rotate'));
    const now = (await world.keys()).root_keys;
    assert.notEqual(now[0].id, before);
    assert.deepEqual(now[1], { id: before, state: 'decrypt_only' });
    await world.everybodyGoesOn();
    assert.equal((await world.post(`/v1/root-keys/${before}/retire`)).status, 200);
  });
}

for (const point of ['R9', 'R9b']) {
  test(`killed at ${point}: the former root key is in the file, or not`, async () => {
    const before = (await world.keys()).root_keys[0].id;
    assert.equal((await world.post('/v1/root-keys/rotate')).status, 200);
    await killedAt(point, () => world.post(`/v1/root-keys/${before}/retire`));
    assert.equal((await world.keys()).root_keys.length, point === 'R9' ? 2 : 1);
    await world.everybodyGoesOn();
    if (point === 'R9') assert.equal((await world.post(`/v1/root-keys/${before}/retire`)).status, 200);
  });
}
