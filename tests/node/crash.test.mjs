// SPDX-License-Identifier: Apache-2.0
// Table D.6 where the server takes a refresh token again, for ever or for a while.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sleep } from '../support/brickgate.mjs';
import { CrashWorld } from '../support/crash.mjs';

const world = new CrashWorld();
world.matrix(['reusable', 'grace']);

test('K6 in mode grace, back too late for it: lost, and flagged', async () => {
  await world.sandbox.settings({ refresh_mode: 'grace', grace: 1 });
  const { id, run } = await world.armed();
  await world.killDuring('hold_after_commit', id, run);
  await sleep(1500);  // the grace is over
  const { row } = await world.outcome(id);
  assert.deepEqual([row.status, row.reason], ['reauth_required', 'outcome_lost']);
});
