// SPDX-License-Identifier: Apache-2.0
// Keeping a grant alive against every kind of answer; the sandbox's log is the judge.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, beforeEach, test } from 'node:test';
import { Gateway, Jar, Sandbox, signIn, sleep, until } from '../support/brickgate.mjs';

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
beforeEach(async () => {
  await sandbox.control('DELETE', 'faults');
  await sandbox.settings({ refresh_mode: 'strict', access_ttl: 3600, grace: 60 });
});

let person = 0;
// A connection of its own for each test: the subject tells them apart.
const connect = async () => (await signIn(gateway, new Jar(), { query: `?subject=s${++person}&return_to=` })).id;
const refresh = (id) => gateway.api('POST', `/v1/connections/${id}/refresh`);
const show = async (id) => (await gateway.api('GET', `/v1/connections/${id}`)).body;

test('a refresh gives a new token and a new generation', async () => {
  const id = await connect();
  const first = (await gateway.token(id)).body;
  assert.equal((await refresh(id)).status, 200);
  const second = (await gateway.token(id)).body;
  assert.equal(second.generation, first.generation + 1);
  assert.notEqual(second.access_token, first.access_token);
});

test('d_rotation_absent_keeps_old: a server that does not rotate is refreshed again and again', async () => {
  await sandbox.settings({ refresh_mode: 'reusable' });
  const id = await connect();
  for (let i = 0; i < 4; ++i) assert.equal((await refresh(id)).status, 200);
});

test('a thousand ask for one expiring token: one refresh', async () => {
  // Refreshed ahead only in the last second, so that callers who want half of the life are the first to need it.
  const own = await Gateway.start({ sandbox, env: { BRICKGATE_REFRESH_LEAD_MAX: '1', BRICKGATE_REFRESH_SERVE_MARGIN: '1' } });
  await sandbox.control('POST', 'apps', { client_id: 'brickgate-demo', client_secret: 'brickgate-demo-secret', redirect_uris: [`${gateway.url}/callback`, `${own.url}/callback`] });
  try {
    await sandbox.settings({ access_ttl: 8 });
    const { id } = await signIn(own, new Jar());
    await sandbox.settings({ access_ttl: 3600 });
    const family = (await sandbox.families()).at(-1).id;
    const first = (await own.token(id)).body;
    await sleep(5300);                                 // less than half is left
    assert.equal((await own.api('GET', `/v1/connections/${id}`)).body.generation, 1, 'nobody was faster');
    await sandbox.fault({ endpoint: 'token', kind: 'latency', latency_ms: 1500 });
    const calls = (await sandbox.refreshes()).length;
    const answers = await Promise.all(Array.from({ length: 1000 }, () => own.token(id, '?min_valid=4')));
    assert.ok(answers.every((answer) => answer.status === 200), JSON.stringify(answers.find((answer) => answer.status !== 200)?.body));
    const second = answers[0].body;
    assert.equal(second.generation, 2);
    assert.notEqual(second.access_token, first.access_token);
    assert.ok(answers.every((answer) => answer.body.access_token === second.access_token), 'all got the new one');
    assert.equal((await sandbox.refreshes()).length, calls + 1, 'the sandbox saw one refresh');
    const judged = (await sandbox.families()).find((entry) => entry.id === family);
    assert.deepEqual([judged.generation, judged.reuses], [2, 0]);
  } finally {
    await own.stop();
  }
});

for (const life of [300, 86400]) {
  test(`tokens of ${life} seconds: signed in, scheduled, refreshed`, async () => {
    await sandbox.settings({ access_ttl: life });
    const id = await connect();
    const lead = Math.min(life / 2, 1200);
    for (const generation of [1, 2]) {
      if (generation === 2) assert.equal((await refresh(id)).status, 200);
      const token = (await gateway.token(id)).body;
      assert.equal(token.generation, generation);
      assert.ok(token.expires_in <= life && token.expires_in > life - 60, `expires_in ${token.expires_in}`);
      const row = await show(id);
      const ahead = (Date.parse(row.expires_at) - Date.parse(row.refresh_due_at)) / 1000;
      assert.ok(ahead > lead * 0.9 - 2 && ahead < lead * 1.1 + 2, `refreshed ${ahead} s ahead`);
    }
  });
}

