// SPDX-License-Identifier: Apache-2.0
// Looks into a data folder that nobody uses: its key ring and every record in the database, opened by the second reader.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { commitment, dataKeyPlace, derive, hex, open, ringMac, rootId, rowPlace } from './vault_reader.mjs';

const rootsIn = (folder) => readFileSync(join(folder, 'root.key'), 'utf8').trim().split('\n').map((line) => new Uint8Array(Buffer.from(line.slice(4), 'base64')));

// The data keys that are not destroyed, by id. The ring's seal must fit, and one root must open all of them.
function keysOf(database, roots) {
  const rows = database.prepare('SELECT id, purpose, state, root_id, wrapped, commitment, created_at FROM data_key ORDER BY id').all();
  const root = roots.find((one) => rootId(one) === rows[0].root_id);
  assert.ok(root, 'the root key of the ring is in the file');
  const meta = (name) => database.prepare('SELECT value FROM meta WHERE name = ?').get(name).value;
  const sealed = rows.map((row) => ({ ...row, wrapped: hex(row.wrapped), commitment: hex(row.commitment), created_at_ms: row.created_at }));
  assert.equal(hex(ringMac(root, meta('ring_version'), sealed)), meta('ring_mac'), 'the seal of the ring');
  const keys = new Map();
  for (const row of rows.filter((one) => one.state !== 'destroyed')) {
    const { plain } = open(row.wrapped, derive(root, 'bgwrap__'), dataKeyPlace({ ...row, created_at_ms: row.created_at }));
    assert.equal(hex(commitment(plain, row.id)), hex(row.commitment));
    keys.set(row.id, new Uint8Array(plain));
  }
  return { keys, rows };
}

function* recordsOf(database) {
  const rows = database.prepare('SELECT * FROM connection').all();
  for (const row of rows) {
    const facts = [row.token_endpoint, row.workspace_id, row.subject, row.sub, row.user_name];
    const at = (column, generation, more = []) => rowPlace({
      table: 'connection', column, tenant: row.tenant, row: row.id, registration: row.registration, issuer: row.issuer, api_host: row.workspace, generation, facts: [...facts, ...more],
    });
    if (row.sealed_access.length) yield [row.sealed_access, at('cur_access', row.generation, [String(row.access_expires_at)])];
    if (row.sealed_refresh.length) yield [row.sealed_refresh, at('cur_refresh', row.generation)];
    if (row.sealed_alt_refresh.length) yield [row.sealed_alt_refresh, at('alt_refresh', row.family)];
  }
  for (const row of database.prepare('SELECT state_hash, registration, issuer, workspace, sealed FROM login').all()) {
    yield [row.sealed, rowPlace({ table: 'login', column: 'secrets', tenant: 'default', row: `log_${hex(row.state_hash.subarray(0, 16))}`, registration: row.registration, issuer: row.issuer, api_host: row.workspace, generation: 0 })];
  }
}

export function auditVault(folder) {
  const database = new DatabaseSync(join(folder, 'brickgate.db'));
  try {
    const { keys, rows } = keysOf(database, rootsIn(folder));
    const report = { records: 0, unreadable: 0, byKey: {}, keys: rows.map(({ id, purpose, state }) => ({ id, purpose, state })) };
    for (const [record, place] of recordsOf(database)) {
      const id = Buffer.from(record).readUInt32BE(2);
      report.records += 1;
      report.byKey[id] = (report.byKey[id] ?? 0) + 1;
      try {
        open(record, keys.get(id), place);
      } catch {
        report.unreadable += 1;
      }
    }
    const former = new Set(rows.filter((row) => row.state === 'decrypt_only').map((row) => row.id));
    report.underFormer = Object.entries(report.byKey).reduce((sum, [id, count]) => sum + (former.has(Number(id)) ? count : 0), 0);
    return report;
  } finally {
    database.close();
  }
}
