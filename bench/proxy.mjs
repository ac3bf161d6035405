// SPDX-License-Identifier: Apache-2.0
// The proxy beside nginx proxy_pass and haproxy, in turn, all of them putting an Authorization header in: small answers, 100 KiB,
// one stream of a gigabyte, plain and TLS towards the workspace, and what a stream costs whose reader does not read.
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, root, sleep, until } from '../tests/support/brickgate.mjs';
import { bout, cpuOf, median, residentOf, spread, start } from './measure.mjs';

const run = promisify(execFile);
const folders = (place) => ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${place}/${name};`).join(' ');
export const listening = (port) => until(() => new Promise((resolve) => {
  const socket = connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true); });
  socket.once('error', () => resolve(false));
}), `port ${port}`, 10000);

export async function certificate(work) {
  const key = join(work, 'upstream.key');
  const cert = join(work, 'upstream.crt');
  await run('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert, '-days', '2',
    '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']);
  return { key, cert };
}

export async function nginx(work, name, server, more = '') {
  const place = join(work, name);
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, 'nginx.conf'), `worker_processes 1; daemon off; master_process off; pid ${place}/pid; error_log ${place}/error.log;
events { worker_connections 4096; }
http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; client_max_body_size 0; open_file_cache max=100; ${folders(place)}
${more}
${server} }
`);
  const child = start('/usr/sbin/nginx', ['-p', place, '-c', join(place, 'nginx.conf'), '-e', join(place, 'error.log')]);
  return { pid: child.pid, stop: async () => { child.kill('SIGTERM'); await child.ended; } };
}

// The workspace: files of three sizes below /api/, plain and over TLS.
export async function upstream(work, sizes, pem) {
  const plain = await freePort();
  const tls = await freePort();
  const files = join(work, 'files', 'api', '2.0', 'bench');
  mkdirSync(files, { recursive: true });
  for (const [name, bytes] of Object.entries(sizes)) await run('sh', ['-c', `head -c ${bytes} /dev/zero | tr '\\0' x > ${join(files, name)}`]);
  const server = await nginx(work, 'upstream', `server { listen 127.0.0.1:${plain} backlog=4096; listen 127.0.0.1:${tls} ssl backlog=4096;
    ssl_certificate ${pem.cert}; ssl_certificate_key ${pem.key}; ssl_protocols TLSv1.3; root ${join(work, 'files')}; }`);
  await listening(plain);
  return { ...server, plain, tls };
}

export async function nginxProxy(work, upstreamPort, tls, pem, token) {
  const port = await freePort();
  const scheme = tls ? 'https' : 'http';
  const server = await nginx(work, `nginx-${scheme}`, `server { listen 127.0.0.1:${port} backlog=4096; location / { proxy_pass ${scheme}://up;
    proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host localhost; proxy_set_header Authorization "Bearer ${token}";
    proxy_buffers 8 64k; proxy_buffer_size 64k; proxy_busy_buffers_size 128k; proxy_max_temp_file_size 0; proxy_request_buffering off;
    proxy_ssl_trusted_certificate ${pem.cert}; proxy_ssl_verify on; proxy_ssl_name localhost; proxy_ssl_server_name on; proxy_ssl_protocols TLSv1.3; } }`,
  `upstream up { server 127.0.0.1:${upstreamPort}; keepalive 512; keepalive_requests 1000000000; }`);
  await listening(port);
  return { ...server, url: `http://127.0.0.1:${port}` };
}

export async function haproxy(work, upstreamPort, tls, pem, token) {
  const port = await freePort();
  const file = join(work, `haproxy-${tls ? 'tls' : 'plain'}.cfg`);
  writeFileSync(file, `global
  maxconn 4096
  nbthread 1
  tune.bufsize 65536
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend in
  bind 127.0.0.1:${port}
  default_backend up
backend up
  http-request set-header Authorization "Bearer ${token}"
  server one 127.0.0.1:${upstreamPort} pool-max-conn -1 ${tls ? `ssl verify required ca-file ${pem.cert} sni str(localhost) verifyhost localhost` : ''}
`);
  const child = start('/usr/sbin/haproxy', ['-db', '-f', file]);
  child.stderr.resume();
  await listening(port);
  return { pid: child.pid, url: `http://127.0.0.1:${port}`, stop: async () => { child.kill('SIGTERM'); await child.ended; } };
}

