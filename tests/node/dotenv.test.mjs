// SPDX-License-Identifier: Apache-2.0
// The table of .env files says what npm's dotenv makes of each; the unit test holds our reader against the same table.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'dotenv';
import { command, root, temporaryFolder } from '../support/brickgate.mjs';

test('the table is what the dotenv package reads', () => {
  const { rows } = JSON.parse(readFileSync(join(root, 'tests/vectors/dotenv.json'), 'utf8'));
  assert.ok(rows.length >= 180);
  for (const { what, text, values } of rows) assert.deepEqual({ ...parse(text) }, values, what);
});

test('the program reads its .env in the folder it is called from', async () => {
  const cwd = temporaryFolder();
  const text = 'export BRICKGATE_APP_NAME: "Acme #1" # ours\nCLIENT_ID=abc#old\nOTHER=1\n';
  writeFileSync(join(cwd, '.env'), text, { mode: 0o600 });
  const run = await command(['config', '--json'], { cwd });
  assert.equal(run.code, 0, run.err);
  const setting = (name) => JSON.parse(run.out)[name];
  assert.deepEqual([setting('app.name').value, setting('app.name').source], ['Acme #1', '.env BRICKGATE_APP_NAME']);
  assert.equal(setting('databricks.client_id').value, parse(text).CLIENT_ID);
});
