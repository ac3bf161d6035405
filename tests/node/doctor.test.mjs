// SPDX-License-Identifier: Apache-2.0
// What doctor finds, one mistake after the other: the verdict, the sentence, the remedy, the exit code.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { command, freePort, temporaryFolder } from '../support/brickgate.mjs';

// A workspace whose clock differs from ours by so many seconds.
async function workspace(skew = 0) {
  const server = createServer((request, response) => {
    const origin = `http://127.0.0.1:${server.address().port}`;
    const documents = {
      '/oidc/.well-known/oauth-authorization-server': {
        issuer: `${origin}/oidc`, authorization_endpoint: `${origin}/oidc/v1/authorize`, token_endpoint: `${origin}/oidc/v1/token`,
        jwks_uri: `${origin}/oidc/jwks.json`, response_types_supported: ['code'], code_challenge_methods_supported: ['S256'],
      },
      '/oidc/jwks.json': { keys: [] },
    };
    const document = documents[request.url];
    response.writeHead(document ? 200 : 404, { 'content-type': 'application/json', date: new Date(Date.now() + skew * 1000).toUTCString() });
    response.end(JSON.stringify(document ?? {}));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { origin: `http://127.0.0.1:${server.address().port}`, stop: () => server.close() };
}

let right, dead, port;
before(async () => {
  right = await workspace();
  dead = `http://127.0.0.1:${await freePort()}`;
  port = await freePort();
});
after(() => right.stop());

// Runs doctor on a folder of its own, which `prepare` may spoil first.
async function doctor({ env = {}, prepare = () => {}, args = [] } = {}) {
  const cwd = temporaryFolder();
  const data = join(cwd, 'data');
  mkdirSync(data, { mode: 0o700 });
  prepare(data);
  const all = { CLIENT_ID: 'app', CLIENT_SECRET: 'dose1', DATABRICKS_HOST: right.origin, BRICKGATE_SERVER_LISTEN: `127.0.0.1:${port}`, BRICKGATE_DATA_DIR: data, ...env };
  const run = await command(['doctor', ...args], { cwd, env: Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null)) });
  rmSync(cwd, { recursive: true });
  return run;
}
const findings = async (options) => {
  const run = await doctor({ ...options, args: ['--json'] });
  const report = JSON.parse(run.out);
  assert.equal(run.code, report.ok ? 0 : 1, run.out);
  return report.findings;
};
const rootKey = (mode) => (data) => { writeFileSync(join(data, 'root.key'), 'rk1:x'); chmodSync(join(data, 'root.key'), mode); };

const rows = [
  ['a root key that others may read', { prepare: rootKey(0o644) }, 'root_key', 'fail', /can be read by others/, /^chmod 400 .*root\.key$/],
  ['a root key that only its group may read', { prepare: rootKey(0o440) }, 'root_key', 'fail', /can be read by others/, /chmod 400/],
  ['a private root key', { prepare: rootKey(0o400) }, 'root_key', 'ok', /is private/, /^$/],
  ['a database without its root key', { prepare: (data) => writeFileSync(join(data, 'brickgate.db'), '') }, 'root_key', 'fail', /is gone/, /from its copy/],
  ['a root key as a value', { env: { BRICKGATE_DATA_ROOT_KEY: 'rk1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=' } }, 'root_key', 'warn', /as a value/, /mode 0400/],
  ['a root key from a command', { env: { BRICKGATE_DATA_ROOT_KEY_COMMAND: 'op read op://vault/key' } }, 'root_key', 'ok', /the command op, which was not run/, /^$/],
  ['a root key that is a credential', { env: { BRICKGATE_DATA_ROOT_KEY_CREDENTIAL: 'root' } }, 'root_key', 'ok', /systemd credential root/, /^$/],
  ['a passphrase on the terminal', { env: { BRICKGATE_DATA_ROOT_KEY_PASSPHRASE_FILE: 'tty' } }, 'root_key', 'ok', /asked on the terminal/, /^$/],
  ['a passphrase that is not there', { env: { BRICKGATE_DATA_ROOT_KEY_PASSPHRASE_FILE: '/nowhere/words' } }, 'root_key', 'fail', /is not there/, /mode 0400/],
  ['a passphrase that others may read', { env: { BRICKGATE_DATA_ROOT_KEY_PASSPHRASE_FILE: '/etc/passwd' } }, 'root_key', 'fail', /read by others/, /^chmod 400/],
  ['a data folder that others may enter', { prepare: (data) => chmodSync(data, 0o755) }, 'data_folder', 'fail', /open to others/, /^chmod 700 /],
  ['a file where the data folder should be', { prepare: (data) => { rmSync(data, { recursive: true }); writeFileSync(data, ''); } }, 'data_folder', 'fail', /not a folder/, /--data/],
  ['no data folder yet', { prepare: (data) => rmSync(data, { recursive: true }) }, 'data_folder', 'ok', /will be made/, /^$/],
  ['no client', { env: { CLIENT_ID: null, CLIENT_SECRET: null } }, 'client', 'warn', /browsers cannot sign in/, /brickgate login HOST/],
  ['a public client', { env: { CLIENT_SECRET: null } }, 'client', 'ok', /Public client app/, /^$/],
  ['no workspace', { env: { DATABRICKS_HOST: null } }, 'discovery', 'warn', /people are asked/, /only one/],
];
for (const [what, options, check, verdict, said, remedy] of rows) {
  test(`doctor: ${what}`, async () => {
    const found = (await findings(options)).filter((finding) => finding.check === check);
    assert.equal(found.length, 1, JSON.stringify(found));
    assert.equal(found[0].verdict, verdict);
    assert.match(found[0].what, said);
    assert.match(found[0].remedy, remedy);
  });
}

