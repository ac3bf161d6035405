// SPDX-License-Identifier: Apache-2.0
// What an operator is shown of the limits that a connection's calls wait for: in explain, and in the metrics.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { echo } from '../support/answers.mjs';
import { temporaryFolder } from '../support/brickgate.mjs';
import { ProxyWorld } from '../support/proxy_world.mjs';

test('explain and metrics name the family that was asked for too often', async (t) => {
  const limits = join(temporaryFolder(), 'limits.toml');
  writeFileSync(limits, '[[family]]\nname = "slow"\npaths = ["/api/2.0/slow/**"]\nper_second = 5\nburst = 1\n');
  const world = await ProxyWorld.start({ env: { BRICKGATE_PROXY_RATE_LIMITS_FILE: limits, BRICKGATE_PROXY_RATE_MODE: 'report' } });
  t.after(() => world.stop());
  world.double.on(/^/, echo);
  await Promise.all(Array.from({ length: 30 }, (_, at) => world.call(`/api/2.0/slow/${at}`)));
  const metrics = await (await fetch(`${world.gateway.url}/metrics`)).text();
  assert.match(metrics, /^brickgate_\w+\{[^}]*family="slow"[^}]*\} [1-9]/m);
  const explained = await world.gateway.api('GET', `/v1/connections/${world.id}/explain`);
  assert.equal(explained.status, 200);
  assert.match(JSON.stringify(explained.body), /"slow"/);
});
