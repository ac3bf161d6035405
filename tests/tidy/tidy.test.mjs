// SPDX-License-Identifier: Apache-2.0
// The house rules as tests: each on the tree, and each on small trees that must trip it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { exposers, longFiles, longFunctions } from './limits.mjs';
import { rules } from './rules.mjs';
import { isCpp, readTree, root } from './tree.mjs';

const tree = readTree();

// The complaints are the message; where this file stands in the stack helps nobody.
function report(complaints) {
  if (complaints.length === 0) return;
  const error = new Error(`\n${complaints.join('\n')}`);
  error.stack = error.message;
  throw error;
}

for (const rule of rules) {
  test(rule.name, () => report(rule.check(tree)));
  test(`${rule.name}: can fail`, () => {
    for (const files of rule.trips) assert.notEqual(rule.check(files).length, 0, `should trip:\n${files[0].path}\n${files[0].text.slice(0, 400)}`);
    for (const files of rule.passes) assert.deepEqual(rule.check(files), [], `should pass:\n${files[0].path}\n${files[0].text.slice(0, 400)}`);
  });
}

test('the lists of exceptions name files that exist', () => {
  const listed = [...exposers, ...Object.keys(longFiles), ...Object.keys(longFunctions).map((key) => key.split(' ')[0])];
  report(listed.filter((path) => !tree.some((file) => file.path === path)).map((path) => `tests/tidy/limits.mjs: ${path} is gone`));
});

const format = (args, input) => {
  const run = spawnSync('clang-format-19', args, { cwd: root, input, encoding: 'utf8' });
  if (run.error) throw run.error;
  return run;
};

test('C++ is formatted', () => {
  const run = format(['--dry-run', '-Werror', ...tree.filter((file) => isCpp(file) && /^(src|include|tests)\//.test(file.path)).map((file) => file.path)]);
  const files = new Set([...run.stderr.matchAll(/^([^\s:]+):\d+:\d+: error/gm)].map((match) => match[1]));
  report([...files].map((file) => `${file}: ./run format would change it`));
  assert.equal(run.status, 0, run.stderr);
});
test('C++ is formatted: can fail', () => {
  assert.equal(format(['--dry-run', '-Werror', '--assume-filename=a.cpp'], 'int  main( ){}\n').status, 1);
  assert.equal(format(['--dry-run', '-Werror', '--assume-filename=a.cpp'], 'int main() {}\n').status, 0);
});
