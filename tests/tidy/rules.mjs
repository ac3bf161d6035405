// SPDX-License-Identifier: Apache-2.0
// The house rules. Each is {name, check(files) -> complaints, trips, passes}: `trips` are small trees that must make it
// complain, so that a rule which can no longer fail is itself a failure; `passes` are near misses it must let through.
import { posix } from 'node:path';
import { arrows, foreign, pure } from './arrows.mjs';
import { documentRules } from './documents.mjs';
import { banned, exposers, longFiles, longFunctions } from './limits.mjs';
import { codeOnly, functions, includes, isCpp, isSource, layerOf, lineOf, matches } from './tree.mjs';

const cpp = (path, text) => [{ path, text }];
const at = (file, line, what) => `${file.path}:${line}: ${what}`;

const arrowRule = {
  name: 'arrows go one way',
  check: (files) => files.filter(isSource).flatMap((file) => {
    const layer = layerOf(file.path);
    // <vault/x.h> finds the same file as "vault/x.h".
    const layers = new Set([...Object.keys(arrows), ...files.map((one) => layerOf(one.path)).filter(Boolean)]);
    const ours = (include) => include.own || (include.path.includes('/') && layers.has(include.path.split('/')[0]));
    return includes(file).filter(ours).flatMap((include) => {
      const target = include.path.split('/')[0];
      const allowed = arrows[layer] ?? [];
      if (allowed.includes(target) || allowed.includes(include.path)) return [];
      return [at(file, include.line, `${layer} -> ${include.path}: this arrow is not in docs/architecture.md; ${layer} may include ${allowed.join(', ') || 'nothing'}`)];
    });
  }),
  trips: [
    cpp('src/base/a.cpp', '#include "net/task.h"\n'),
    cpp('src/net/a.cpp', '#include <vault/store.h>\n'),
    cpp('src/sandbox/a.cpp', '#  include  <brickgate/config.h>\n'),
    cpp('src/vault/a.cpp', '#include "oauth/jose.h"\n'),
    cpp('src/sandbox/a.h', '#include "vault/vault.h"\n'),
    cpp('src/connect/a.h', '  #  include "tokens/refresher.h"\n'),
    cpp('src/app/a.h', '#include "cli/command.h"\n'),
    cpp('src/nowhere/a.h', '#include "base/error.h"\n'),
  ],
  passes: [cpp('src/vault/a.cpp', '#include "oauth/types.h"\n#include <databricks/workspace.h>\n'), cpp('src/net/a.cpp', '#include <net/if.h>\n#include <sys/stat.h>\n#include <curl/curl.h>\n'), cpp('src/cli/a.cpp', '#include "sandbox/sandbox.h"\n')],
};

const foreignRule = {
  name: 'foreign libraries stay where they belong',
  check: (files) => files.filter(isSource).flatMap((file) => includes(file).filter((include) => !include.own).flatMap((include) => {
    const rule = foreign.find((candidate) => candidate.header.test(include.path));
    return rule && !rule.allowed.test(file.path) ? [at(file, include.line, `<${include.path}>: ${rule.why}`)] : [];
  })),
  trips: [
    cpp('src/tokens/a.cpp', '#include <sqlite3.h>\n'),
    cpp('src/vault/vault.cpp', '#include <sqlite3.h>\n'),
    cpp('src/server/a.cpp', '#include <curl/curl.h>\n'),
    cpp('src/oauth/a.h', '#include <boost/asio/awaitable.hpp>\n'),
    cpp('src/vault/a.h', '#include <boost/beast/http.hpp>\n'),
    cpp('src/cli/token.cpp', '#include <toml++/toml.h>\n'),
  ],
  passes: [cpp('src/vault/sqlite.cpp', '#include <sqlite3.h>\n'), cpp('src/net/curl_transfer.h', '#include <curl/curl.h>\n')],
};

