// SPDX-License-Identifier: Apache-2.0
// T68 through the program: each bad configuration ends `serve` with 78 and one clear line, before anything is made. The
// unit test holds the loader against the same table.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { command, root, temporaryFolder } from '../support/brickgate.mjs';

const { rows } = JSON.parse(readFileSync(join(root, 'tests/vectors/bad_configurations.json'), 'utf8'));
const option = { 'server.listen': '--listen', 'server.private_listen': '--private-listen' };

// Where a row says nothing else it would start: nothing but the mistake is in the way.
const serve = async ({ flags = {}, environment = {}, file, dotenv }) => {
  const cwd = temporaryFolder();
  if (file) writeFileSync(join(cwd, 'brickgate.toml'), file, { mode: 0o600 });
  if (dotenv) writeFileSync(join(cwd, '.env'), dotenv, { mode: 0o600 });
  const args = Object.entries(flags).flatMap(([name, value]) => [option[name], value]);
  const run = await command(['serve', '--data', join(cwd, 'data'), ...args], { cwd, env: environment });
  const made = readdirSync(cwd).filter((name) => !['brickgate.toml', '.env'].includes(name));
  rmSync(cwd, { recursive: true });
  return { ...run, made };
};

test('T68 each bad configuration: exit code 78, one clear line, nothing made', async () => {
  assert.ok(rows.length >= 60);
  for (const row of rows) {
    const run = await serve(row);
    assert.equal(run.code, 78, `${row.what}: ${run.err}`);
    assert.match(run.err, /^brickgate: [^\n]+\n$/, row.what);
    for (const words of row.said) assert.ok(run.err.includes(words), `${row.what}: ${run.err}`);
    assert.doesNotMatch(run.err + run.out, /dose-canary-77|AAECAwQFBgcI/, row.what);
    assert.equal(run.out, '', row.what);
    assert.deepEqual(run.made, [], row.what);
  }
});

test('T68 what .env says wrong is told with its source, all mistakes at once', async () => {
  const run = await serve({ flags: { 'server.listen': '3000' }, environment: { BRICKGATE_LOG_LEVEL: 'loud' }, dotenv: 'CLIENT_SECRET: dose-canary-77\nBRICKGATE_APP_NAM=x\n' });
  assert.equal(run.code, 78);
  const lines = run.err.trim().split('\n');
  for (const words of ['server.listen (flag)', 'log.level (environment BRICKGATE_LOG_LEVEL)', 'databricks.client_secret (.env CLIENT_SECRET)', '.env: there is no setting BRICKGATE_APP_NAM']) {
    assert.equal(lines.filter((line) => line.includes(words)).length, 1, run.err);
  }
  assert.doesNotMatch(run.err, /dose-canary-77/);
});

test('a configuration file that is named must be there', async () => {
  const cwd = temporaryFolder();
  mkdirSync(join(cwd, 'folder.toml'));
  for (const name of ['none.toml', 'folder.toml']) {
    const run = await command(['serve', '--config', name, '--data', join(cwd, 'data')], { cwd });
    assert.equal(run.code, 78, run.err);
    assert.match(run.err, new RegExp(`^brickgate: .*${name} cannot be read`));
    assert.ok(!existsSync(join(cwd, 'data')));
  }
  rmSync(cwd, { recursive: true });
});
