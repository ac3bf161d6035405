// SPDX-License-Identifier: Apache-2.0
// ./run bench [PART...] [--quick]: the figures of docs/benchmarks.md, measured on this machine. Compares within one run, in turn, as
// ratios of CPU per request; machines differ and are noisy, so a figure without its ratio says little.
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, cpus } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { approve, freePort, Gateway, Jar, Process, root, Sandbox, secret, until } from '../tests/support/brickgate.mjs';
import { bout, cpuOf, inTurn, instructionsIn, median, residentOf, spread, start } from './measure.mjs';
import { certificate, haproxy, large, nginxProxy, small, stalled, upstream } from './proxy.mjs';
import { http2 } from './http2.mjs';
import { whole } from './whole.mjs';

const run = promisify(execFile);
const binary = process.env.BRICKGATE_BINARY;
const parts = { tokens, start: startUp, signin: signIn, instructions, proxy, stream, http2: overHttp2 };
const args = process.argv.slice(2);
const quick = args.includes('--quick');
const wanted = args.filter((arg) => !arg.startsWith('--'));
const wrong = [...wanted.filter((part) => !(part in parts)), ...args.filter((arg) => arg.startsWith('--') && arg !== '--quick')];
if (wrong.length) {
  console.error(`bench: there is no ${wrong[0]}; the parts are ${Object.keys(parts).join(', ')}, and --quick makes all of them short and rough.`);
  process.exit(64);
}

const stored = quick ? 5000 : 100000;
const rounds = quick ? 2 : 7;
const seconds = quick ? 2 : 5;
const tokenBytes = 1000;   // a workspace's access token: a JWT of about that size
const work = mkdtempSync(join(tmpdir(), 'brickgate-bench-'));
const rows = [];
const say = (line) => console.error(line);
const progress = (line) => say(`   ${line}`);
const row = (what, figure, note) => { rows.push([what, figure, note]); progress(`${what}: ${figure}`); };
const us = (list) => `${median(list).toFixed(1)} us`;

let folder;
async function filled() {   // the data folder with its connections, made once
  if (folder) return folder;
  say(`Storing ${stored} connections ...`);
  const data = join(work, 'data');
  mkdirSync(data, { mode: 0o700 });
  const since = performance.now();
  const { stdout } = await run(join(root, 'build/release/bench/bench_fill'), [data, String(stored), String(tokenBytes)], { maxBuffer: 1 << 26 });
  row('durable sign-ins written, 256 in flight', `${Math.round(stored / ((performance.now() - since) / 1000))} a second`, 'SQLite, synchronous=FULL, sealed, one commit for what waits');
  const ids = join(work, 'ids');
  writeFileSync(ids, stdout);
  return (folder = { data, ids, one: stdout.split('\n')[0] });
}

async function gatewayOver({ data }, prefix) {
  const gateway = new Gateway();
  Object.assign(gateway, { port: await freePort(), data, args: [], env: { DATABRICKS_HOST: 'https://ws.example', CLIENT_ID: 'bench', CLIENT_SECRET: 'bench', BRICKGATE_LOG_LEVEL: 'warning', BRICKGATE_LIMITS_REQUESTS_PER_KEY: '1000000', ...prefix } });
  gateway.url = `http://127.0.0.1:${gateway.port}`;
  gateway.process = new Process(['serve', '--data', data, '--listen', `127.0.0.1:${gateway.port}`], { env: gateway.env, cwd: work });
  await until(async () => gateway.process.end || (await fetch(`${gateway.url}/healthz`).then((a) => a.ok, () => false)), 'the gateway', 20000);
  if (gateway.process.end) throw new Error(gateway.process.err);
  return gateway;
}

async function nginx(body) {
  const port = await freePort();
  const place = join(work, 'nginx');
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, 'nginx.conf'), `worker_processes 1; daemon off; master_process off; pid ${place}/pid; error_log ${place}/error.log;
events { worker_connections 1024; }
http { access_log off; keepalive_requests 1000000000; client_body_temp_path ${place}/b; proxy_temp_path ${place}/p; fastcgi_temp_path ${place}/f;
uwsgi_temp_path ${place}/u; scgi_temp_path ${place}/s;
server { listen 127.0.0.1:${port}; location / { default_type application/json; add_header Cache-Control no-store; return 200 '${body}'; } } }
`);
  const child = start('/usr/sbin/nginx', ['-p', place, '-c', join(place, 'nginx.conf'), '-e', join(place, 'error.log')]);
  await until(() => fetch(`http://127.0.0.1:${port}/`).then((a) => a.ok, () => false), 'nginx', 10000);
  return { url: `http://127.0.0.1:${port}`, pid: child.pid, stop: async () => { child.kill('SIGTERM'); await child.ended; } };
}