// Bouts of all, in turn; per round the ratio of each one's figure to the first's.
export async function allInTurn(bouts, rounds, figure, progress) {
  const seen = Object.fromEntries(Object.keys(bouts).map((name) => [name, []]));
  for (let round = 1; round <= rounds; ++round) {
    for (const [name, once] of Object.entries(bouts)) seen[name].push(await once());
    progress(`${round}/${rounds}: ${Object.entries(seen).map(([name, list]) => `${name} ${figure(list.at(-1)).toFixed(2)}`).join(', ')}`);
  }
  const [first] = Object.keys(bouts);
  const ratios = (name) => seen[name].map((one, i) => figure(one) / figure(seen[first][i]));
  return { seen, ratios };
}

const script = join(root, 'bench/proxy.lua');

export async function small({ servers, path, seconds, rounds, connections, row, progress, name }) {
  const bouts = Object.fromEntries(Object.entries(servers).map(([who, server]) => [who, () => bout({
    url: server.url + path, pid: server.pid, script, env: { KEY: server.key ?? 'none' }, seconds, connections,
  })]));
  for (const once of Object.values(bouts)) await once();   // connections are made
  const { seen, ratios } = await allInTurn(bouts, rounds, (one) => one.cpuPerRequest, progress);
  const of = (who, field) => median(seen[who].map((one) => one[field]));
  for (const who of Object.keys(servers).slice(1)) {
    row(`${name}: ${who}'s CPU over ours`, `${median(ratios(who)).toFixed(2)} (${spread(ratios(who))})`,
      `${of('ours', 'cpuPerRequest').toFixed(1)} against ${of(who, 'cpuPerRequest').toFixed(1)} us a request; ${Math.round(of('ours', 'perSecond'))} against ${Math.round(of(who, 'perSecond'))} a second; ` +
      `p50 ${seen.ours.at(-1).p50} against ${seen[who].at(-1).p50}, p99 ${seen.ours.at(-1).p99} against ${seen[who].at(-1).p99}; peak ${residentOf(servers.ours.pid).toFixed(1)} against ${residentOf(servers[who].pid).toFixed(1)} MiB`);
  }
}

// One download with curl; megabytes a second and the server's own CPU.
export async function large({ servers, path, bytes, rounds, row, progress, name }) {
  const once = async (server) => {
    const before = cpuOf(server.pid);
    const { stdout } = await run('curl', ['-sS', '-o', '/dev/null', '-w', '%{http_code} %{size_download} %{time_total}', '-H', `Authorization: Bearer ${server.key ?? 'none'}`, server.url + path]);
    const [status, size, time] = stdout.split(' ').map(Number);
    if (status !== 200 || size !== bytes) throw new Error(`a broken download: ${stdout}`);
    return { perSecond: bytes / 1e6 / time, cpu: (cpuOf(server.pid) - before) / 1e6, resident: residentOf(server.pid) };
  };
  const idle = residentOf(servers.ours.pid);
  const bouts = Object.fromEntries(Object.entries(servers).map(([who, server]) => [who, () => once(server)]));
  const { seen, ratios } = await allInTurn(bouts, rounds, (one) => one.perSecond, progress);
  for (const who of Object.keys(servers).slice(1)) {
    const against = ratios(who).map((ratio) => 1 / ratio);
    row(`${name}: our MB/s over ${who}'s`, `${median(against).toFixed(2)} (${spread(against)})`,
      `${Math.round(median(seen.ours.map((one) => one.perSecond)))} against ${Math.round(median(seen[who].map((one) => one.perSecond)))} MB/s; CPU ${median(seen.ours.map((one) => one.cpu)).toFixed(2)} against ${median(seen[who].map((one) => one.cpu)).toFixed(2)} s`);
  }
  row(`${name}: growth of our memory by one stream`, `${(Math.max(...seen.ours.map((one) => one.resident)) - idle).toFixed(1)} MiB`, 'after, against before; goal 2');
}

// So many clients ask for the large file and read nothing.
export async function stalled({ server, path, count, row, name }) {
  const before = residentOf(server.pid);
  const { port, hostname } = new URL(server.url);
  const sockets = [];
  for (let i = 0; i < count; ++i) {
    const socket = connect(Number(port), hostname);
    socket.on('error', () => {});
    socket.pause();
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: Bearer ${server.key}\r\n\r\n`);
    sockets.push(socket);
    if (i % 50 === 49) await sleep(50);
  }
  await sleep(3000);
  row(`${name}: memory of a stalled stream`, `${((residentOf(server.pid) - before) * 1024 / count).toFixed(0)} KiB`, `${count} clients that read nothing`);
  for (const socket of sockets) socket.destroy();
  await sleep(500);
}
