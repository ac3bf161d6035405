// SPDX-License-Identifier: Apache-2.0
// The script `run`, in a folder of its own with a program, tools and packages that only say how they were called.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { root, temporaryFolder } from '../support/brickgate.mjs';

const home = temporaryFolder();
const usual = join(home, '.brickgate/demo');
const write = (path, text, mode = 0o755) => {
  mkdirSync(join(home, path, '..'), { recursive: true });
  writeFileSync(join(home, path), text);
  chmodSync(join(home, path), mode);
};
const tellsHowItWasCalled = '#!/bin/sh\necho "data=${BRICKGATE_DATA_DIR-none} as=$__brickgate_called_as in=$PWD words=$*"\n';

before(() => {
  copyFileSync(join(root, 'run'), join(home, 'run'));
  write('tools/install-dependencies', '#!/bin/sh\n');
  write('tools/tasks/proof-of-test', '#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n# proves nothing\necho "proved $*"\n');
  write('build/release/build.ninja', '');
  write('build/release/brickgate', tellsHowItWasCalled);
  write('bin/ninja', '#!/bin/sh\necho "ninja: no work to do."\n');
});
after(() => rmSync(home, { recursive: true, force: true }));

// Without what the machine's own settings may say.
const run = (args, { cwd = home, script = './run', env = {}, path = [] } = {}) => new Promise((resolve) => {
  const child = spawn('sh', ['-c', 'exec "$0" "$@"', script, ...args],
    { cwd, env: { PATH: [...path, join(home, 'bin'), process.env.PATH].join(':'), HOME: home, ...env } });
  let out = '';
  let err = '';
  child.stdout.on('data', (bytes) => (out += bytes));
  child.stderr.on('data', (bytes) => (err += bytes));
  child.once('close', (code) => resolve({ code, out, err, data: /data=(\S+)/.exec(out)?.[1] }));
});

// A gateway, as far as its data folder shows one.
async function listening(folder, then) {
  mkdirSync(folder, { recursive: true });
  const server = createServer();
  await new Promise((resolve) => server.listen(join(folder, 'brickgate.sock'), resolve));
  try { await then(); } finally { await new Promise((resolve) => server.close(resolve)); }
}

const asked = ['token', 'connections', 'api-keys', 'capabilities', 'databricks-shim', 'service-principals'];
const alone = ['serve', 'sandbox', 'demo', 'doctor', 'config', 'version', '--help'];

test('what is said to a running gateway goes to the running demo; a daemon of its own never does', async () => {
  await listening(usual, async () => {
    for (const word of asked) assert.equal((await run(['brickgate', word])).data, usual, word);
    for (const word of alone) assert.equal((await run(['brickgate', word])).data, 'none', word);
    assert.equal((await run(['brickgate', 'token'], { env: { BRICKGATE_DATA_DIR: '/mine' } })).data, '/mine');
    assert.match((await run(['brickgate', 'token', '--data', 'x y'])).out, /data=none .*words=token --data x y/);
  });
  assert.equal((await run(['brickgate', 'token'])).data, 'none', 'nobody listens any more');
});

test('who has settings of their own keeps their data while a demo runs, and nobody is redirected without a word', async () => {
  const work = temporaryFolder();
  const from = (args, env = {}) => run(['brickgate', ...args], { cwd: work, script: join(home, 'run'), env });
  await listening(usual, async () => {
    const told = await from(['token']);
    assert.equal(told.data, usual);
    assert.equal(told.err, `(with the running demo's data: ${usual})\n`);
    for (const args of [['token', '--config', 'x.toml'], ['connections', 'list', '--data=mine'], ['token', '--help']]) {
      const alone = await from(args);
      assert.deepEqual([alone.data, alone.err], ['none', ''], args.join(' '));
    }
    assert.equal((await from(['token'], { BRICKGATE_SERVER_LISTEN: '127.0.0.1:1' })).data, 'none');
    for (const file of ['.env', 'brickgate.toml']) {
      writeFileSync(join(work, file), '');
      for (const word of asked) assert.equal((await from([word])).data, 'none', `${word} beside ${file}`);
      rmSync(join(work, file));
    }
  });
  rmSync(work, { recursive: true });
});