async function tokens() {
  const made = await filled();
  const gateway = await gatewayOver(made);
  const key = await gateway.key('token:read');
  const one = await fetch(`${gateway.url}/v1/connections/${made.one}/token`, { headers: { authorization: `Bearer ${key}` } });
  const body = await one.text();
  if (one.status !== 200) throw new Error(body);
  const peer = await nginx('x'.repeat(body.length));
  const script = join(root, 'bench/token.lua');
  const ask = (server, draw, time = seconds) => bout({ url: server.url, pid: server.pid ?? server.process.child.pid, script, env: { KEY: key, IDS: made.ids, DRAW: draw }, seconds: time });
  say(`Token hits: ${stored} connections, 64 keep-alive clients, answers of ${body.length} bytes, beside nginx with one worker ...`);
  await ask(gateway, 'order', quick ? 3 : 15);   // every connection is in memory after this
  for (const [draw, name] of [['random', 'drawn at random from all'], ['one', 'always the same one']]) {
    const both = await inTurn(() => ask(gateway, draw), () => ask(peer, draw), rounds, progress);
    row(`token hits, ${name}: nginx's CPU over ours`, `${median(both.ratios).toFixed(2)} (${spread(both.ratios)})`,
      `${us(both.a.map((b) => b.cpuPerRequest))} against ${us(both.b.map((b) => b.cpuPerRequest))} a request; ${Math.round(median(both.a.map((b) => b.perSecond)))} against ${Math.round(median(both.b.map((b) => b.perSecond)))} a second, wrk on the other core; our 99th percentile ${both.a.at(-1).p99}`);
  }
  row(`resident memory with ${stored} tokens held`, `${residentOf(gateway.process.child.pid).toFixed(0)} MiB`, `${tokenBytes} bytes each`);
  await gateway.process.stop();
  await peer.stop();
}

async function startUp() {
  say('Start-up ...');
  const times = [];
  const memory = [];
  const env = { DATABRICKS_HOST: 'https://ws.example', CLIENT_ID: 'bench', CLIENT_SECRET: 'bench' };
  const measure = async (data) => {
    const port = await freePort();
    const since = performance.now();
    const process = new Process(['serve', '--data', data, '--listen', `127.0.0.1:${port}`], { env, cwd: work });
    for (;;) {
      if (process.end) throw new Error(process.err);
      if (await fetch(`http://127.0.0.1:${port}/readyz`).then((a) => a.ok, () => false)) break;
    }
    times.push(performance.now() - since);
    memory.push(residentOf(process.child.pid));
    await process.stop();
  };
  const empty = join(work, 'empty');
  await measure(empty);   // makes the keys; not counted
  times.length = memory.length = 0;
  for (let i = 0; i < (quick ? 5 : 20); ++i) await measure(empty);
  row('start to the first 200 of /readyz', `${median(times).toFixed(0)} ms`, 'the starting of the process and the asking included');
  row('resident memory, idle', `${median(memory).toFixed(1)} MiB`, 'after one request');
  const made = await filled();
  times.length = memory.length = 0;
  for (let i = 0; i < 5; ++i) await measure(made.data);
  row(`the same with ${stored} connections stored`, `${median(times).toFixed(0)} ms, ${median(memory).toFixed(1)} MiB`, '');
}

async function signIn() {
  const flows = quick ? 100 : 600;
  say(`Sign-ins: /auth, the workspace, /callback; ${flows} a bout, 8 at once ...`);
  const gatewayPort = await freePort();
  const tutorialPort = await freePort();
  const sandbox = await Sandbox.start({ redirectUris: [`http://localhost:${gatewayPort}/callback`, `http://localhost:${tutorialPort}/callback`] });
  mkdirSync(join(work, 'signin'));
  const gateway = await Gateway.start({ sandbox, port: gatewayPort, data: join(work, 'signin', 'data') });
  const app = start(process.execPath, [join(root, 'bench/tutorial.mjs')], { env: { ...process.env, NODE_ENV: 'production', HOST: sandbox.origin, CLIENT_ID: 'brickgate-demo', CLIENT_SECRET: secret, PORT: String(tutorialPort) } });
  await until(() => fetch(`http://localhost:${tutorialPort}/`).then(() => true, () => false), "the tutorial's app", 10000);

  const flow = async (url) => {
    const jar = new Jar();
    const begun = await jar.get(`${url}/auth`);
    const done = await jar.get(await approve(begun.location));
    if (done.status >= 400) throw new Error(`${done.status}: ${done.text}`);
  };
  const measure = async (url, pid) => {
    const before = cpuOf(pid);
    let left = flows;
    await Promise.all(Array.from({ length: 8 }, async () => { while (left-- > 0) await flow(url); }));
    return { cpuPerRequest: (cpuOf(pid) - before) / flows };
  };
  const ours = () => measure(gateway.url, gateway.process.child.pid);
  const theirs = () => measure(`http://localhost:${tutorialPort}`, app.pid);
  await ours();
  await theirs();
  const both = await inTurn(ours, theirs, quick ? 2 : 5, progress);
  row("a whole sign-in: the tutorial's CPU over ours", `${median(both.ratios).toFixed(1)} (${spread(both.ratios)})`,
    `${us(both.a.map((b) => b.cpuPerRequest))} against ${us(both.b.map((b) => b.cpuPerRequest))}; ours on disk, sealed, id_token verified; theirs in memory, unverified`);
  app.kill('SIGTERM');
  await app.ended;
  await gateway.stop();
  await sandbox.stop();
}

