// SPDX-License-Identifier: Apache-2.0
// T76 in short; ./run proof-rotate is the long run.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { proveRotation } from '../support/rotation_proof.mjs';

test('T76 killed at random moments of rotations, every record opens each time and the last one ends', async () => {
  const result = await proveRotation({ rows: 600, kills: 6 });
  assert.equal(result.unreadable, 0, JSON.stringify(result));
  assert.equal(result.kills, 6);
  assert.equal(result.left, 0);
  assert.ok(result.killsInRotation > 0, `no kill came while records were sealed anew: ${JSON.stringify(result)}`);
});
