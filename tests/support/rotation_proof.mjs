// SPDX-License-Identifier: Apache-2.0
// Random kills during rotations: what `./run proof-rotate` runs at length and the tests in short.
import { RotationWorld } from './rotation.mjs';
import { sleep } from './brickgate.mjs';
import { auditVault } from './vault_audit.mjs';

export async function proveRotation({ rows, kills, tell = () => {}, random = Math.random }) {
  const world = await RotationWorld.start({ rows });
  const sum = { rows, kills: 0, killsInRotation: 0, rotations: 0, read: 0, unreadable: 0, refreshes: 0 };
  const read = () => {
    const report = auditVault(world.gateway.data);
    sum.read += report.records;
    sum.unreadable += report.unreadable;
    return report;
  };
  // One rotation without a kill says how long they take.
  const begun = Date.now();
  await world.post('/v1/keys/rotate');
  await world.rotated();
  const whole = Date.now() - begun;
  sum.rotations = 1;
  tell(`a rotation of ${rows} rows takes ${whole} ms here`);
  while (sum.kills < kills) {
    world.startLoad();
    // What the last kill cut off goes on by itself; a new rotation is begun only where none is under way.
    const resumed = (await world.keys()).rotation.running;
    if (!resumed) world.post('/v1/keys/rotate');
    await sleep(random() * whole * 1.1);
    await world.gateway.process.kill();
    await world.stopLoad();
    sum.refreshes += world.refreshed;
    sum.kills += 1;
    const report = read();
    if (report.underFormer > 0) sum.killsInRotation += 1;
    else sum.rotations += 1;
    tell(`kill ${sum.kills}: ${report.records} records, ${report.underFormer} under a former key, ${report.unreadable} unreadable`);
    await world.gateway.restart();
  }
  const keys = await world.rotated();
  await world.everybodyGoesOn();
  await world.gateway.process.stop();
  sum.left = keys.rotation.left;
  if (read().underFormer > 0) sum.unreadable += 1;
  await world.gateway.restart();
  await world.stop();
  return sum;
}
