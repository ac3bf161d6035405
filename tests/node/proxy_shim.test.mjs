// SPDX-License-Identifier: Apache-2.0
// The stand-in for the `databricks` CLI: its version, its tokens in the one form of expiry that every SDK reads right
// (databricks-facts 5.2, 5.3), forced refreshes in a crowd, and a word for everything else.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { binary, temporaryFolder } from '../support/brickgate.mjs';
import { ProxyWorld } from '../support/proxy_world.mjs';
import { go, java, javascript, python } from '../support/sdk_clients.mjs';

const zone = 'Asia/Kolkata';  // an offset with minutes, and no summer time
process.env.TZ = zone;

let world, folder, config;
before(async () => {
  world = await ProxyWorld.start();
  folder = join(temporaryFolder(), 'bin');
  mkdirSync(folder);
  symlinkSync(binary, join(folder, 'databricks'));
  config = join(dirname(folder), 'databrickscfg');
  writeFileSync(config, `[DEFAULT]\nhost = ${world.double.origin}\n\n[practice]\nhost = ${world.double.origin}/\nauth_type = databricks-cli\n\n[elsewhere]\nhost = https://dbc-00000000-0000.cloud.databricks.com\n`, { mode: 0o600 });
});
after(() => world?.stop());

// As an SDK runs it: found on the PATH, with nothing to say where the gateway is but the environment.
function databricks(args, env = {}, { file = join(folder, 'databricks') } = {}) {
  return new Promise((resolve) => {
    const run = spawn(file, args, { env: { PATH: `${folder}:${process.env.PATH}`, HOME: dirname(folder), TZ: zone, DATABRICKS_CONFIG_FILE: config, BRICKGATE_DATA_DIR: world.gateway.data, ...world.gateway.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    run.stdout.on('data', (piece) => (out += piece));
    run.stderr.on('data', (piece) => (err += piece));
    run.on('close', (code) => resolve({ code, out, err }));
  });
}
const host = () => ['auth', 'token', '--host', world.double.origin];

test('it is large enough not to be taken for the old CLI', () => {
  assert.ok(statSync(join(folder, 'databricks')).size >= 1 << 20);
});

test('the version probes of every SDK find a version that knows profiles and forced refreshes', async () => {
  for (const sdk of [go, python, java]) {
    const { code, out } = await databricks(sdk.versionProbe);
    assert.equal(code, 0);
    const [major, minor] = sdk.version(out);
    assert.ok(major > 0 || minor >= 296, out);
  }
  assert.match((await databricks(['--version'])).out, /^Databricks CLI v\d+\.\d+\.\d+/);
});

test('every SDK reads the same token and the same end, in any time zone', async () => {
  const truth = (await world.gateway.token(world.id)).body;
  for (const TZ of [zone, 'UTC', 'America/St_Johns', 'Pacific/Chatham']) {
    process.env.TZ = TZ;
    const { code, out, err } = await databricks(host(), { TZ });
    assert.equal(code, 0, err);
    const document = JSON.parse(out);
    assert.match(document.expiry, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|[+-]\d\d:\d\d)$/);
    assert.ok(Object.keys(document).every((name) => ['access_token', 'token_type', 'expiry', 'expires_in'].includes(name)), out);
    assert.match(out, /^\{\n {2}"/, 'indented');
    for (const sdk of [go, python, java, javascript]) {
      const token = sdk.cliToken(out);
      assert.equal(token.access_token, truth.access_token);
      assert.equal(token.token_type, 'Bearer');
      assert.equal(Math.floor(token.expiry / 1000), Math.floor(Date.parse(truth.expires_at) / 1000), `${TZ}: ${document.expiry}`);
    }
  }
  process.env.TZ = zone;
});

test('the connection is found by host, by profile, by the default, by a bare argument', async () => {
  for (const args of [host(), ['auth', 'token', '--host', `${world.double.origin}/`], ['auth', 'token', `--host=${world.double.origin}`], ['auth', 'token', '--profile', 'practice'], ['auth', 'token', '-p', 'practice'], ['auth', 'token', 'practice'], ['auth', 'token'],
    [...host(), '--output', 'json'], [...host(), '--timeout', '5s'], ['auth', 'token', '--profile', 'practice', '--output', 'json']]) {
    const { code, out, err } = await databricks(args);
    assert.equal(code, 0, `${args.join(' ')}: ${err}`);
    assert.equal(typeof JSON.parse(out).access_token, 'string', args.join(' '));
  }
  const text = await databricks([...host(), '--output', 'text']);
  assert.equal(text.out.trim(), (await world.gateway.token(world.id)).body.access_token);
  const named = await databricks(['databricks-shim', ...host()], {}, { file: binary });
  assert.equal(named.code, 0, named.err);
  assert.equal(JSON.parse(named.out).token_type, 'Bearer');
  assert.equal((await databricks(['auth', 'token'], { DATABRICKS_CONFIG_PROFILE: 'practice' })).code, 0);
});

test('where nobody has signed in, the words are those that make an SDK try its next way', async () => {
  for (const args of [['auth', 'token', '--profile', 'elsewhere'], ['auth', 'token', '--host', 'https://dbc-00000000-0000.cloud.databricks.com'], ['auth', 'token', '--profile', 'unknown']]) {
    const { code, out, err } = await databricks(args);
    assert.notEqual(code, 0);
    assert.equal(out.includes('access_token'), false);
    if (!args.includes('unknown')) assert.match(err, /databricks OAuth is not configured for this host/, args.join(' '));
    assert.ok(err.trim().length > 0);
  }
});

test('twenty forced refreshes at once are one, and all get its token', async (t) => {
  const own = await ProxyWorld.start();
  t.after(() => own.stop());
  const run = () => databricks(['auth', 'token', '--host', own.double.origin, '--force-refresh'], { BRICKGATE_DATA_DIR: own.gateway.data, ...own.gateway.env });
  const first = (await own.gateway.token(own.id)).body;
  await own.sandbox.settings({ refresh_mode: 'revoke' });
  const refreshes = await own.refreshCount();
  const runs = await Promise.all(Array.from({ length: 20 }, run));
  for (const { code, err } of runs) assert.equal(code, 0, err);
  const tokens = new Set(runs.map(({ out }) => JSON.parse(out).access_token));
  // A token that is younger than the grace for forced refreshes may itself be the answer to them.
  assert.ok((await own.refreshCount()) - refreshes <= 1, 'one refresh for all of them, or none');
  if ((await own.refreshCount()) > refreshes) assert.ok(!tokens.has(first.access_token));
  assert.equal(tokens.size, 1);
  const judged = (await own.sandbox.families()).at(-1);
  assert.deepEqual([judged.reuses, judged.alive], [0, true]);
});

test('without a daemon it opens the vault itself', async (t) => {
  const own = await ProxyWorld.start();
  t.after(() => own.double.stop());
  await own.gateway.process.stop();
  const { code, out, err } = await databricks(['auth', 'token', '--host', own.double.origin], { BRICKGATE_DATA_DIR: own.gateway.data, ...own.gateway.env });
  assert.equal(code, 0, err);
  assert.equal((await fetch(`${own.sandbox.origin}/api/2.0/tokens/introspect`, { headers: { authorization: `Bearer ${JSON.parse(out).access_token}` } })).status, 200);
});

test('for anything else it says what it is', async () => {
  for (const args of [['clusters', 'list'], ['auth', 'login', '--host', world.double.origin], ['jobs', 'run-now', '1'], ['bundle', 'deploy'], []]) {
    const { code, out, err } = await databricks(args);
    assert.notEqual(code, 0, args.join(' '));
    assert.match(out + err, /brickgate/i, args.join(' '));
  }
  assert.match((await databricks(['--help'])).out, /brickgate/i);
});
