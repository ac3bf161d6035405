// SPDX-License-Identifier: Apache-2.0
// Table D.6: kill -9 at named moments of a refresh, in the four refresh modes; the sandbox knows which token lives.
// `alive` means the connection goes on by itself; `flagged` that it says reauth_required: outcome_lost.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Gateway, Jar, Sandbox, signIn, sleep, until } from '../support/brickgate.mjs';

const modes = ['reusable', 'grace', 'strict', 'revoke'];
const rotating = (mode) => mode === 'strict' || mode === 'revoke';
// How each moment is reached: a failpoint of the test build, or a fault that holds the answer while we kill.
const points = {
  K0: { failpoint: 'K0:kill', lost: () => false },
  K1: { failpoint: 'K1:kill', lost: () => false },
  K2: { failpoint: 'K2:kill', lost: () => false },
  K3: { failpoint: 'K3:kill', lost: () => false },
  K5: { fault: 'hold_before_commit', lost: () => false },
  K6: { fault: 'hold_after_commit', lost: rotating },
  K7: { fault: 'one_byte_per_second', partly: true, lost: rotating },
  K8: { failpoint: 'K8:kill', lost: rotating },
  K9: { failpoint: 'K9:kill', lost: () => false },
  K10: { failpoint: 'K10:kill', lost: () => false },
  K10b: { failpoint: 'K10b:kill', lost: () => false },
  K11: { failpoint: 'K11:kill', lost: () => false },
};

let sandbox, gateway;
before(async () => {
  sandbox = await Sandbox.start();
  gateway = await Gateway.start({ sandbox, env: { BRICKGATE_REFRESH_UNCERTAIN_WAIT: '1' } });
  await sandbox.control('POST', 'apps', { client_id: 'brickgate-demo', client_secret: 'brickgate-demo-secret', redirect_uris: [`${gateway.url}/callback`] });
});
after(async () => {
  await gateway.stop();
  await sandbox.stop();
});

let person = 0;
for (const mode of modes) {
  for (const [name, point] of Object.entries(points)) {
    test(`${name} in mode ${mode}: ${point.lost(mode) ? 'lost, and flagged' : 'alive'}`, async () => {
      await sandbox.settings({ refresh_mode: mode });
      const { id } = await signIn(gateway, new Jar(), { query: `?subject=crash${++person}` });
      const family = (await sandbox.families()).find((entry) => entry.generation === 1 && entry.alive && !seen.has(entry.id));
      seen.add(family.id);
      // The failpoint is armed for one run only.
      await gateway.process.stop();
      await gateway.restart(point.failpoint ? { __brickgate_failpoint: point.failpoint } : {});
      const run = gateway.process;
      if (point.fault) await sandbox.fault({ endpoint: 'token', kind: point.fault });
      const calls = (await sandbox.refreshes()).length;
      const flight = gateway.api('POST', `/v1/connections/${id}/refresh`).catch(() => undefined);
      if (point.fault) {
        await until(async () => (await sandbox.refreshes()).length > calls, 'the request to be read');
        if (point.partly) await sleep(1200);           // the head of the answer and a byte or two have come
        await run.kill();
        await sandbox.control('POST', 'release');
      }
      await flight;
      const end = await run.ended;
      assert.equal(end.signal, 'SIGKILL', `the program was killed at ${name}`);

      await gateway.restart();
      const outcome = await until(async () => {
        const answer = await gateway.api('POST', `/v1/connections/${id}/refresh`);
        return answer.status !== 503 && answer;
      }, 'the outcome after the restart', 30000);
      const row = (await gateway.api('GET', `/v1/connections/${id}`)).body;
      const judged = (await sandbox.families()).find((entry) => entry.id === family.id);
      if (point.lost(mode)) {
        assert.deepEqual([row.status, row.reason], ['reauth_required', 'outcome_lost']);
      } else {
        assert.equal(outcome.status, 200, JSON.stringify(outcome.body));
        assert.equal(row.status, 'active');
        assert.ok(judged.alive);
        if (mode === 'strict' || mode === 'revoke') assert.equal(judged.reuses, 0, 'no token was presented after it was spent');
      }
      // Nobody presented anything more than twice: once, and once more because the outcome was unknown.
      if (mode !== 'reusable') for (const times of Object.values(judged.presented)) assert.ok(times <= 2, JSON.stringify(judged.presented));
    });
  }
}
const seen = new Set();

// A person signs in, and the program runs again with one failpoint armed.
async function armed(failpoint) {
  const { id } = await signIn(gateway, new Jar(), { query: `?subject=crash${++person}` });
  const family = (await sandbox.families()).find((entry) => entry.generation === 1 && entry.alive && !seen.has(entry.id));
  seen.add(family.id);
  await gateway.process.stop();
  await gateway.restart(failpoint ? { __brickgate_failpoint: failpoint } : {});
  return { id, family: family.id, run: gateway.process };
}
const judged = async (family) => (await sandbox.families()).find((entry) => entry.id === family);
const refreshNow = (id) => gateway.api('POST', `/v1/connections/${id}/refresh`);

test('K6 in mode grace, back too late for it: lost, and flagged', async () => {
  await sandbox.settings({ refresh_mode: 'grace', grace: 1 });
  const { id, run } = await armed();
  await sandbox.fault({ endpoint: 'token', kind: 'hold_after_commit' });
  const calls = (await sandbox.refreshes()).length;
  const flight = refreshNow(id).catch(() => undefined);
  await until(async () => (await sandbox.refreshes()).length > calls, 'the request to be read');
  await run.kill();
  await flight;
  await sandbox.control('POST', 'release');
  await sleep(1500);                                   // the grace is over
  await gateway.restart();
  await until(async () => (await refreshNow(id)).status !== 503, 'the outcome after the restart', 30000);
  const row = (await gateway.api('GET', `/v1/connections/${id}`)).body;
  assert.deepEqual([row.status, row.reason], ['reauth_required', 'outcome_lost']);
  await sandbox.settings({ grace: 60 });
});

// The refusal is definite: it is written by the next run without asking again.
for (const point of ['K13', 'K13b']) {
  for (const mode of ['strict', 'revoke']) {
    test(`${point} in mode ${mode}: the end of the grant is written after the restart, with its reason`, async () => {
      await sandbox.settings({ refresh_mode: mode });
      const { id, family, run } = await armed(`${point}:kill`);
      await sandbox.control('POST', 'revoke', { family });
      const flight = refreshNow(id).catch(() => undefined);
      assert.equal((await run.ended).signal, 'SIGKILL');
      await flight;
      await gateway.restart();
      const row = (await gateway.api('GET', `/v1/connections/${id}`)).body;
      assert.deepEqual([row.status, row.reason], ['reauth_required', 'revoked']);
      assert.equal((await refreshNow(id)).body.error.reason, 'revoked');
      for (const times of Object.values((await judged(family)).presented)) assert.equal(times, 1, 'it was presented once');
    });
  }
}
