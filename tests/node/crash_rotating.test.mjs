// SPDX-License-Identifier: Apache-2.0
// Table D.6 where each refresh token is good for one use.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CrashWorld } from '../support/crash.mjs';

const world = new CrashWorld();
world.matrix(['strict', 'revoke']);

// The refusal is definite: it is written by the next run without asking again.
for (const point of ['K13', 'K13b']) {
  for (const mode of ['strict', 'revoke']) {
    test(`${point} in mode ${mode}: the end of the grant is written after the restart, with its reason`, async () => {
      await world.sandbox.settings({ refresh_mode: mode });
      const { id, family, run } = await world.armed(`${point}:kill`);
      await world.sandbox.control('POST', 'revoke', { family });
      await world.refresh(id).catch(() => undefined);
      assert.equal((await run.ended).signal, 'SIGKILL');
      await world.gateway.restart();
      const row = (await world.gateway.api('GET', `/v1/connections/${id}`)).body;
      assert.deepEqual([row.status, row.reason], ['reauth_required', 'revoked']);
      assert.equal((await world.refresh(id)).body.error.reason, 'revoked');
      for (const times of Object.values((await world.judged(family)).presented)) assert.equal(times, 1, 'it was presented once');
    });
  }
}
