// SPDX-License-Identifier: Apache-2.0
// Standing in for Databricks' CLI: what SDKs type and read, as databricks-facts 5.2 and 5.3 have it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { binary, command, Gateway, Jar, root, Sandbox, signIn, temporaryFolder } from '../support/brickgate.mjs';

const mebibyte = 1048576;
let sandbox, gateway, folder, databricks, id, second;
before(async () => {
  sandbox = await Sandbox.start();
  gateway = await Gateway.start({ sandbox });
  await sandbox.control('POST', 'apps', { client_id: 'brickgate-demo', client_secret: 'brickgate-demo-secret', redirect_uris: [`${gateway.url}/callback`] });
  ({ id } = await signIn(gateway, new Jar(), { query: '?subject=a' }));
  folder = temporaryFolder();
  databricks = join(folder, 'databricks');
  const installed = await command(['databricks-shim', '--install', folder]);
  assert.equal(installed.code, 0, installed.err);
});
after(async () => {
  await gateway.stop();
  await sandbox.stop();
});

// One call of the stand-in, with no environment but what is given.
function run(words, env = {}, program = databricks) {
  const child = spawn(program, words, { cwd: folder, env: { PATH: '/usr/bin:/bin', HOME: folder, BRICKGATE_DATA_DIR: gateway.data, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const result = { out: '', err: '' };
  child.stdout.on('data', (piece) => (result.out += piece));
  child.stderr.on('data', (piece) => (result.err += piece));
  return new Promise((resolve, reject) => child.once('error', reject).once('close', (code) => resolve({ ...result, code })));
}
const token = (words = [], env = {}) => run(['auth', 'token', ...words], env);
const cfg = (text) => {
  const file = join(temporaryFolder(), 'databrickscfg');
  writeFileSync(file, text);
  return { DATABRICKS_CONFIG_FILE: file };
};

test('the version probes of the SDKs are answered', async () => {
  for (const words of [['version'], ['--version'], ['-v']]) {
    const { code, out, err } = await run(words);
    assert.equal(code, 0, err);
    assert.match(out, /^Databricks CLI v\d+\.\d+\.\d+\n$/);
  }
  const { code, out } = await run(['version', '--output', 'json']);
  assert.equal(code, 0);
  const { Major, Minor, Patch, Version } = JSON.parse(out);
  assert.ok([Major, Minor, Patch].every(Number.isInteger));
  assert.ok(Major > 0 || Minor >= 296, 'SDKs that ask for --profile and --force-refresh are served');
  assert.equal(Version, `${Major}.${Minor}.${Patch}`);
});

test('every SDK takes it for a CLI: a file of its own, a mebibyte at least', () => {
  assert.ok(lstatSync(databricks).isFile(), 'no link, which Python would follow to a program of another name');
  assert.ok(statSync(databricks).size >= mebibyte);
  assert.ok(statSync(databricks).mode & 0o100);
  const release = join(root, 'build/release/brickgate');
  if (existsSync(release)) assert.ok(statSync(release).size >= mebibyte, 'the program that is shipped');
});

test('a token is printed as the CLI prints it, to the space', async () => {
  const { code, out, err } = await token(['--host', sandbox.origin]);
  assert.equal(code, 0, err);
  assert.equal(err, '');
  assert.match(out, /^\{\n  "access_token": "[^"]+",\n  "token_type": "Bearer",\n  "expiry": "[^"]+"\n\}\n$/);
  assert.equal(JSON.parse(out).access_token, (await gateway.token(id)).body.access_token);
  const plain = await token(['--host', sandbox.origin, '--output', 'text']);
  assert.equal(plain.out, `${JSON.parse(out).access_token}\n`);
  const json = await token(['--host', sandbox.origin, '-o', 'json']);
  assert.equal(json.out, out);
});

// How each SDK reads an expiry, in a process of the zone `tz`; milliseconds since 1970.
const wall = (text, tz) => {  // a naive wall clock of that zone
  const offset = (at) => {
    const parts = Object.fromEntries(new Intl.DateTimeFormat('en-US', { timeZone: tz, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' })
      .formatToParts(at).map(({ type, value }) => [type, value]));
    return Date.parse(`${parts.year}-${parts.month}-${parts.day}T${parts.hour}:${parts.minute}:${parts.second}Z`) - at;
  };
  const naive = Date.parse(`${text}Z`);
  return naive - offset(naive - offset(naive));
};
const readers = {
  Python(text, tz) {
    const bare = text.replace(/Z$/, '').split('.')[0];
    assert.doesNotMatch(bare, /[+-]\d\d:\d\d$/, 'an offset without a fraction before it raises');
    return wall(bare, tz);
  },
  Go(text) {
    assert.match(text, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/);
    return Date.parse(text);
  },
  Java: (text) => Date.parse(text),
  JavaScript: (text) => new Date(text).getTime(),
};

test('every SDK reads the same expiry, in every zone', async () => {
  const { expires_at: truth } = (await gateway.token(id)).body;
  for (const tz of ['UTC', 'Asia/Kolkata', 'America/St_Johns', 'Europe/Vienna', 'Asia/Kathmandu']) {
    const { out } = await token(['--host', sandbox.origin], { TZ: tz });
    const { expiry } = JSON.parse(out);
    for (const [name, read] of Object.entries(readers)) assert.equal(read(expiry, tz), Date.parse(truth), `${name} in ${tz}: ${expiry}`);
  }
});

test('profiles name the workspace', async () => {
  const file = cfg(`[DEFAULT]\nhost = https://elsewhere.cloud.databricks.com\n[practice]\nhost = ${sandbox.origin}\n[__settings__]\ndefault_profile = practice\n`);
  for (const [words, env] of [[['--profile', 'practice'], {}], [['practice'], {}], [[], {}], [[], { DATABRICKS_CONFIG_PROFILE: 'practice' }]]) {
    const got = await token(words, { ...file, ...env });
    assert.equal(got.code, 0, `${words}: ${got.err}`);
  }
  assert.equal((await token([], { DATABRICKS_HOST: sandbox.origin })).code, 0);
  assert.equal((await token()).code, 0, 'nothing says which: the only one');
  const gone = await token(['--profile', 'gone'], file);
  assert.equal(gone.code, 1);
  assert.match(gone.err, /^Error: There is no profile \[gone\]/);
});

test('who has not signed in is told in the words that SDKs look for', async () => {
  const got = await token(['--host', 'https://nobody.cloud.databricks.com']);
  assert.equal(got.code, 1);
  assert.equal(got.out, '');
  assert.match(got.err, /^Error: cache: databricks OAuth is not configured for this host\. /);
  assert.match(got.err, /brickgate login https:\/\/nobody\.cloud\.databricks\.com/);
  const json = await token(['--host', 'https://nobody.cloud.databricks.com', '--output', 'json']);
  assert.equal(json.out, '');
  const { error_code: code, message } = JSON.parse(json.err);
  assert.equal(code, 'UNAUTHENTICATED');
  assert.match(message, /databricks OAuth is not configured for this host/);
});

test('forced refreshes of many programs are one, and none where the token is young', async () => {
  const before = (await sandbox.refreshes()).length;
  const all = await Promise.all(Array.from({ length: 8 }, () => token(['--host', sandbox.origin, '--force-refresh'])));
  for (const { code, err } of all) assert.equal(code, 0, err);
  assert.equal(new Set(all.map(({ out }) => out)).size, 1);
  assert.equal((await sandbox.refreshes()).length, before);
});

test('anything else explains itself', async () => {
  for (const words of [[], ['clusters', 'list'], ['auth', 'login', '--host', sandbox.origin], ['bundle', 'deploy'], ['auth', 'token', '--nonsense']]) {
    for (const got of [await run(words), await run(['databricks-shim', ...words], {}, binary)]) {
      assert.equal(got.code, 64, words.join(' '));
      assert.equal(got.out, '');
      assert.match(got.err, /Brickgate's stand-in for the Databricks CLI/);
      assert.match(got.err, /brickgate login HOST/);
    }
  }
  const help = await run(['--help']);
  assert.equal(help.code, 0);
  assert.match(help.out, /stand-in/);
});

test('as a command of brickgate it is the same', async () => {
  const { code, out, err } = await run(['databricks-shim', 'auth', 'token', '--host', sandbox.origin], {}, binary);
  assert.equal(code, 0, err);
  assert.equal(out, (await token(['--host', sandbox.origin])).out);
});

test('of several connections one must be chosen, and its token goes to no other host', async () => {
  ({ id: second } = await signIn(gateway, new Jar(), { query: '?subject=b', email: 'grace@example.com' }));
  const several = await token(['--host', sandbox.origin]);
  assert.equal(several.code, 1);
  for (const word of ['several connections', id, second, 'BRICKGATE_CONNECTION', 'brickgate_connection']) assert.ok(several.err.includes(word), several.err);
  assert.ok(!/databricks OAuth is not|not found/.test(several.err), 'no SDK may pass over this in silence');
  const own = async (connection) => (await gateway.token(connection)).body.access_token;
  const byVariable = await token(['--host', sandbox.origin], { BRICKGATE_CONNECTION: second });
  assert.equal(JSON.parse(byVariable.out).access_token, await own(second));
  const file = cfg(`[ada]\nhost = ${sandbox.origin}\nbrickgate_connection = ${id}\n[grace]\nhost = ${sandbox.origin}\nbrickgate_connection = ${second}\n`);
  for (const [profile, connection] of [['ada', id], ['grace', second]]) {
    assert.equal(JSON.parse((await token(['--profile', profile], file)).out).access_token, await own(connection));
  }
  const elsewhere = await token(['--host', 'https://other.cloud.databricks.com'], { BRICKGATE_CONNECTION: id });
  assert.equal(elsewhere.code, 1);
  assert.equal(elsewhere.out, '');
  assert.match(elsewhere.err, /A token goes to no host but its own/);
});

test('a grant that has ended is told in the CLI\'s words', async () => {
  await sandbox.control('POST', 'revoke', {});
  await gateway.api('POST', `/v1/connections/${second}/refresh`);
  const got = await token([], { BRICKGATE_CONNECTION: second });
  assert.equal(got.code, 1);
  assert.match(got.err, /^Error: A new access token could not be retrieved because the refresh token is invalid\./);
  assert.match(got.err, /brickgate login/);
  const { error_code: code } = JSON.parse((await token(['-o', 'json'], { BRICKGATE_CONNECTION: second })).err);
  assert.equal(code, 'UNAUTHENTICATED');
});

test('without a daemon it opens the vault itself, one after the other', async (t) => {
  const { id: fourth } = await signIn(gateway, new Jar(), { query: '?subject=d', email: 'ada@example.com' });
  await gateway.process.stop();
  t.after(() => gateway.restart());
  const env = { ...gateway.env, BRICKGATE_CONNECTION: fourth };
  const all = await Promise.all(Array.from({ length: 3 }, () => token([], env)));
  for (const { code, err, out } of all) {
    assert.equal(code, 0, err);
    assert.equal(out, all[0].out);
  }
});

test('a wrong configuration is said, and not on standard output', async () => {
  const got = await token([], { BRICKGATE_SERVER_LISTEN: 'nowhere' });
  assert.equal(got.code, 1);
  assert.equal(got.out, '');
  assert.match(got.err, /Brickgate's configuration is wrong/);
});

test('an installation replaces its own kind, and a real CLI only where it is told to', async () => {
  const install = (...more) => command(['databricks-shim', '--install', ...more]);
  const again = await install(folder);
  assert.equal(again.code, 0, 'over an older one of ours');
  assert.match(again.out, /a hard link to|a copy of/);
  const other = temporaryFolder();
  const real = join(other, 'databricks');
  writeFileSync(real, '#!/bin/sh\necho real\n');
  chmodSync(real, 0o755);
  const refused = await install(other);
  assert.equal(refused.code, 1);
  assert.match(refused.err, /--force/);
  assert.equal(readFileSync(real, 'utf8'), '#!/bin/sh\necho real\n');
  assert.equal((await install(other, '--force')).code, 0);
  assert.match((await run(['version'], {}, real)).out, /^Databricks CLI v/);
  const taken = temporaryFolder();
  mkdirSync(join(taken, 'databricks'));
  assert.equal((await install(taken, '--force')).code, 1);
  assert.equal((await install(join(taken, 'nowhere'))).code, 1);
  assert.equal((await command(['databricks-shim', '--force'])).code, 64);
});