test('doctor: a port that somebody else has', async (t) => {
  const other = createServer();
  t.after(() => other.close());
  await new Promise((resolve) => other.listen(port, '127.0.0.1', resolve));
  const taken = (await findings()).find(({ check }) => check === 'port');
  await new Promise((resolve) => other.close(resolve));
  assert.equal(taken.verdict, 'fail');
  assert.match(taken.remedy, /--listen.*REDIRECT_URI.*account console/);
  assert.equal((await findings()).find(({ check }) => check === 'port').verdict, 'ok');
});

test('doctor: a clock that differs from the workspace\'s', async (t) => {
  for (const [skew, verdict, said] of [[-120, 'fail', /1[12]\d s ahead of/], [120, 'fail', /1[12]\d s behind/], [0, 'ok', /agrees/], [3, 'ok', /agrees/]]) {
    const skewed = await workspace(skew);
    t.after(skewed.stop);
    const clock = (await findings({ env: { DATABRICKS_HOST: skewed.origin } })).find(({ check }) => check === 'clock');
    assert.equal(clock.verdict, verdict, `${skew}: ${clock.what}`);
    assert.match(clock.what, said);
    if (verdict === 'fail') assert.match(clock.remedy, /NTP/);
  }
});

test('doctor: discovery that does not answer, wherever the host is listed', async (t) => {
  const discoveries = async (env) => (await findings({ env })).filter(({ check }) => check === 'discovery');
  const alone = await discoveries({ DATABRICKS_HOST: dead });
  assert.deepEqual(alone.map(({ verdict }) => verdict), ['fail']);
  assert.ok(alone[0].what.includes(dead) && alone[0].remedy !== '', JSON.stringify(alone));
  const second = await workspace();
  t.after(second.stop);
  const listed = await discoveries({ BRICKGATE_DATABRICKS_HOSTS: `${dead},${second.origin},.corp.example` });
  assert.deepEqual(listed.map(({ verdict }) => verdict), ['ok', 'fail', 'ok'], JSON.stringify(listed));
  assert.ok(listed[1].what.includes(dead));
  assert.ok(listed[2].what.includes(second.origin));
  const without = await discoveries({ DATABRICKS_HOST: null, BRICKGATE_DATABRICKS_HOSTS: dead });
  assert.deepEqual(without.map(({ verdict }) => verdict), ['warn', 'fail']);
});

test('doctor: a configuration that is wrong ends with 78, each line a finding', async () => {
  const run = await doctor({ env: { DATABRICKS_HOST: 'https://<your-databricks-instance>', BRICKGATE_LOG_LEVEL: 'loud' }, args: ['--json'] });
  assert.equal(run.code, 78);
  const { ok, findings: list } = JSON.parse(run.out);
  assert.equal(ok, false);
  assert.deepEqual(list.map(({ check, verdict }) => `${check} ${verdict}`), ['configuration fail', 'configuration fail']);
});

test('doctor for people: one line each, FAIL to be seen, commands as they can be typed', async () => {
  const run = await doctor({ env: { CLIENT_ID: null, CLIENT_SECRET: null, DATABRICKS_HOST: dead, __brickgate_called_as: './run' } });
  assert.equal(run.code, 1);
  assert.match(run.out, /^ {2}ok {4}The configuration is valid\.$/m);
  assert.match(run.out, /^ {2}FAIL {2}Discovery at/m);
  assert.match(run.out, /^ {2}WARN {2}CLIENT_ID is not set/m);
  assert.match(run.out, /^ {8}Register an app.*or use \.\/run brickgate login HOST/m);
});