test('a sign-in at a real workspace is never kept in the demo\'s throw-away folder', async () => {
  await listening(usual, async () => {
    writeFileSync(join(usual, 'sandbox.port'), '3001\n');
    for (const host of ['dbc-a1b2c3d4-e5f6.cloud.databricks.com', 'http://127.0.0.1:30011', 'https://x.example/127.0.0.1:3001']) {
      const real = await run(['brickgate', 'login', host]);
      assert.deepEqual([real.data, real.err], ['none', ''], host);
    }
    for (const host of ['http://127.0.0.1:3001', '127.0.0.1:3001', 'http://localhost:3001/']) {
      assert.equal((await run(['brickgate', 'login', '--no-browser', host])).data, usual, host);
    }
    rmSync(join(usual, 'sandbox.port'));
    assert.equal((await run(['brickgate', 'login', 'http://127.0.0.1:3001'])).data, 'none');
  });
});

test('a socket that a kill left behind is no running demo', async () => {
  mkdirSync(usual, { recursive: true });
  const child = spawn(process.execPath, ['-e', `require("net").createServer().listen(${JSON.stringify(join(usual, 'brickgate.sock'))}, () => console.log("up"))`]);
  await new Promise((resolve) => child.stdout.once('data', resolve));
  assert.equal((await run(['brickgate', 'token'])).data, usual);
  child.kill('SIGKILL');
  await new Promise((resolve) => child.once('close', resolve));
  assert.ok(existsSync(join(usual, 'brickgate.sock')));
  assert.equal((await run(['brickgate', 'token'])).data, 'none');
  rmSync(join(usual, 'brickgate.sock'));
});

test('a demo with another folder is found too: by flag, by environment, from elsewhere', async () => {
  const elsewhere = temporaryFolder();
  const cases = [
    [['--data', join(elsewhere, 'a')], {}, join(elsewhere, 'a')],
    [[`--data=${join(elsewhere, 'b')}`, '--listen', '127.0.0.1:1'], {}, join(elsewhere, 'b')],
    [[], { env: { BRICKGATE_DATA_DIR: join(elsewhere, 'c') } }, join(elsewhere, 'c')],
    [['--data', 'd'], { cwd: elsewhere, script: join(home, 'run') }, join(elsewhere, 'd')],
    [[], {}, usual],
  ];
  for (const [args, options, folder] of cases) {
    const demo = await run(['demo', ...args], options);
    assert.equal(demo.code, 0, demo.err);
    assert.ok(demo.out.includes(`words=demo${args.map((word) => ` ${word}`).join('')}`), demo.out);
    assert.equal(readFileSync(join(home, '.brickgate/running'), 'utf8').trim(), folder);
    await listening(folder, async () => assert.equal((await run(['brickgate', 'token'])).data, folder));
  }
  // The last one told of has stopped, the usual one runs.
  await run(['demo', '--data', join(elsewhere, 'gone')]);
  await listening(usual, async () => assert.equal((await run(['brickgate', 'token'])).data, usual));
  rmSync(elsewhere, { recursive: true });
});

test('the program is told how it was called, and is called where the caller stands', async () => {
  assert.match((await run(['brickgate', 'token'])).out, new RegExp(`as=\\./run in=${home} `));
  const from = temporaryFolder();
  symlinkSync(home, join(from, 'there'));
  const far = await run(['brickgate', 'token'], { cwd: from, script: './there/run' });
  assert.match(far.out, new RegExp(`as=\\./there/run in=${from} `));
  const demo = await run(['demo'], { cwd: from, script: './there/run' });
  assert.match(demo.out, new RegExp(`as=\\./there/run in=${from} words=demo`));
  rmSync(from, { recursive: true });
});

test('an unknown task is named, with where the known ones are', async () => {
  for (const word of ['nonsense', 'Demo', '../run', 'a/b']) {
    const refused = await run([word]);
    assert.equal(refused.code, 64, word);
    assert.match(refused.err, new RegExp(`there is no task '${word.replace(/[./]/g, '\\$&')}'. ./run help lists them`));
  }
  assert.equal((await run(['proof-of-test', 'a', 'b'])).out, 'proved a b\n');
  const help = await run(['help']);
  assert.equal(help.code, 0);
  for (const line of ['./run demo ', './run test ', './run brickgate ', './run proof-of-test     proves nothing']) assert.ok(help.out.includes(line), line);
  assert.equal((await run([])).out, help.out);
});

test('a set-up that fails shows its first error and where the rest is', async () => {
  rmSync(join(home, 'build/release/build.ninja'));
  write('bin/cmake', '#!/bin/sh\necho "-- looking"\necho "CMake Error at cmake/compiler.cmake:5 (message):"\necho "  GCC 12.2.0 miscompiles coroutines"\nexit 1\n');
  const failed = await run(['build']);
  assert.equal(failed.code, 69);
  assert.match(failed.err, /CMake Error.*\n {2}GCC 12\.2\.0 miscompiles coroutines\n/);
  assert.match(failed.err, /could not be set up; all of it is in build\/release-configure\.log/);
  assert.doesNotMatch(failed.err, /looking/);
  rmSync(join(home, 'bin/cmake'));
  write('build/release/build.ninja', '');
});

