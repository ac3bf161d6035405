// SPDX-License-Identifier: Apache-2.0
// Documents that name what the code has: the tables and lists of both are compared. The same form as in rules.mjs.
const textOf = (files, path) => files.find((file) => file.path === path)?.text ?? '';
const difference = (from, to, complaint) => from.filter((name) => !to.includes(name)).map(complaint);
const between = (text, from, to) => new RegExp(`${from}([\\s\\S]*?)${to}`).exec(text)?.[1] ?? '';
const spans = (text) => [...text.matchAll(/`([^`\n]+)`/g)].map((match) => match[1]);
const strings = (text, pattern) => [...text.matchAll(pattern)].map((match) => match[1]);

// The part of a document below a heading, and the cells of its tables' rows (heads and rules left out).
const section = (text, heading) => between(`${text}\n## `, `\n## ${heading}\n`, '\n## ');
const rows = (text) => text.split(/\n(?!\|)/).flatMap((block) => block.split('\n').filter((line) => line.startsWith('|')).slice(2))
  .map((line) => line.slice(1, -1).split('|').map((cell) => cell.trim()));

const page = 'docs/sandbox.md';
const sandboxRule = {
  name: 'what the sandbox can be told is documented, and nothing else is',
  check: (files) => {
    const text = textOf(files, page);
    const complaints = [];
    const same = (what, code, documented) => complaints.push(
      ...(code.length === 0 ? [`${page}: no ${what} found in the code`] : []),
      ...difference(code, documented, (name) => `${page}: lacks the ${what} \`${name}\``),
      ...difference(documented, code, (name) => `${page}: \`${name}\` is no ${what}`));

    const settings = textOf(files, 'src/sandbox/settings.cpp');
    const defaults = new Map([...textOf(files, 'src/sandbox/settings.h').matchAll(/^\s*(?:std::string|Seconds|bool) (\w+)(?: = |\{)"?([^";}]+)/gm)]
      .map(([, name, value]) => [name, /^[\d *]+$/.test(value) ? String(value.split('*').reduce((product, factor) => product * Number(factor), 1)) : value]));
    const values = new Map([...between(settings, 'text_settings\\(\\) \\{', 'return table').matchAll(/\{"(\w+)",\s*&Settings::\w+,\s*\{([^}]*)\}/g)]
      .map(([, name, list]) => [name, strings(list, /"(\w+)"/g)]));
    const settingRows = rows(section(text, 'Settings'));
    same('setting', [...defaults.keys()], settingRows.map(([name]) => spans(name)[0]));
    for (const [name, shown, told] of settingRows) {
      const setting = spans(name)[0];
      if (spans(shown)[0] !== defaults.get(setting)) complaints.push(`${page}: the default of \`${setting}\` is ${defaults.get(setting)}`);
      complaints.push(...difference(values.get(setting) ?? [], spans(told), (value) => `${page}: \`${setting}\` lacks its value \`${value}\``));
    }

    const faults = textOf(files, 'src/sandbox/faults.cpp');
    const kinds = [...between(faults, 'Kind, \\d+> kinds', ';\n').matchAll(/\{"(\w+)",\s*"(\w*)"\}/g)].map(([, name, at]) => `${name} at ${at || 'all'}`);
    const faultRows = rows(section(text, 'Faults'));
    const isKind = (row) => row.length === 3 && (row[1] === 'all' || spans(row[0]).some((name) => kinds.includes(`${name} at ${spans(row[1])[0]}`)));
    same('kind of fault', kinds, faultRows.filter(isKind).flatMap(([names, at]) => spans(names).map((name) => `${name} at ${spans(at)[0] ?? at}`)));
    same('field of a fault', strings(between(faults, 'Faults::add', '\n}\n'), /_at\(description, "(\w+)"/g), faultRows.filter((row) => !isKind(row)).map(([name]) => spans(name)[0]));

    const control = textOf(files, 'src/sandbox/control.cpp');
    same('control', strings(control, /\{"([A-Z]+", "\/_sandbox\/[\w-]+)",/g).map((entry) => entry.replace('", "', ' ')),
      rows(section(text, 'Controls')).map(([request]) => spans(request)[0]));
    same('option', strings(textOf(files, 'src/cli/arguments.cpp'), /option\(sandbox, "(--[\w-]+)"/g), rows(text.split('\n## ')[0]).map(([name]) => spans(name)[0]));
    for (const [heading, path, start] of [['The log', 'src/sandbox/judge.cpp', 'json::object out'], ['Families', 'src/sandbox/grants.cpp', 'out.push_back\\(']]) {
      const fields = strings(between(textOf(files, path), start, '\\}\\}'), /\{"(\w+)",/g);
      complaints.push(...(fields.length === 0 ? [`${path}: no fields found`] : []),
        ...difference(fields, spans(section(text, heading)), (name) => `${page}: "${heading}" lacks \`${name}\``));
    }
    return complaints;
  },
  trips: [],
  passes: [],
};

// A small sandbox with its page; each change to the page must be noticed.
const sandboxCode = [
  { path: 'src/sandbox/settings.cpp', text: 'text_settings() {\n {"scope", &Settings::scope, {"asked", "extra"}}};\n return table;' },
  { path: 'src/sandbox/settings.h', text: '    std::string scope = "asked";  // x\n    Seconds grace{2 * 30};\n    bool legacy = false;\n' },
  { path: 'src/sandbox/faults.cpp', text: 'std::array<Kind, 2> kinds{{{"latency", ""},\n {"mute", "token"}}};\nFaults::add(x) {\n text_at(description, "kind", "");\n}\n' },
  { path: 'src/sandbox/control.cpp', text: '{"GET", "/_sandbox/log",\n [](){}}' },
  { path: 'src/cli/arguments.cpp', text: 'option(sandbox, "--listen", x)' },
  { path: 'src/sandbox/judge.cpp', text: 'json::object out{{"seq", line.seq}};' },
  { path: 'src/sandbox/grants.cpp', text: 'out.push_back(\n {{"alive", x}});' },
];
const head = '| a | b | c |\n|---|---|---|\n';
const sandboxPage = `# S\n\n${head}| \`--listen\` | x | y |\n\n## Controls\n\n${head}| \`GET /_sandbox/log\` | x |\n\n## Settings\n\n${head}| \`scope\` | \`asked\` | \`asked\`, \`extra\` |\n` +
  `| \`grace\` | \`60\` | s |\n| \`legacy\` | \`false\` | \`true\` |\n\n## Faults\n\n${head}| \`kind\` | | below |\n\n${head}| \`latency\` | all | x |\n| \`mute\` | \`token\` | x |\n\n## The log\n\n\`seq\`\n\n## Families\n\n\`alive\`\n`;
const withPage = (change) => [...sandboxCode, { path: page, text: change(sandboxPage) }];
sandboxRule.passes.push(withPage((text) => text));
sandboxRule.trips.push(
  ...[...sandboxPage.matchAll(/^\| `[^\n]*\n/gm)].map(([row]) => withPage((text) => text.replace(row, ''))),
  ...['`extra`', '`seq`', '`alive`'].map((word) => withPage((text) => text.replace(word, ''))),
  ...[['`60`', '`61`'], ['`mute` | `token`', '`mute` | all'], ['`kind`', '`kin`'], ['| `scope`', '| `no` | `x` | |\n| `scope`']].map(([from, to]) => withPage((text) => text.replace(from, to))),
  [{ path: page, text: sandboxPage }],
);

const remedyRule = {
  name: 'every error says in the document what its answer says, and names its own remedy',
  check: (files) => {
    const table = textOf(files, 'src/base/error.cpp');
    const hints = new Map([...table.matchAll(/\{\w+, "(\w+)", \d+, Retry::\w+,\s*((?:"(?:[^"\\]|\\.)*"\s*)+)\}/g)]
      .map(([, code, parts]) => [code, strings(parts, /"((?:[^"\\]|\\.)*)"/g).join('')]));
    const plain = (text) => text.replace(/`/g, '').replace(/…/g, '...').replace(/\s+/g, ' ').trim();
    const documented = new Map([...textOf(files, 'docs/errors.md').matchAll(/^### (\w+)\n([\s\S]*?)(?=^#|(?![\s\S]))/gm)]
      .map(([, code, text]) => [code, plain(between(`${text}\n\n`, '\\*\\*What to do\\.\\*\\* ', '\n\n'))]));
    return [
      ...(hints.size === 0 ? ['src/base/error.cpp: no hints found'] : []),
      ...[...hints].filter(([code, hint]) => documented.has(code) && documented.get(code) !== plain(hint))
        .map(([code, hint]) => `docs/errors.md: ${code} says "${documented.get(code)}", its answers say "${plain(hint)}"`),
      ...[...documented].filter(([, text]) => /^$|as above|see above/i.test(text)).map(([code]) => `docs/errors.md: ${code} does not say what to do: people come by the anchor`),
    ];
  },
  trips: [
    [{ path: 'src/base/error.cpp', text: '{one, "one", 400, Retry::never, "Do this; "\n  "then that."},' }, { path: 'docs/errors.md', text: '### one\n\nIt.\n\n**What to do.** Do this.\n' }],
    [{ path: 'src/base/error.cpp', text: '{one, "one", 400, Retry::never, "As above."},' }, { path: 'docs/errors.md', text: '### one\n\nIt.\n\n**What to do.** As above.\n' }],
    [{ path: 'src/base/error.cpp', text: '{one, "one", 400, Retry::never, "x"},' }, { path: 'docs/errors.md', text: '### two\n\nIt.\n' }],
    [{ path: 'docs/errors.md', text: '### two\n\nIt.\n\n**What to do.** x\n' }],
  ],
  passes: [
    [{ path: 'src/base/error.cpp', text: '{one, "one", 400, Retry::never,\n "Use GET /v1; "\n  "then that."},' }, { path: 'docs/errors.md', text: '### one\n\nIt.\n\n**What to do.** Use `GET /v1`;\nthen that.\n\n## Two\n' }],
  ],
};

const exitRule = {
  name: 'every exit code is documented, and nothing else is',
  check: (files) => {
    const codes = strings(between(textOf(files, 'src/cli/command.h'), 'enum Exit[^{]*\\{', '\\}'), /= (\d+)/g);
    const documented = strings(section(textOf(files, 'docs/operations.md'), 'Signals and exit codes'), /^\| (\d+) \|/gm);
    return [
      ...(codes.length === 0 ? ['src/cli/command.h: no exit codes found'] : []),
      ...difference(codes, documented, (code) => `docs/operations.md: lacks the exit code ${code}`),
      ...difference(documented, codes, (code) => `docs/operations.md: ${code} is no exit code`),
    ];
  },
  trips: [
    [{ path: 'src/cli/command.h', text: 'enum Exit : int { ok = 0, failed = 1 };' }, { path: 'docs/operations.md', text: '\n## Signals and exit codes\n\n| 0 | done |\n' }],
    [{ path: 'src/cli/command.h', text: 'enum Exit : int { ok = 0 };' }, { path: 'docs/operations.md', text: '\n## Signals and exit codes\n\n| 0 | done |\n| 2 | x |\n' }],
    [{ path: 'docs/operations.md', text: '\n## Signals and exit codes\n\n| 0 | done |\n' }],
  ],
  passes: [[{ path: 'src/cli/command.h', text: 'enum Exit : int { ok = 0, failed = 1 };' }, { path: 'docs/operations.md', text: '# O\n\n## Signals and exit codes\n\n| 0 | done |\n| 1 | no |\n\n## Next\n\n| 7 | x |\n' }]],
};

// One compiler's own flags break the build of the other.
const flagRule = {
  name: 'a flag of Clang alone is given to Clang alone',
  check: (files) => files.filter((file) => /\.cmake$|CMakeLists\.txt$|CMakePresets\.json$/.test(file.path)).flatMap((file) => file.text.split('\n').flatMap((line, index) => (
    /-Xclang|-mllvm|-fno-pch-timestamp|-Weverything/.test(line.replace(/#.*/, '')) && !line.includes('$<CXX_COMPILER_ID:Clang>')
      ? [`${file.path}:${index + 1}: put it into "$<$<CXX_COMPILER_ID:Clang>:...>": GCC 14 builds this too`] : []))),
  trips: [[{ path: 'cmake/x.cmake', text: 'target_compile_options(a PUBLIC -Xclang -fno-pch-timestamp)\n' }]],
  passes: [[{ path: 'cmake/x.cmake', text: 'target_compile_options(a PUBLIC "$<$<CXX_COMPILER_ID:Clang>:SHELL:-Xclang -a>")\n# not -Xclang\n' }]],
};

export const documentRules = [sandboxRule, remedyRule, exitRule, flagRule];