test('T30 a redirect of the token endpoint is not followed, and the connection stays as it is', async () => {
  const seen = [];
  const canary = createServer((request, response) => {
    seen.push(request.url);
    response.end();
  });
  await new Promise((resolve) => canary.listen(0, '127.0.0.1', resolve));
  try {
    const id = await connect();
    const before = await show(id);
    await sandbox.fault({ endpoint: 'token', kind: 'redirect_307', value: `http://127.0.0.1:${canary.address().port}/token` });
    const answer = await refresh(id);
    assert.deepEqual([answer.status, answer.body.error.code], [502, 'host_misconfigured']);
    assert.deepEqual(seen, [], 'the canary sees nothing');
    const after = await show(id);
    assert.deepEqual([after.status, after.generation], ['active', before.generation]);
    assert.equal((await gateway.token(id)).status, 200);
  } finally {
    canary.close();
  }
});

test('refreshed ahead of time, in the background, nobody asking', async () => {
  await sandbox.settings({ access_ttl: 6 });
  const id = await connect();
  await until(async () => (await show(id)).generation >= 2, 'a refresh at half the life', 10000);
});

test('expired tokens are never handed out, not even while the server is away', async () => {
  await sandbox.settings({ access_ttl: 5 });
  const id = await connect();
  await sandbox.fault({ endpoint: 'token', kind: 'status', status: 503, count: 1000 });
  let sawRefusal = false;
  const end = Date.now() + 8000;
  while (Date.now() < end) {
    const answer = await gateway.token(id);
    if (answer.status === 200) assert.ok(Date.parse(answer.body.expires_at) + 1000 > Date.now());
    else {
      sawRefusal = true;
      assert.equal(answer.body.error.code, 'refresh_pending');
      assert.match(answer.headers.get('retry-after'), /^\d+$/);
    }
    await sleep(200);
  }
  assert.ok(sawRefusal);
  await sandbox.control('DELETE', 'faults');
  await sandbox.settings({ access_ttl: 3600 });
  await until(async () => (await gateway.token(id)).status === 200, 'recovery when the server is back', 70000);
});

test('the old token is served while a refresh ahead of time fails', async () => {
  const id = await connect();
  await sandbox.fault({ endpoint: 'token', kind: 'status', status: 503 });
  assert.equal((await refresh(id)).status, 503);
  assert.equal((await gateway.token(id)).status, 200);
});

test('a revoked grant says so, with its reason, and hands nothing out', async () => {
  const id = await connect();
  await sandbox.control('POST', 'revoke', { family: (await sandbox.families()).find((f) => f.generation === 1 && f.alive).id });
  await sandbox.control('POST', 'revoke', {});
  const answer = await refresh(id);
  assert.equal(answer.status, 409);
  assert.equal(answer.body.error.code, 'reauth_required');
  assert.equal(answer.body.error.reason, 'revoked', 'the first caller is told why');
  const row = await show(id);
  assert.equal(row.status, 'reauth_required');
  assert.equal(row.reason, 'revoked');
  assert.equal((await gateway.token(id)).status, 409);
  const why = (await gateway.api('GET', `/v1/connections/${id}/explain`)).body;
  assert.equal(why.who_must_act, 'customer');
  assert.equal(why.serves_tokens, false);
});

test("the older servers' words for a dead refresh token are understood", async () => {
  const id = await connect();
  await sandbox.fault({ endpoint: 'token', kind: 'old_invalid_request' });
  assert.equal((await refresh(id)).body.error.code, 'reauth_required');
});

test('a wrong client secret marks no connection dead', async () => {
  const id = await connect();
  await sandbox.fault({ endpoint: 'token', kind: 'invalid_client' });
  assert.equal((await refresh(id)).body.error.code, 'app_fault');
  assert.equal((await show(id)).status, 'active');
  const why = (await gateway.api('GET', `/v1/connections/${id}/explain`)).body;
  assert.equal(why.who_must_act, 'app_operator');
  assert.equal((await gateway.token(id)).status, 200);
  await gateway.process.stop();
  await gateway.restart();                           // the remedy: mend and restart
  assert.equal((await refresh(id)).status, 200, 'and nothing of the fault is left on the connection');
});

