// SPDX-License-Identifier: Apache-2.0
// The house rules as tests: each on the tree, and each on small trees that must trip it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { rules } from './rules.mjs';
import { isCpp, readTree, root } from './tree.mjs';

const tree = readTree();

for (const rule of rules) {
  test(rule.name, () => {
    const complaints = rule.check(tree);
    assert.equal(complaints.length, 0, `\n${complaints.join('\n')}`);
  });
  test(`${rule.name}: can fail`, () => {
    for (const files of rule.trips) assert.notEqual(rule.check(files).length, 0, `should trip:\n${files[0].path}\n${files[0].text.slice(0, 400)}`);
    for (const files of rule.passes) assert.deepEqual(rule.check(files), [], `should pass:\n${files[0].path}\n${files[0].text.slice(0, 400)}`);
  });
}

const format = (args, input) => {
  const run = spawnSync('clang-format-19', args, { cwd: root, input, encoding: 'utf8' });
  if (run.error) throw run.error;
  return run;
};

test('C++ is formatted', () => {
  const run = format(['--dry-run', '-Werror', ...tree.filter(isCpp).map((file) => file.path)]);
  const files = new Set([...run.stderr.matchAll(/^([^\s:]+):\d+:\d+: error/gm)].map((match) => match[1]));
  assert.equal(run.status, 0, `./run format would change:\n${[...files].join('\n')}`);
});
test('C++ is formatted: can fail', () => {
  assert.equal(format(['--dry-run', '-Werror', '--assume-filename=a.cpp'], 'int  main( ){}\n').status, 1);
  assert.equal(format(['--dry-run', '-Werror', '--assume-filename=a.cpp'], 'int main() {}\n').status, 0);
});
