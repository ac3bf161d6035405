// SPDX-License-Identifier: Apache-2.0
// A gateway whose keys are rotated while its connections are refreshed all the time, and which is killed meanwhile.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { binary, Gateway, Jar, Sandbox, signIn, sleep, temporaryFolder, until } from './brickgate.mjs';
import { auditVault } from './vault_audit.mjs';

const filler = join(dirname(binary), 'bench/bench_fill');

export class RotationWorld {
  // `rows` of them are in the database without a workspace that knows them; `people` are refreshed.
  static async start({ rows = 0, people = 3 } = {}) {
    const world = new RotationWorld();
    world.sandbox = await Sandbox.start();
    const data = join(temporaryFolder(), 'data');
    if (rows) {
      mkdirSync(data, { mode: 0o700 });
      execFileSync(filler, [data, String(rows), '1200'], { stdio: ['ignore', 'ignore', 'inherit'], maxBuffer: 1 << 28 });
    }
    world.gateway = await Gateway.start({ sandbox: world.sandbox, data, env: { BRICKGATE_REFRESH_UNCERTAIN_WAIT: '1', BRICKGATE_REFRESH_HOST_RATE: '50' } });
    await world.sandbox.control('POST', 'apps', { client_id: 'brickgate-demo', client_secret: 'brickgate-demo-secret', redirect_uris: [`${world.gateway.url}/callback`] });
    await world.sandbox.settings({ refresh_mode: 'reusable' });
    world.ids = [];
    for (let i = 0; i < people; ++i) world.ids.push((await signIn(world.gateway, new Jar(), { query: `?subject=person${i}` })).id);
    await world.gateway.key();
    return world;
  }
  async stop() {
    this.loading = false;
    await this.load;
    await this.gateway.stop();
    await this.sandbox.stop();
  }
  // Refreshes all the time; what a kill cuts off is not this test's business.
  startLoad() {
    this.loading = true;
    this.refreshed = 0;
    const one = async (id) => {
      while (this.loading) {
        const answer = await this.gateway.api('POST', `/v1/connections/${id}/refresh`).catch(() => undefined);
        if (answer?.status === 200) this.refreshed += 1;
        await sleep(answer ? 20 : 100);
      }
    };
    this.load = Promise.all(this.ids.map(one));
  }
  async stopLoad() {
    this.loading = false;
    await this.load;
  }
  post(path) { return this.gateway.api('POST', path).catch(() => undefined); }
  async keys() { return (await this.gateway.api('GET', '/v1/keys')).body; }
  rotated() { return until(async () => { const now = await this.keys(); return !now.rotation.running && now; }, 'the rotation to end', 120000); }
  key(keys, purpose, state) { return keys.items.find((key) => key.purpose === purpose && key.state === state); }
  // With nobody in the folder: every record opens, with exactly the key that it names.
  audit() {
    const report = auditVault(this.gateway.data);
    assert.equal(report.unreadable, 0, JSON.stringify(report));
    return report;
  }
  // Everybody still has a token, and can have another.
  async everybodyGoesOn() {
    for (const id of this.ids) {
      const fresh = await until(async () => {
        const answer = await this.gateway.api('POST', `/v1/connections/${id}/refresh`);
        return answer.status !== 503 && answer;
      }, 'a refresh', 30000);
      assert.equal(fresh.status, 200, JSON.stringify(fresh.body));
      assert.equal((await this.gateway.token(id)).status, 200);
    }
  }
}
