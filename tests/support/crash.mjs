// SPDX-License-Identifier: Apache-2.0
// Table D.6: kill -9 at named moments of a refresh; the sandbox knows which token lives.
// `alive` means the connection goes on by itself; `flagged` that it says reauth_required: outcome_lost.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Gateway, Jar, Sandbox, signIn, sleep, until } from './brickgate.mjs';

const rotating = (mode) => mode === 'strict' || mode === 'revoke';
const never = () => false;
// How each moment is reached: a failpoint of the test build, or a fault that holds the answer while we kill.
const points = {
  K0: { failpoint: 'K0:kill', lost: never },
  K1: { failpoint: 'K1:kill', lost: never },
  K2: { failpoint: 'K2:kill', lost: never },
  K3: { failpoint: 'K3:kill', lost: never },
  K5: { fault: 'hold_before_commit', lost: never },
  K6: { fault: 'hold_after_commit', lost: rotating },
  K7: { fault: 'one_byte_per_second', partly: true, lost: rotating },
  K8: { failpoint: 'K8:kill', lost: rotating },
  K9: { failpoint: 'K9:kill', lost: never },
  K10: { failpoint: 'K10:kill', lost: never },
  K10b: { failpoint: 'K10b:kill', lost: never },
  K11: { failpoint: 'K11:kill', lost: never },
};

// A sandbox and a gateway for one test file.
export class CrashWorld {
  person = 0;
  seen = new Set();
  constructor() {
    before(async () => {
      this.sandbox = await Sandbox.start();
      this.gateway = await Gateway.start({ sandbox: this.sandbox, env: { BRICKGATE_REFRESH_UNCERTAIN_WAIT: '1' } });
      await this.sandbox.control('POST', 'apps', {
        client_id: 'brickgate-demo', client_secret: 'brickgate-demo-secret', redirect_uris: [`${this.gateway.url}/callback`],
      });
    });
    after(async () => {
      await this.gateway.stop();
      await this.sandbox.stop();
    });
  }
  // A person signs in, and the program runs again with one failpoint armed, for that run only.
  async armed(failpoint) {
    if (this.gateway.process.end) await this.gateway.restart();  // what failed before is not this test's business
    await this.sandbox.control('DELETE', 'faults');
    const { id } = await signIn(this.gateway, new Jar(), { query: `?subject=crash${++this.person}` });
    const family = (await this.sandbox.families()).find((entry) => entry.generation === 1 && entry.alive && !this.seen.has(entry.id));
    this.seen.add(family.id);
    await this.gateway.process.stop();
    await this.gateway.restart(failpoint ? { __brickgate_failpoint: failpoint } : {});
    return { id, family: family.id, run: this.gateway.process };
  }
  async judged(family) {
    return (await this.sandbox.families()).find((entry) => entry.id === family);
  }
  refresh(id) { return this.gateway.api('POST', `/v1/connections/${id}/refresh`); }
  // Killed while the sandbox holds its answer, or has given part of it.
  async killDuring(fault, id, run, { partly = false } = {}) {
    await this.sandbox.fault({ endpoint: 'token', kind: fault });
    const calls = (await this.sandbox.refreshes()).length;
    const flight = this.refresh(id).catch(() => undefined);
    await until(async () => (await this.sandbox.refreshes()).length > calls, 'the request to be read');
    if (partly) await sleep(1200);  // the head of the answer and a byte or two have come
    await run.kill();
    await this.sandbox.control('POST', 'release');
    await flight;
  }
  // After the restart: asked for until it is more than "not now".
  async outcome(id) {
    await this.gateway.restart();
    const answer = await until(async () => {
      const each = await this.refresh(id);
      return each.status !== 503 && each;
    }, 'the outcome after the restart', 30000);
    return { answer, row: (await this.gateway.api('GET', `/v1/connections/${id}`)).body };
  }

  matrix(modes) {
    for (const mode of modes) {
      for (const [name, point] of Object.entries(points)) {
        const lost = point.lost(mode);
        test(`${name} in mode ${mode}: ${lost ? 'lost, and flagged' : 'alive'}`, () => this.#row(name, point, mode, lost));
      }
    }
  }
  async #row(name, point, mode, lost) {
    await this.sandbox.settings({ refresh_mode: mode });
    const { id, family, run } = await this.armed(point.failpoint);
    if (point.fault) await this.killDuring(point.fault, id, run, point);
    else await this.refresh(id).catch(() => undefined);
    assert.equal((await run.ended).signal, 'SIGKILL', `the program was killed at ${name}`);
    const { answer, row } = await this.outcome(id);
    const judged = await this.judged(family);
    if (lost) {
      assert.deepEqual([row.status, row.reason], ['reauth_required', 'outcome_lost']);
    } else {
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      assert.equal(row.status, 'active');
      assert.ok(judged.alive);
      if (rotating(mode)) assert.equal(judged.reuses, 0, 'no token was presented after it was spent');
    }
    // Nobody presented anything more than twice: once, and once more because the outcome was unknown.
    if (mode !== 'reusable') for (const times of Object.values(judged.presented)) assert.ok(times <= 2, JSON.stringify(judged.presented));
  }
}
