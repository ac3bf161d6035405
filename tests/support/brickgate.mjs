// SPDX-License-Identifier: Apache-2.0
// Runs the built program for tests: its own data folder, free ports, its log as objects. Ended by process id.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Contract } from './contract.mjs';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
export const binary = process.env.BRICKGATE_BINARY ?? join(root, 'build/asan/brickgate');

export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function until(condition, what, ms = 20000) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${ms} ms for ${what}`);
    await sleep(25);
  }
}

export function temporaryFolder() {
  return mkdtempSync(join(tmpdir(), 'brickgate-test-'));
}

const clean = { ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(BRICKGATE_|CLIENT_|REDIRECT_URI|DATABRICKS_|XDG_STATE)/.test(name))), XDG_CONFIG_HOME: '/nonexistent' };

// What a failing test left behind ends with its file.
const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));
process.once('SIGTERM', () => process.exit(143));  // the runner's, when a file took too long

// One run of one process; `log` holds the parsed log lines.
export class Process {
  constructor(args, { env = {}, cwd, program = binary } = {}) {
    this.log = [];
    this.out = '';
    this.err = '';
    this.child = spawn(program, args, { cwd, env: { ...clean, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.ended = new Promise((resolve) => this.child.once('exit', (code, signal) => resolve({ code, signal })));
    running.add(this.child);
    this.ended.then(() => running.delete(this.child));
    this.child.once('error', (error) => { this.end = { code: -1, error: String(error) }; });
    this.child.stdout.on('data', (bytes) => (this.out += bytes));
    let rest = '';
    this.child.stderr.on('data', (bytes) => {
      this.err += bytes;
      rest += bytes;
      const lines = rest.split('\n');
      rest = lines.pop();
      for (const line of lines) {
        try { this.log.push(JSON.parse(line)); } catch { /* a sanitizer's report, or a sentence */ }
      }
    });
    this.ended.then((end) => (this.end = end));
  }

  async ready() {
    await until(() => this.end || this.log.find((line) => line.event === 'ready'), 'the program to be ready', 60000);
    const line = this.log.find((entry) => entry.event === 'ready');
    if (!line) throw new Error(`the program ended early: ${JSON.stringify(this.end)}\n${this.out}${this.err}`);
    return line;
  }

  async stop() {
    if (!this.end) this.child.kill('SIGTERM');
    const end = await this.ended;
    if (/AddressSanitizer|runtime error:|LeakSanitizer/.test(this.err)) throw new Error(`a sanitizer spoke:\n${this.err}`);
    return end;
  }

  async kill() {
    if (!this.end) this.child.kill('SIGKILL');
    return this.ended;
  }
}

// Runs a command to its end.
export async function command(args, options = {}) {
  const run = new Process(args, options);
  const end = await run.ended;
  return { ...end, out: run.out, err: run.err };
}

export class Sandbox {
  static async start({ redirectUris, args = [], stateFile } = {}) {
    const sandbox = new Sandbox();
    sandbox.port = await freePort();
    sandbox.origin = `http://127.0.0.1:${sandbox.port}`;
    const all = ['sandbox', '--listen', `127.0.0.1:${sandbox.port}`, ...(redirectUris ? ['--redirect-uri', ...redirectUris] : []),
      ...(stateFile ? ['--state-file', stateFile] : []), ...args];
    sandbox.process = new Process(all);
    await sandbox.process.ready();
    return sandbox;
  }
  async control(method, path, body) {
    const answer = await fetch(`${this.origin}/_sandbox/${path}`, { method, body: body && JSON.stringify(body) });
    const document = await answer.json();
    if (!answer.ok) throw new Error(`sandbox: ${JSON.stringify(document)}`);
    return document;
  }
  settings(change) { return this.control('PUT', 'settings', change); }
  fault(fault) { return this.control('POST', 'faults', fault); }
  async log(filter = () => true) { return (await this.control('GET', 'log')).requests.filter(filter); }
  tokenCalls() { return this.log((line) => line.path.endsWith('/token')); }
  refreshes() { return this.log((line) => line.body.startsWith('grant_type=refresh_token')); }
  async families() { return (await this.control('GET', 'families')).families; }
  stop() { return this.process.stop(); }
}

export const secret = 'brickgate-demo-secret';
const contract = new Contract();

