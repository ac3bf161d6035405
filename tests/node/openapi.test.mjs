// SPDX-License-Identifier: Apache-2.0
// The contract names every route that the server has, and none that it has not.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { root } from '../support/brickgate.mjs';
import { Contract } from '../support/contract.mjs';

const document = parse(readFileSync(join(root, 'assets/openapi.yaml'), 'utf8'));

test('every route is documented, and every documented route exists', () => {
  const server = join(root, 'src/server');
  const code = readdirSync(server).filter((name) => name.endsWith('.cpp')).map((name) => readFileSync(join(server, name), 'utf8')).join('\n');
  const routes = new Set(['GET /callback']);          // its path is configured
  for (const [, method, path] of code.matchAll(/\badd\(\s*"(GET|POST|DELETE)",\s*"([^"]+)"/g)) routes.add(`${method} ${path}`);
  for (const [, path] of code.matchAll(/\b(?:page|add)\(\s*"(\/[^"]*)"/g)) routes.add(`GET ${path}`);
  const documented = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.keys(item).filter((key) => ['get', 'post', 'delete'].includes(key)).map((method) => `${method.toUpperCase()} ${path}`));
  assert.deepEqual(documented.sort(), [...routes].sort());
});

test('every reference inside the document leads somewhere', () => {
  for (const [, path] of JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)) {
    assert.ok(path.split('/').reduce((node, key) => node?.[key], document), path);
  }
});

// Every answer that Gateway.api gets in the other tests is held against the document; these show that it can fail.
test('an answer that the document does not describe is noticed', () => {
  const contract = new Contract();
  const connection = {
    id: 'con_1', status: 'active', reason: null, workspace: 'https://x', principal: { sub: 's', user_name: 'u', display_name: 'd' }, scopes: 'a', expires_at: '2026-01-01T00:00:00Z', generation: 1,
  };
  const error = { error: { code: 'x', message: 'x', hint: 'x', docs: 'x' } };
  const good = [
    ['GET', '/v1/connections/con_1', 200, connection],
    ['GET', '/v1/connections?limit=1', 200, { items: [connection], next_cursor: null }],
    ['GET', '/v1/connections/con_1/token', 503, { error: { ...error.error, retry_after: 1 } }],
    ['GET', '/v1/no-such-route', 404, error],
    ['POST', '/v1/connections/con_1/token/rejected', 409, error],
  ];
  const bad = [
    ['GET', '/v1/connections/con_1', 200, { ...connection, surprise: 1 }],
    ['GET', '/v1/connections/con_1', 200, { ...connection, status: 'fine' }],
    ['GET', '/v1/connections/con_1', 200, { ...connection, expires_at: '2026-01-01 00:00' }],
    ['GET', '/v1/connections/con_1', 200, { ...connection, generation: undefined }],
    ['GET', '/v1/connections', 200, { items: [{ ...connection, id: 7 }], next_cursor: null }],
    ['GET', '/v1/connections', 200, connection],
    ['GET', '/v1/connections/con_1', 404, { error: 'x' }],
    ['GET', '/v1/connections/con_1', 404, { error: { ...error.error, retry_after: '1' } }],
    ['GET', '/v1/no-such-route', 200, {}],
    ['GET', '/healthz', 200, {}],
  ];
  const complaint = ([method, path, status, body]) => contract.complaint(method, path, status, JSON.parse(JSON.stringify(body)));
  for (const answer of good) assert.equal(complaint(answer), undefined);
  for (const answer of bad) assert.ok(complaint(answer), JSON.stringify(answer));
});
