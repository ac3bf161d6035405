// SPDX-License-Identifier: Apache-2.0
// Connections without a person: a secret is tried before it is kept, tokens come and go as for people, and one secret can
// take another's place while both are good.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { command, Gateway, Sandbox } from '../support/brickgate.mjs';

let sandbox, gateway;
const robot = { client_id: '0a1b2c3d-0000-4000-8000-00000000000a', client_secret: 'dose-first' };
const register = (client_secret) => sandbox.control('POST', 'apps', { client_id: robot.client_id, client_secret, redirect_uris: ['http://localhost/none'] });

before(async () => {
  sandbox = await Sandbox.start({ redirectUris: ['http://localhost:1/callback'] });
  gateway = await Gateway.start({ sandbox });
  await register(robot.client_secret);
});
after(async () => {
  await gateway.stop();
  await sandbox.stop();
});

const connect = (change = {}) => gateway.api('POST', '/v1/service-principals', { workspace: sandbox.origin, ...robot, ...change });

test('a service principal is connected once its secret has proved good, and its tokens are handed out and renewed', async () => {
  const made = await connect({ subject: 'nightly' });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  assert.equal(made.body.principal.user_name, robot.client_id);
  assert.equal(made.body.subject, 'nightly');
  assert.doesNotMatch(JSON.stringify(made.body), /dose-/);
  const [call] = await sandbox.log((line) => line.body.startsWith('grant_type=client_credentials'));
  assert.equal(call.authorization, `Basic ${robot.client_id}:dose-first`);
  assert.match(call.body, /scope=all-apis/);

  const first = await gateway.token(made.body.id);
  assert.equal(first.status, 200);
  const rejected = await gateway.api('POST', `/v1/connections/${made.body.id}/token/rejected`, { fingerprint: first.body.fingerprint });
  assert.equal(rejected.status, 200);
  assert.equal(rejected.body.generation, first.body.generation + 1);
  assert.notEqual(rejected.body.access_token, first.body.access_token);
  const again = await connect({ subject: 'nightly' });
  assert.equal(again.body.id, made.body.id, 'the same principal keeps its connection');
});

test('a secret that the workspace refuses is not kept', async () => {
  const before = (await gateway.api('GET', '/v1/connections')).body.items.length;
  const wrong = await connect({ client_secret: 'dose-wrong', subject: 'wrong' });
  assert.equal(wrong.status, 502);
  assert.equal(wrong.body.error.code, 'invalid_client');
  assert.equal((await gateway.api('GET', '/v1/connections')).body.items.length, before);
});

test('bad input and hosts that are not listed are refused, and no byte leaves', async () => {
  const calls = (await sandbox.tokenCalls()).length;
  for (const [change, code] of [
    [{ workspace: '' }, 'host_required'], [{ workspace: 'https://evil.example' }, 'host_denied'], [{ client_id: '' }, 'invalid_request'],
    [{ client_secret: '' }, 'invalid_request'], [{ client_secret: 'two words' }, 'invalid_request'],
  ]) {
    const answer = await connect(change);
    assert.equal(answer.body.error?.code, code, JSON.stringify(change));
  }
  assert.equal((await sandbox.tokenCalls()).length, calls);
});

test('two secrets at once: the second is proved, either will do, and the older can go', async () => {
  const { body: { id } } = await connect({ subject: 'rotated' });
  const refused = await gateway.api('POST', `/v1/service-principals/${id}/secrets`, { client_secret: 'dose-second' });
  assert.equal(refused.body.error.code, 'invalid_client', 'not yet known to the workspace');
  await register('dose-second');   // the workspace now takes the second and no longer the first
  const added = await gateway.api('POST', `/v1/service-principals/${id}/secrets`, { client_secret: 'dose-second' });
  assert.equal(added.status, 200, JSON.stringify(added.body));
  assert.equal(added.body.id, id);
  assert.equal((await gateway.api('POST', `/v1/connections/${id}/refresh`)).status, 200);

  await register('dose-first');    // and back: the newer one is refused, the older one steps in
  assert.equal((await gateway.api('POST', `/v1/connections/${id}/refresh`)).status, 200);
  const tries = (await sandbox.tokenCalls()).length;
  assert.equal((await gateway.api('POST', `/v1/connections/${id}/refresh`)).status, 200);
  assert.equal((await sandbox.tokenCalls()).length, tries + 1, 'the one that worked is tried first');

  const dropped = await gateway.api('DELETE', `/v1/service-principals/${id}/secrets/older`);
  assert.equal(dropped.status, 200, JSON.stringify(dropped.body));
  const none = await gateway.api('DELETE', `/v1/service-principals/${id}/secrets/older`);
  assert.equal(none.body.error.code, 'invalid_request');
});

test('a secret that has stopped being good is its own trouble, and mends when it is good again', async () => {
  const { body: { id } } = await connect({ subject: 'broken' });
  await register('dose-other');
  const failed = await gateway.api('POST', `/v1/connections/${id}/refresh`);
  assert.notEqual(failed.status, 200);
  assert.equal((await gateway.api('GET', `/v1/connections/${id}`)).body.status, 'active');
  assert.equal((await gateway.token(id)).status, 200, 'the token that is still good is handed out');
  await register('dose-first');
});

test('the command line reads the secret from the environment or standard input, never from its words', async () => {
  const added = await command(['service-principals', 'add', sandbox.origin, '--client-id', robot.client_id, '--subject', 'cli', '--data', gateway.data, '--json'],
    { env: { ...gateway.env, DATABRICKS_CLIENT_SECRET: 'dose-first' } });
  assert.equal(added.code, 0, added.err);
  const { id } = JSON.parse(added.out);
  const token = await gateway.cli('token', id);
  assert.equal(token.code, 0, token.err);
  assert.ok(token.out.trim().length > 20);
});

test('a person\'s connection has no secrets, and an unknown one is unknown', async () => {
  const unknown = await gateway.api('POST', '/v1/service-principals/con_0123456789abcdef0123456789abcdef/secrets', { client_secret: 'dose-x' });
  assert.equal(unknown.body.error.code, 'connection_unknown');
});