export class Gateway {
  // `port` and `data` are kept over restarts.
  static async start({ sandbox, port, data, env = {}, host, args = [], program } = {}) {
    const gateway = new Gateway();
    gateway.program = program;
    gateway.port = port ?? (await freePort());
    gateway.url = `http://localhost:${gateway.port}`;
    gateway.data = data ?? join(temporaryFolder(), 'data');
    gateway.env = { CLIENT_ID: 'brickgate-demo', CLIENT_SECRET: secret, ...(host === null ? {} : { DATABRICKS_HOST: host ?? sandbox.origin }), ...env };
    gateway.args = args;
    await gateway.restart();
    return gateway;
  }
  async restart(env = {}) {
    this.process = new Process(['serve', '--data', this.data, '--listen', `127.0.0.1:${this.port}`, ...this.args],
      { env: { ...this.env, ...env }, cwd: dirname(this.data), program: this.program });
    await this.process.ready();
  }
  cli(...args) { return command([...args, '--data', this.data], { env: this.env, cwd: dirname(this.data) }); }
  async key(rights = 'token:read,connections,admin') {
    const made = await this.cli('api-keys', 'create', '--name', 'test', '--rights', rights, '--json');
    if (made.code !== 0) throw new Error(made.err);
    return JSON.parse(made.out).key;
  }
  async api(method, path, body) {
    this.apiKey ??= await this.key();
    const answer = await fetch(this.url + path, {
      method, redirect: 'manual', headers: { authorization: `Bearer ${this.apiKey}`, ...(body && { 'content-type': 'application/json' }) }, body: body && JSON.stringify(body),
    });
    const document = await answer.json();
    const complaint = contract.complaint(method, path, answer.status, document);
    if (complaint) throw new Error(`the answer breaks the contract: ${complaint}`);
    return { status: answer.status, headers: answer.headers, body: document };
  }
  token(id, query = '') { return this.api('GET', `/v1/connections/${id}/token${query}`); }
  async signIn(jar = new Jar(), options) { return signIn(this, jar, options); }
  async stop() {
    const end = await this.process.stop();
    rmSync(dirname(this.data), { recursive: true, force: true });
    return end;
  }
}

// A browser's cookies, as far as these tests need them.
export class Jar {
  cookies = new Map();
  async get(url, options = {}) {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(url, { redirect: 'manual', ...options, headers: { ...(cookie && { cookie }), ...options.headers } });
    for (const line of answer.headers.getSetCookie()) {
      const [pair] = line.split(';');
      const equals = pair.indexOf('=');
      const name = pair.slice(0, equals);
      if (/Max-Age=0/.test(line)) this.cookies.delete(name);
      else this.cookies.set(name, pair.slice(equals + 1));
    }
    return { status: answer.status, headers: answer.headers, location: answer.headers.get('location'), text: await answer.text() };
  }
}

// Signs in at the sandbox as a person with a browser would, up to the callback's address.
export async function approve(authorizeUrl, { email = 'ada@example.com', answer = 'approve' } = {}) {
  const origin = new URL(authorizeUrl).origin;
  const page = await (await fetch(authorizeUrl, { redirect: 'manual' })).text();
  const ticket = /name="ticket" value="([^"]+)"/.exec(page)?.[1];
  if (!ticket) throw new Error(`no sign-in page: ${page.slice(0, 300)}`);
  const post = (path, fields) => fetch(origin + path, { method: 'POST', redirect: 'manual', body: new URLSearchParams({ ticket, ...fields }) });
  await post('/_sandbox/sign-in', { email });
  return (await post('/_sandbox/consent', { answer })).headers.get('location');
}

export async function begin(gateway, jar, query = '') {
  const start = await jar.get(`${gateway.url}/auth${query}`);
  if (start.status !== 302) throw new Error(`/auth answered ${start.status}: ${start.text.slice(0, 500)}`);
  return start.location;
}

// The whole way: gives the connection's id and the last page.
export async function signIn(gateway, jar, { query = '', ...person } = {}) {
  const callback = await approve(await begin(gateway, jar, query), person);
  const back = await jar.get(callback);
  const page = back.location?.startsWith('/') ? await jar.get(gateway.url + back.location) : undefined;
  return { callback, back, page, id: /con_[0-9a-f]{32}/.exec(page?.text ?? back.location ?? '')?.[0], code: /Code: <code>([a-z_]+)</.exec(page?.text ?? '')?.[1] };
}