test('an IP access list at the token endpoint blocks the host, not the grant', async () => {
  const id = await connect();
  await sandbox.fault({ endpoint: 'token', kind: 'ip_acl' });
  assert.equal((await refresh(id)).status, 503);
  assert.equal((await show(id)).status, 'host_blocked');
  assert.equal((await gateway.token(id)).status, 200);
});

for (const mode of ['reusable', 'grace', 'strict', 'revoke']) {
  test(`an answer lost before the server committed is retried and found (${mode})`, async () => {
    await sandbox.settings({ refresh_mode: mode });
    const id = await connect();
    await sandbox.fault({ endpoint: 'token', kind: 'drop_before_commit' });
    assert.equal((await refresh(id)).status, 503);
    assert.equal((await show(id)).status, 'uncertain');
    assert.equal((await gateway.token(id)).status, 200, 'the old token is served meanwhile');
    await until(async () => (await refresh(id)).status === 200, 'the single retry', 15000);
    assert.equal((await show(id)).status, 'active');
  });

  test(`an answer lost after the server committed is told, never silent (${mode})`, async () => {
    await sandbox.settings({ refresh_mode: mode });
    const id = await connect();
    await sandbox.fault({ endpoint: 'token', kind: 'drop_after_commit' });
    assert.equal((await refresh(id)).status, 503);
    const last = await until(async () => {
      const answer = await refresh(id);
      return answer.status !== 503 && answer;
    }, 'the single retry', 15000);
    const row = await show(id);
    if (mode === 'reusable' || mode === 'grace') assert.equal(last.status, 200, JSON.stringify(last.body));
    else assert.deepEqual([row.status, row.reason], ['reauth_required', 'outcome_lost']);
  });
}

test('a rejected token starts one refresh, an old one none', async () => {
  const id = await connect();
  const first = (await gateway.token(id)).body;
  const rejected = await Promise.all(Array.from({ length: 50 }, () =>
    gateway.api('POST', `/v1/connections/${id}/token/rejected`, { fingerprint: first.fingerprint })));
  assert.ok(rejected.every((answer) => answer.status === 200 && answer.body.generation === first.generation + 1));
  const old = await gateway.api('POST', `/v1/connections/${id}/token/rejected`, { access_token: first.access_token });
  assert.equal(old.body.generation, first.generation + 1);
});

test('min_valid is capped for short tokens, and bad values are refused', async () => {
  await sandbox.settings({ access_ttl: 300 });
  const id = await connect();
  const before = (await show(id)).generation;
  for (let i = 0; i < 5; ++i) assert.equal((await gateway.token(id, '?min_valid=300')).status, 200);
  assert.equal((await show(id)).generation, before, 'a token of five minutes is not refreshed by every call');
  for (const bad of ['-1', 'x', '86401', '1e3']) assert.equal((await gateway.token(id, `?min_valid=${bad}`)).status, 400, bad);
});

test('disconnecting erases the tokens and wins over a refresh in flight', async () => {
  const id = await connect();
  await sandbox.fault({ endpoint: 'token', kind: 'latency', latency_ms: 800 });
  const flight = refresh(id);
  await sleep(200);
  const gone = await gateway.api('DELETE', `/v1/connections/${id}`);
  assert.equal(gone.body.upstream, 'not_supported');
  await flight;
  assert.equal((await gateway.token(id)).status, 410);
  assert.equal((await show(id)).status, 'disconnected');
});

test('SIGTERM in the middle of a refresh loses nothing', async () => {
  await sandbox.settings({ refresh_mode: 'revoke' });
  const id = await connect();
  await sandbox.fault({ endpoint: 'token', kind: 'latency', latency_ms: 1500 });
  const flight = refresh(id).catch(() => undefined);
  await sleep(400);
  const end = await gateway.process.stop();
  assert.equal(end.code, 0);
  await flight;
  await gateway.restart();
  assert.equal((await refresh(id)).status, 200);
});