const pureRule = {
  name: 'pure code has no coroutine, no clock, no log',
  check: (files) => files.filter(isSource).filter((file) => pure.test(file.path)).flatMap((file) => [
    ...[...matches(file, /\bco_(await|return|yield)\b|[.>]now\(\)|[.>]steady\(\)/g)].map(({ line, text }) => at(file, line, `${text}: pure code is told the time and waits for nothing`)),
    ...includes(file).filter((include) => !file.path.startsWith('src/base/') && include.path === 'base/log.h').map((include) => at(file, include.line, 'pure code returns what it knows; its caller logs')),
  ]),
  trips: [
    cpp('src/oauth/a.cpp', 'Task<void> f() { co_return; }\n'),
    cpp('src/databricks/a.cpp', 'auto const t = clock.now();\n'),
    cpp('src/tokens/refresh_machine.cpp', 'x = co_await y;\n'),
    cpp('src/oauth/a.cpp', '#include "base/log.h"\n'),
  ],
  passes: [cpp('src/tokens/refresh_drive.cpp', 'co_return;\n'), cpp('src/oauth/a.cpp', '// clock.now() is the caller\'s\n')],
};

const lengthOf = (file) => file.text.split('\n').length - (file.text.endsWith('\n') ? 1 : 0);
const fileLimit = (path) => (/^(src|include|tools|cmake)\//.test(path) || path === 'run' ? 400 : 600);
const lengthRule = {
  name: 'a file has one idea: 400 lines, 600 in tests',
  check: (files) => files.filter((file) => isCpp(file) || /\.(mjs|cmake|py)$|^(run|tools\/.*)$/.test(file.path)).flatMap((file) => {
    const limit = fileLimit(file.path);
    const allowed = longFiles[file.path];
    const length = lengthOf(file);
    if (length <= limit) return allowed ? [at(file, 1, 'is short enough now: take it off the list of long files')] : [];
    if (length <= (allowed ?? 0)) return [];
    return [at(file, 1, `${length} lines; ${allowed ? `it is listed with ${allowed} and may only shrink` : `split it: ${limit} is the limit`}`)];
  }),
  trips: [
    cpp('src/net/a.cpp', 'x\n'.repeat(401)),
    cpp('tests/unit/net/a_test.cpp', 'x\n'.repeat(601)),
    ...Object.entries(longFiles).flatMap(([path, lines]) => [cpp(path, 'x\n'.repeat(lines + 1)), cpp(path, 'x\n')]),
  ],
  passes: [cpp('src/net/a.cpp', 'x\n'.repeat(400)), cpp('tests/unit/net/a_test.cpp', 'x\n'.repeat(401))],
};

const functionLimit = 70;
const functionRule = {
  name: 'a function fits on a screen: 70 lines',
  check: (files) => files.filter(isSource).flatMap((file) => {
    const long = functions(file).filter((found) => found.lines > functionLimit);
    const complaints = long.flatMap((found) => {
      const allowed = longFunctions[`${file.path} ${found.name}`];
      return found.lines <= (allowed ?? 0) ? [] : [at(file, found.line, `${found.name} has ${found.lines} lines; ${allowed ? `listed with ${allowed}, may only shrink` : `${functionLimit} is the limit`}`)];
    });
    const stale = Object.keys(longFunctions).filter((key) => key.startsWith(`${file.path} `) && !long.some((found) => key === `${file.path} ${found.name}`));
    return [...complaints, ...stale.map((key) => `${key}: short enough now; take it off the list of long functions`)];
  }),
  trips: [
    cpp('src/net/a.cpp', `namespace x {\nint f(int a) {\n${'    g();\n'.repeat(69)}}\n}  // namespace x\n`),
    cpp('src/net/a.h', `struct S {\n    S() : a{1}, b(2) {}\n    int f() const {\n${'        g("}");\n'.repeat(69)}    }\n};\n`),
    cpp('src/net/a.cpp', `Task<void> A::f(std::map<int, int> m,\n    int b) {\n${'    if (x) {\n        y({1});\n    }\n'.repeat(23)}}\n`),
  ],
  passes: [
    cpp('src/net/a.cpp', `int f() {\n${'    g();\n'.repeat(68)}}\n`),
    cpp('src/net/a.h', `struct S {\n${'    int f() { return 1; }\n'.repeat(100)}};\n`),
    cpp('src/net/a.cpp', `constexpr std::array<int, 99> table{{\n${'    1,\n'.repeat(99)}}};\nint f() {\n    return 1;\n}\n`),
  ],
};

const bannedRule = {
  name: 'banned calls have replacements',
  check: (files) => files.filter(isSource).flatMap((file) => banned.filter((ban) => !ban.allowed.test(file.path)).flatMap((ban) => [...matches(file, ban.pattern)]
    .filter((match) => !ban.unless?.test(match.before.split('\n').slice(-2).join('\n')))
    .map((match) => at(file, match.line, `${match.text.trim()}: ${ban.instead}`)))),
  trips: banned.map((ban) => cpp('src/server/a.cpp', ban.trips)),
  passes: banned.map((ban) => cpp('src/server/a.cpp', ban.passes)),
};

const exposeRule = {
  name: 'secrets are read in the listed files only',
  check: (files) => files.filter(isSource).flatMap((file) => {
    const seen = [...matches(file, /[.>]expose\s*\(/g)];
    if (seen.length > 0 && !exposers.includes(file.path)) return seen.map(({ line }) => at(file, line, 'reads a Secret here: pass the Secret on, or add the file to the list with a reason in the commit'));
    return seen.length === 0 && exposers.includes(file.path) ? [at(file, 1, 'reads no Secret any more: take it off the list')] : [];
  }),
  trips: [cpp('src/server/pages.cpp', 'token.expose([](auto text) { return text; });\n'), cpp(exposers[0], 'int x;\n')],
  passes: [cpp('src/server/pages.cpp', '// never token.expose(...)\n')],
};

const asciiRule = {
  name: 'sources are ASCII',
  check: (files) => files.filter((file) => isCpp(file) || /\.cmake$|CMakeLists\.txt$/.test(file.path)).flatMap((file) => {
    const found = /[^\x00-\x7f]/u.exec(file.text);
    return found ? [at(file, lineOf(file.text, found.index), `'${found[0]}' is not ASCII: write \\u in strings, plain words in comments`)] : [];
  }),
  trips: [cpp('src/net/a.cpp', '// caf\u00e9\n'), cpp('tests/unit/net/a_test.cpp', '"\u2026"')],
  passes: [cpp('src/net/a.cpp', '"\\u2026"'), cpp('docs/a.md', '\u2026')],
};

const headRule = {
  name: 'files begin as they should',
  check: (files) => files.filter((file) => isCpp(file) || /\.(mjs|cmake|py|sh)$|CMakeLists\.txt$|^(run|tools\/[^.]+|\.ci\/.*|\.clang-tidy)$/.test(file.path)).flatMap((file) => {
    const lines = file.text.split('\n');
    const first = lines[0].startsWith('#!') ? lines[1] : lines[0];
    const complaints = /^(\/\/|#) SPDX-License-Identifier: Apache-2\.0$/.test(first) ? [] : [at(file, 1, 'the first line is the SPDX line')];
    if (file.path.endsWith('.h') && lines[1] !== '#pragma once' && file.path !== 'cmake/pch.h') complaints.push(at(file, 2, 'a header\'s second line is #pragma once'));
    return complaints;
  }),
  trips: [cpp('src/net/a.cpp', '#include <map>\n'), cpp('src/net/a.h', '// SPDX-License-Identifier: Apache-2.0\n#ifndef A\n'), cpp('tools/x', '#!/bin/sh\nset -eu\n')],
  passes: [cpp('tools/x', '#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n')],
};

// T23: a browser repeats a POST, with what it carries, at the address that a 307 or 308 names.
const redirectRule = {
  name: 'the gateway redirects with 302 and 303 only',
  check: (files) => files.filter(isSource).filter((file) => file.path.startsWith('src/server/')).flatMap((file) => [...matches(file, /\b30[78]\b/g)]
    .map(({ line, text }) => at(file, line, `${text} repeats a request with its body elsewhere: answer 303 (T23)`))),
  trips: [cpp('src/server/a.cpp', 'response.status = 307;\n'), cpp('src/server/a.h', 'return redirect(308, x);\n')],
  passes: [cpp('src/server/a.cpp', 'return redirect(303, x); // never 307\nint n = 3070;\n'), cpp('src/sandbox/a.cpp', 'response.status = 307;\n')],
};

// A name with a reason, from both sides.
const difference = (from, to, complaint) => from.filter((name) => !to.includes(name)).map(complaint);
const textOf = (files, path) => files.find((file) => file.path === path)?.text ?? '';
const headings = (text, level) => [...text.matchAll(new RegExp(`^#{${level}} \`?([^\`\\n]+?)\`?$`, 'gm'))].map((match) => match[1]);

const errorRule = {
  name: 'every error code is documented, and nothing else is',
  check: (files) => {
    const table = /enum class ErrorCode[^{]*\{([^}]*)\}/.exec(codeOnly(textOf(files, 'src/base/error.h')))?.[1] ?? '';
    const codes = table.split(',').map((name) => name.trim()).filter(Boolean);
    const documented = headings(textOf(files, 'docs/errors.md'), 3);
    return [
      ...(codes.length === 0 ? ['src/base/error.h: no ErrorCode found'] : []),
      ...difference(codes, documented, (code) => `docs/errors.md: lacks "### ${code}"`),
      ...difference(documented, codes, (code) => `docs/errors.md: "### ${code}" is no code of src/base/error.h`),
    ];
  },
  trips: [
    [{ path: 'src/base/error.h', text: 'enum class ErrorCode : int {\n  // a\n  one,\n  two,\n};' }, { path: 'docs/errors.md', text: '### one\n' }],
    [{ path: 'src/base/error.h', text: 'enum class ErrorCode { one };' }, { path: 'docs/errors.md', text: '### one\n\n### two\n' }],
    [{ path: 'docs/errors.md', text: '### one\n' }],
  ],
  passes: [[{ path: 'src/base/error.h', text: 'enum class ErrorCode { one, two };' }, { path: 'docs/errors.md', text: '# Errors\n### one\n### two\n' }]],
};

const settingRule = {
  name: 'every setting is documented, and nothing else is',
  check: (files) => {
    const table = textOf(files, 'src/app/settings_table.cpp').replace(/\/\/[^\n]*/g, '');
    const settings = [...table.matchAll(/<&C::\w+, &C::\w+::\w+>\(\s*"(\w+)",\s*"(\w+)"/g)].map((match) => `${match[1]}.${match[2]}`);
    const text = textOf(files, 'docs/configuration.md');
    const documented = [...text.matchAll(/^\|\s*`([a-z]+\.[a-z_]+)`/gm)].map((match) => match[1]);
    return [
      ...(settings.length === 0 ? ['src/app/settings_table.cpp: no settings found'] : []),
      ...(text === '' ? ['docs/configuration.md: is missing'] : []),
      ...difference(settings, documented, (name) => `docs/configuration.md: lacks a row that begins "| \`${name}\`"`),
      ...difference(documented, settings, (name) => `docs/configuration.md: ${name} is no setting`),
    ];
  },
  trips: [
    [{ path: 'src/app/settings_table.cpp', text: 'text<&C::tls, &C::Tls::ca_file>("tls", "ca_file", "", "x")' }, { path: 'docs/configuration.md', text: '| `tls.proxy` |\n' }],
    [{ path: 'src/app/settings_table.cpp', text: 'text<&C::tls, &C::Tls::ca_file>(\n  "tls", "ca_file", "", "x")' }],
  ],
  passes: [[{ path: 'src/app/settings_table.cpp', text: 'list<&C::tls, &C::Tls::ca_file>(\n  "tls",\n "ca_file", "")' }, { path: 'docs/configuration.md', text: '| `tls.ca_file` | x |\n' }]],
};

const anchor = (heading) => heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').trim().replace(/\s/g, '-');
const linkRule = {
  name: 'links in documents lead somewhere',
  check: (files) => files.filter((file) => file.path.endsWith('.md')).flatMap((file) => {
    const text = file.text.replace(/^```[\s\S]*?^```/gm, (part) => part.replace(/[^\n]/g, ' ')).replace(/`[^`\n]*`/g, (part) => ' '.repeat(part.length));
    return [...text.matchAll(/\]\(([^)\s]+)\)|\b(?:src|href|srcset)="([^"]+)"/g)].flatMap((match) => {
      const target = match[1] ?? match[2];
      if (/^[a-z]+:/.test(target)) return [];
      const [name, fragment] = target.split('#');
      const path = name === '' ? file.path : posix.normalize(posix.join(posix.dirname(file.path), name)).replace(/\/$/, '');
      const found = files.find((candidate) => candidate.path === path);
      const complaint = at(file, lineOf(text, match.index), `${target} leads nowhere`);
      if (!found) return files.some((candidate) => candidate.path.startsWith(`${path}/`)) ? [] : [complaint];
      if (fragment === undefined || !path.endsWith('.md')) return [];
      return [...found.text.matchAll(/^#{1,6} (.+)$/gm)].some((heading) => anchor(heading[1]) === fragment) || found.text.includes(`id="${fragment}"`) ? [] : [complaint];
    });
  }),
  trips: [
    cpp('docs/a.md', '[b](b.md)'),
    [{ path: 'docs/a.md', text: '[b](b.md#two)' }, { path: 'docs/b.md', text: '# One\n' }],
    cpp('README.md', '<img src="assets/no.svg">'),
    cpp('docs/a.md', '[up](../../b.md)'),
  ],
  passes: [
    [{ path: 'docs/a.md', text: '[b](b.md#two-words-here) [c](https://example.com/x) [d](../src) `[e](no.md)`' }, { path: 'docs/b.md', text: '## Two words, here\n' }, { path: 'src/x.cpp', text: '' }],
  ],
};

const placeRule = {
  name: 'nothing names somebody\'s machine or a package registry',
  check: (files) => files.filter((file) => !file.path.startsWith('tests/tidy/')).flatMap((file) => [...file.text.matchAll(/(?<![\w.$}/~-])\/(?:work|root|home\/\w+|Users\/\w+)\/|\b(?:registry\.npmjs|registry\.yarnpkg|npmmirror|artifactory|pypi\.org|files\.pythonhosted|deb\.debian\.org|snapshot\.debian|proxy\.golang|index\.crates)\b|"resolved":/g)]
    .map((match) => at(file, lineOf(file.text, match.index), `"${match[0]}": no paths of one machine, no registry's address`))),
  trips: [
    cpp('tools/x', 'cd /work/main\n'), cpp('docs/a.md', 'see /home/ada/x'), cpp('tests/package-lock.json', '"resolved": "x"'),
    cpp('README.md', 'from https://registry.npmjs.org/'), cpp('src/a.cpp', '"/root/.ssh"'),
  ],
  passes: [cpp('README.md', 'https://example.com/work/x, ./work/a, $HOME/root/x, /root.key')],
};

// The threats and crash points this release promises a test for: a test bears the number in its name.
const number = (n) => `T${String(n).padStart(2, '0')}`;
const threats = [1, 2, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15, 16, 17, 18, 20, 22, 23, 24, 25, 28, 29, 30, 31, 32, 33, 34, 35, 36,
  37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 49, 50, 51, 52, 53, 54, 55, 56, 57].map(number);
const crashPoints = ['K0', 'K1', 'K2', 'K3', 'K5', 'K6', 'K7', 'K8', 'K9', 'K10', 'K11', 'K13'];
const threatRule = {
  name: 'every promised threat and crash point has a test that bears its number',
  check: (files) => {
    // The names of tests, and crash points as strings: a test may go through a list of them.
    const tests = files.filter((file) => /^tests\/(unit|node|browser|support)\/.*\.(cpp|h|mjs)$/.test(file.path)).map((file) => file.text).join('\n');
    const names = tests.match(/\bTEST\w*\([^)]*\)|\btest\(\s*(['"`]).*?\1|(['"`])K\d+(:kill.*?)?\2|^ *K\d+: \{/gm)?.join('\n') ?? '';
    return [...threats, ...crashPoints].filter((name) => !new RegExp(`(?<![A-Za-z0-9])${name}(?![0-9])`).test(names)).map((name) => `tests: none bears ${name}`);
  },
  trips: [
    cpp('tests/unit/net/a_test.cpp', [...threats, ...crashPoints].slice(1).map((name) => `TEST(A, ${name}_x)`).join('\n')),
    cpp('tests/unit/net/a_test.cpp', `// ${[...threats, ...crashPoints].join(' ')}`),
  ],
  passes: [
    cpp('tests/unit/net/a_test.cpp', [...threats, ...crashPoints].map((name) => `TEST_F(A, ${name}_x) {}`).join('\n')),
    cpp('tests/node/a.test.mjs', `test('${threats.join(' ')}: x', () => {});\nfor (const point of [${crashPoints.map((name) => `'${name}:kill'`)}]) {}`),
  ],
};

export const rules = [
  arrowRule, foreignRule, pureRule, lengthRule, functionRule, bannedRule, exposeRule, redirectRule, asciiRule, headRule,
  errorRule, settingRule, linkRule, placeRule, threatRule, ...documentRules,
];