test('a compiler that is too old is refused in a sentence that names the remedy', async () => {
  const configure = (id, version) => new Promise((resolve) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'CMakeLists.txt'), `cmake_minimum_required(VERSION 3.25)\nproject(x NONE)\nset(CMAKE_CXX_COMPILER_ID ${id})\nset(CMAKE_CXX_COMPILER_VERSION ${version})\ninclude(${join(root, 'cmake/compiler.cmake')})\n`);
    const child = spawn('cmake', ['-S', folder, '-B', join(folder, 'out')]);
    let err = '';
    child.stderr.on('data', (bytes) => (err += bytes));
    child.once('close', (code) => { rmSync(folder, { recursive: true }); resolve({ code, err: err.replace(/\s+/g, ' ') }); });
  });
  for (const [id, version, words] of [['GNU', '12.2.0', 'GCC 12.2.0 miscompiles coroutines'], ['GNU', '13.3.0', 'GCC 13.3.0'], ['Clang', '18.1.8', 'Clang 18.1.8 is too old']]) {
    const refused = await configure(id, version);
    assert.notEqual(refused.code, 0, `${id} ${version}`);
    assert.ok(refused.err.includes(words), refused.err);
    assert.match(refused.err, /install clang-19 \(on Debian 12: \.\/run deps\) and configure with -DCMAKE_CXX_COMPILER=clang\+\+-19/);
  }
  for (const [id, version] of [['Clang', '19.1.7'], ['GNU', '14.2.0']]) {
    const taken = await configure(id, version);
    assert.equal(taken.code, 0, `${id} ${version}: ${taken.err}`);
  }
});

test('on another distribution it says what to do, and installs nothing', async () => {
  const fedora = temporaryFolder();
  copyFileSync(join(root, 'run'), join(fedora, 'run'));
  mkdirSync(join(fedora, 'tools'));
  // The file that tells Debian is named in the script: there is none here.
  const script = readFileSync(join(root, 'tools/install-dependencies'), 'utf8');
  assert.ok(script.includes('/etc/debian_version'));
  writeFileSync(join(fedora, 'tools/install-dependencies'), script.replaceAll('/etc/debian_version', join(fedora, 'none')), { mode: 0o755 });
  mkdirSync(join(fedora, 'bin'));
  writeFileSync(join(fedora, 'bin/apt-get'), `#!/bin/sh\ntouch ${fedora}/installed\n`, { mode: 0o755 });
  const refused = await run(['demo'], { cwd: fedora, path: [join(fedora, 'bin')] });
  assert.equal(refused.code, 69);
  assert.match(refused.err, /neither Debian nor Ubuntu/);
  assert.match(refused.err, /Clang 19 and lld, CMake 3\.25, Ninja/);
  assert.match(refused.err, /build\/release\/brickgate demo/);
  assert.ok(!existsSync(join(fedora, 'installed')));
  rmSync(fedora, { recursive: true });
});

test('what takes long shows that it goes on, keeps its words for a failure, and gives its exit code', async () => {
  const folder = temporaryFolder();
  const log = join(folder, 'log');
  const dots = (...command) => new Promise((resolve) => {
    const child = spawn(join(root, 'tools/with-dots'), [log, ...command], { env: { ...process.env, DOT_EVERY: '1' } });
    let out = '';
    let err = '';
    child.stdout.on('data', (bytes) => (out += bytes));
    child.stderr.on('data', (bytes) => (err += bytes));
    child.once('close', (code) => resolve({ code, out, err }));
  });
  const slow = await dots('sh', '-c', 'echo words; echo more >&2; sleep 3.5; exit 7');
  assert.equal(slow.code, 7);
  assert.equal(slow.out, '');
  assert.match(slow.err, /^\.{2,4}\n$/);
  assert.equal(readFileSync(log, 'utf8'), 'words\nmore\n');
  const quick = await dots('true');
  assert.deepEqual([quick.code, quick.err], [0, '']);
  // Every tool that waits for somebody else's program does it this way.
  for (const tool of ['install-dependencies', 'node', 'npm-install', 'run-tests']) {
    const lines = readFileSync(join(root, 'tools', tool), 'utf8').replace(/^\s*#.*/gm, '').split('\n');
    const waits = lines.filter((line) => /\b(apt-get -o|npm ci|ctest --test-dir)\b/.test(line));
    assert.ok(waits.length > 0 && waits.every((line) => /dots/.test(line)), `${tool}: ${waits}`);
  }
  rmSync(folder, { recursive: true });
});