async function instructions() {
  const made = await filled();
  say('Instructions per token hit, under callgrind ...');
  const count = async (requests) => {
    const port = await freePort();
    const out = join(work, `callgrind.${requests}`);
    const keyed = await gatewayOver(made);
    const key = await keyed.key('token:read');
    await keyed.process.stop();
    const child = start('valgrind', ['--tool=callgrind', `--callgrind-out-file=${out}`, binary, 'serve', '--data', made.data, '--listen', `127.0.0.1:${port}`],
      { env: { ...process.env, DATABRICKS_HOST: 'https://ws.example', CLIENT_ID: 'bench', CLIENT_SECRET: 'bench', BRICKGATE_LOG_LEVEL: 'warning' }, cwd: work });
    child.stdout.resume();
    child.stderr.resume();
    const url = `http://127.0.0.1:${port}/v1/connections/${made.one}/token`;
    await until(() => fetch(`http://127.0.0.1:${port}/healthz`).then((a) => a.ok, () => false), 'the gateway under callgrind', 240000);
    for (let i = 0; i < requests; ++i) {
      const answer = await fetch(url, { headers: { authorization: `Bearer ${key}` } });
      await answer.arrayBuffer();
      if (answer.status !== 200) throw new Error(String(answer.status));
    }
    child.kill('SIGTERM');
    await child.ended;
    return instructionsIn(out);
  };
  const few = await count(1000);
  const many = await count(quick ? 2000 : 5000);
  row('user instructions per token hit', `${((many - few) / (quick ? 1000 : 4000) / 1000).toFixed(1)} thousand`, 'callgrind, the difference of two runs; Node as the client');
}

const sizes = { '1k': 1024, '100k': 102400, '1g': quick ? 1 << 28 : 1 << 30 };

async function proxy() {
  const pem = await certificate(work);
  const workspace = await upstream(work, sizes, pem);
  const token = 'x'.repeat(tokenBytes);
  for (const tls of [false, true]) {
    const kind = tls ? 'TLS upstream' : 'plain upstream';
    say(`Proxied calls, ${kind}: ours, nginx proxy_pass and haproxy in turn ...`);
    const port = tls ? workspace.tls : workspace.plain;
    const origin = tls ? `https://localhost:${port}` : `http://127.0.0.1:${port}`;
    const data = join(work, `proxy-${tls ? 'tls' : 'plain'}`);
    mkdirSync(data, { mode: 0o700 });
    const { stdout } = await run(join(root, 'build/release/bench/bench_fill'), [data, '1', String(tokenBytes), origin]);
    const id = stdout.trim();
    // One thread, as the others have one worker.
    const gateway = await gatewayOver({ data }, { DATABRICKS_HOST: origin, BRICKGATE_TLS_CA_FILE: pem.cert, BRICKGATE_SERVER_THREADS: '1' });
    const made = await gateway.cli('capabilities', 'create', '--connection', id, '--json');
    if (made.code !== 0) throw new Error(made.err);
    const ours = { url: gateway.url, pid: gateway.process.child.pid, key: JSON.parse(made.out).capability };
    const servers = { ours, nginx: await nginxProxy(work, port, tls, pem, token), haproxy: await haproxy(work, port, tls, pem, token) };
    const shared = { servers, rounds: quick ? 2 : 5, row, progress };
    await small({ ...shared, path: '/api/2.0/bench/1k', seconds, connections: 64, name: `proxy 1 KiB, ${kind}` });
    await small({ ...shared, path: '/api/2.0/bench/100k', seconds, connections: 16, name: `proxy 100 KiB, ${kind}` });
    await large({ ...shared, path: '/api/2.0/bench/1g', bytes: sizes['1g'], name: `proxy ${sizes['1g'] >> 20} MiB, ${kind}` });
    await stalled({ server: ours, path: '/api/2.0/bench/1g', count: 200, row, name: `proxy, ${kind}` });
    await gateway.process.stop();
    await servers.nginx.stop();
    await servers.haproxy.stop();
  }
  await workspace.stop();
}

async function stream() {
  say('Whole files through the proxy ...');
  await whole({ bytes: quick ? 1 << 29 : 5 * 2 ** 30, row });
}

async function overHttp2() {
  say('HTTP/2 and HTTP/1.1 towards one server ...');
  await http2({ work, rounds: quick ? 2 : 5, quick, row, progress });
}

try {
  for (const part of wanted.length ? wanted : Object.keys(parts)) await parts[part]();
  const table = ['| what | figure | |', '|---|---|---|', ...rows.map((cells) => `| ${cells.join(' | ')} |`)].join('\n');
  const head = `${cpus()[0].model.trim()}, ${cpus().length} cores${quick ? '; quick, so rough' : ''}`;
  writeFileSync(join(root, 'build/bench.md'), `${head}\n\n${table}\n`);
  console.log(`\n${head}\n\n${table}`);
} finally {
  rmSync(work, { recursive: true, force: true });
}
