// SPDX-License-Identifier: Apache-2.0
// The contract names every route that the server has, and none that it has not.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { root } from '../support/brickgate.mjs';

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
