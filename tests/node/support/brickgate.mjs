// SPDX-License-Identifier: Apache-2.0
// Runs the built program for a test: serve, sandbox or demo with a data folder of its own and free ports, and one
// command at a time. A program that is stopped must end with 0 and without a word from a sanitizer; whatever a test
// forgets is killed, by its pid, when the test file ends.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Sandbox } from './sandbox.mjs';

export const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
export const binary = process.env.BRICKGATE_BINARY ?? join(root, 'build/asan/brickgate');

const readyWithin = 30_000;  // a start under sanitizers on a busy machine
const stopWithin = 30_000;

const alive = new Set();
const folders = new Set();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

// Mode 0700, gone when the test file ends.
export function tempFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'brickgate-'));
  folders.add(folder);
  return folder;
}

// Free at the moment of asking; a redirect URI must name its port before the program listens there.
export async function freePort() {
  const server = createServer();
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Asks again until the answer is truthy; what never comes true fails with `what`.
export async function until(what, ask, within = 15_000) {
  const deadline = Date.now() + within;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > deadline) assert.fail(`did not happen within ${within} ms: ${what}`);
    await sleep(20);
  }
}

// Nothing of the machine's own settings reaches the program: HOME is the test's folder.
function environment(home, extra) {
  const own = { PATH: process.env.PATH, HOME: home, XDG_STATE_HOME: join(home, 'state'), LANG: 'C.UTF-8' };
  for (const name of ['ASAN_OPTIONS', 'UBSAN_OPTIONS', 'TSAN_OPTIONS', 'ASAN_SYMBOLIZER_PATH']) {
    if (process.env[name]) own[name] = process.env[name];
  }
  return Object.fromEntries(Object.entries({ ...own, ...extra }).filter(([, value]) => value !== undefined));
}

const sanitizerWords = /ERROR: (Address|Leak|Thread)Sanitizer|WARNING: ThreadSanitizer|: runtime error: /;

export class Program {
  #child;
  #ended;
  #arguments;
  #options;
  stdout = '';
  stderr = '';

  // options: home (working folder and HOME), env, failpoint ('K5:kill' or 'K5:kill@2')
  constructor(args, options = {}) {
    this.#arguments = args;
    this.#options = options;
    this.home = options.home ?? tempFolder();
  }

  // Resolves with the fields of the log event `ready`.
  async start(change = {}) {
    assert.ok(existsSync(binary), `${binary} is not built`);
    this.#options = { ...this.#options, ...change };
    this.stdout = '';
    this.stderr = '';
    const env = environment(this.home, {
      BRICKGATE_LOG_FORMAT: 'json', BRICKGATE_LOG_LEVEL: 'debug',
      __brickgate_failpoint: this.#options.failpoint, ...this.#options.env,
    });
    const child = spawn(binary, this.#arguments, { cwd: this.home, env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    alive.add(child);
    child.stdout.setEncoding('utf8').on('data', (text) => { this.stdout += text; });
    child.stderr.setEncoding('utf8').on('data', (text) => { this.stderr += text; });
    let over = false;
    this.#ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        over = true;
        alive.delete(child);
        resolve({ code, signal });
      });
    });
    this.ready = await until(`${this.#arguments[0]} is ready`, () => {
      if (over) assert.fail(`${this.#arguments.join(' ')} ended before it was ready:\n${this.stderr}`);
      return this.event('ready');
    }, readyWithin);
    return this.ready;
  }

  get pid() { return this.#child.pid; }

  // Resolves with {code, signal} when the process is gone by itself: a crash point, a refusal.
  ended() { return this.#ended; }

  // The log so far, as objects. Lines that are not JSON are a sanitizer's or a crash's.
  get log() {
    const complete = this.stderr.slice(0, this.stderr.lastIndexOf('\n') + 1);
    return complete.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  }
  event(name) { return this.log.find((line) => line.event === name); }
  events(name) { return this.log.filter((line) => line.event === name); }
  async waitForEvent(name, within) { return until(`log event ${name}`, () => this.event(name), within); }

  signal(name) { this.#child.kill(name); }

  // SIGTERM, and the end must be an orderly one.
  async stop() {
    if (!this.#child || this.#child.exitCode !== null || this.#child.signalCode !== null) return this.#check();
    this.#child.kill('SIGTERM');
    const clock = setTimeout(() => this.#child.kill('SIGKILL'), stopWithin);
    const { code, signal } = await this.#ended;
    clearTimeout(clock);
    this.#check();
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, `${this.#arguments[0]} did not stop well:\n${this.stderr.slice(-4000)}`);
  }

  // kill -9: nobody gets to tidy up.
  async kill() {
    this.#child.kill('SIGKILL');
    await this.#ended;
    this.#check();
  }

  // The same program on the same folder and ports; a crash point does not outlive its crash.
  async restart(change = {}) {
    if (this.#child && this.#child.exitCode === null && this.#child.signalCode === null) await this.stop();
    return this.start({ failpoint: undefined, ...change });
  }

  #check() {
    assert.doesNotMatch(this.stderr, sanitizerWords, `a sanitizer spoke:\n${this.stderr.slice(-6000)}`);
  }
}

// One command from start to end. Resolves with {code, signal, stdout, stderr}; never rejects for an exit code.
export function run(args, { home = tempFolder(), env = {}, input = '', within = 60_000 } = {}) {
  assert.ok(existsSync(binary), `${binary} is not built`);
  const child = spawn(binary, args, { cwd: home, env: environment(home, env), stdio: ['pipe', 'pipe', 'pipe'] });
  alive.add(child);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text) => { stdout += text; });
  child.stderr.setEncoding('utf8').on('data', (text) => { stderr += text; });
  child.stdin.on('error', () => {}).end(input);
  const clock = setTimeout(() => child.kill('SIGKILL'), within);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(clock);
      alive.delete(child);
      if (sanitizerWords.test(stderr)) reject(new Error(`a sanitizer spoke:\n${stderr.slice(-6000)}`));
      else resolve({ code, signal, stdout, stderr });
    });
  });
}

