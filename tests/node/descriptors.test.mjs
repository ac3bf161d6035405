// SPDX-License-Identifier: Apache-2.0
// T51: more connections than the process may open files for. What must go on, goes on.
import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { binary, Gateway, Sandbox, temporaryFolder } from '../support/brickgate.mjs';

// A gateway that was started where so few files may be opened.
async function cramped(sandbox, limits, env) {
  const script = join(temporaryFolder(), 'brickgate');
  writeFileSync(script, `#!/bin/sh\n${limits}\nexec ${binary} "$@"\n`);
  chmodSync(script, 0o755);
  return Gateway.start({ sandbox, env, program: script });
}

function crowd(port, count) {
  const sockets = Array.from({ length: count }, () => connect(port, '127.0.0.1').on('error', () => {}));
  return () => sockets.forEach((socket) => socket.destroy());
}

test('T51 a crowd of idle connections stops neither requests nor refreshes where descriptors are few', async (t) => {
  const sandbox = await Sandbox.start();
  t.after(() => sandbox.stop());
  const gateway = await cramped(sandbox, 'ulimit -Sn 200; ulimit -Hn 200');
  t.after(() => gateway.stop());
  await sandbox.control('POST', 'apps', { client_id: 'brickgate-demo', client_secret: 'brickgate-demo-secret', redirect_uris: [`${gateway.url}/callback`] });
  const { id } = await gateway.signIn();
  const said = gateway.process.log.find((line) => line.event === 'connections_limited');
  assert.ok(Number(said?.connections) < 100, 'it says how many connections it takes');
  const leave = crowd(gateway.port, 400);
  t.after(leave);
  for (let round = 0; round < 3; ++round) {
    assert.equal((await fetch(`${gateway.url}/healthz`, { headers: { connection: 'close' } })).status, 200);
    const fresh = await gateway.api('POST', `/v1/connections/${id}/refresh`);
    assert.equal(fresh.status, 200, JSON.stringify(fresh.body));
  }
  assert.ok(!gateway.process.log.some((line) => line.event === 'accept_failed'));
});

test('T51 a soft limit below the hard one is raised', async (t) => {
  const sandbox = await Sandbox.start();
  t.after(() => sandbox.stop());
  const gateway = await cramped(sandbox, 'ulimit -Hn 4000; ulimit -Sn 100', { BRICKGATE_LIMITS_CONNECTIONS_MAX: '1000' });
  t.after(() => gateway.stop());
  const leave = crowd(gateway.port, 300);
  t.after(leave);
  assert.equal((await fetch(`${gateway.url}/healthz`)).status, 200);
  assert.ok(!gateway.process.log.some((line) => ['accept_failed', 'connections_limited'].includes(line.event)));
});