// A practice Databricks of its own; `apps` are registered with startGateway.
export async function startSandbox(options = {}) {
  const program = new Program(['sandbox', '--listen', options.listen ?? '127.0.0.1:0', ...(options.args ?? [])], options);
  const { sandbox } = await program.start();
  return new Sandbox(sandbox, program);
}

export class Gateway extends Program {
  // The API as a program uses it, with the key that startGateway made. Resolves with {status, body}.
  async api(method, path, body, key = this.key) {
    const response = await fetch(this.private + path, {
      method,
      headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      body: body === undefined ? undefined : JSON.stringify(body),
      redirect: 'manual',
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === '' ? null : JSON.parse(text) };
  }
  token(id, query = '') { return this.api('GET', `/v1/connections/${id}/token${query}`); }
  async connections() { return (await this.api('GET', '/v1/connections')).body.items; }
  // A command of the program on this gateway's data folder.
  command(...args) { return run([...args, '--data', this.data], { home: this.home }); }
}

// `brickgate serve` against `sandbox` (or options.env.DATABRICKS_HOST), with an API key that may do everything.
// options: sandbox, secret ('' makes a public client), clientId, env, failpoint, home, args
export async function startGateway(options = {}) {
  const port = options.port ?? await freePort();
  const home = options.home ?? tempFolder();
  const data = join(home, 'data');
  const redirect = `http://localhost:${port}/callback`;
  const clientId = options.clientId ?? 'test-app';
  const secret = options.secret ?? 'dose-test-secret';
  if (options.sandbox) {
    await options.sandbox.register({ client_id: clientId, client_secret: secret, redirect_uris: [redirect], name: 'Test app' });
  }
  const gateway = new Gateway(['serve', '--listen', `127.0.0.1:${port}`, '--data', data, ...(options.args ?? [])], {
    ...options, home,
    env: {
      CLIENT_ID: clientId, CLIENT_SECRET: secret === '' ? undefined : secret,
      DATABRICKS_HOST: options.sandbox?.origin, ...options.env,
    },
  });
  gateway.data = data;
  gateway.port = port;
  gateway.public = `http://localhost:${port}`;
  gateway.redirect = redirect;
  await gateway.start();
  gateway.private = `http://${gateway.ready.private_listen || gateway.ready.listen}`;
  if (options.key !== false) {
    const made = await gateway.command('api-keys', 'create', '--name', 'test', '--rights', 'token:read,connections,admin', '--json');
    assert.equal(made.code, 0, made.stderr);
    gateway.key = JSON.parse(made.stdout).key;
  }
  return gateway;
}

// `brickgate demo`: gateway and sandbox in one process.
export async function startDemo(options = {}) {
  const home = options.home ?? tempFolder();
  const port = options.port ?? await freePort();
  const demo = new Gateway(['demo', '--listen', `127.0.0.1:${port}`, '--data', join(home, 'data'), ...(options.args ?? [])], { ...options, home });
  demo.data = join(home, 'data');
  demo.port = port;
  demo.public = `http://localhost:${port}`;
  await demo.start();
  demo.private = `http://${demo.ready.private_listen || demo.ready.listen}`;
  demo.sandbox = new Sandbox(demo.ready.sandbox, demo);
  return demo;
}
