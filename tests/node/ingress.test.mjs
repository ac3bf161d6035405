// SPDX-License-Identifier: Apache-2.0
// The snippets of docs/ingress.md, run as they stand but for ports and files: TLS in front, the gateway behind.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { freePort, Gateway, root, Sandbox, temporaryFolder, until } from '../support/brickgate.mjs';

const document = readFileSync(join(root, 'docs/ingress.md'), 'utf8');
const snippet = (language) => new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(document)[1];
const work = temporaryFolder();
const running = [];
let sandbox, gateway, id, privatePort, pem;

before(async () => {
  pem = { cert: join(work, 'gate.crt'), key: join(work, 'gate.key') };
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', pem.key, '-out', pem.cert, '-days', '2',
    '-subj', '/CN=gate.internal', '-addext', 'subjectAltName=DNS:gate.internal'], { stdio: 'ignore' });
  privatePort = await freePort();
  const port = await freePort();
  sandbox = await Sandbox.start({ redirectUris: [`http://localhost:${port}/callback`] });
  gateway = await Gateway.start({ sandbox, port, env: {
    BRICKGATE_SERVER_PRIVATE_LISTEN: `127.0.0.1:${privatePort}`, BRICKGATE_SERVER_NAMES: 'gate.internal', BRICKGATE_SERVER_TRUSTED_PROXIES: '127.0.0.1',
  } });
  ({ id } = await gateway.signIn());
});
after(async () => {
  for (const child of running) child.kill('SIGTERM');
  await gateway.stop();
  await sandbox.stop();
});

const fitted = (text, port) => text.replaceAll('127.0.0.1:3002', `127.0.0.1:${privatePort}`).replaceAll(/\/etc\/ssl\/gate\.(crt|key)/g, (_all, kind) => join(work, `gate.${kind}`))
  .replace('listen 443 ssl', `listen 127.0.0.1:${port} ssl`).replace('gate.internal:443', `https://gate.internal:${port}`);

function run(program, args) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, HOME: work, XDG_DATA_HOME: work, XDG_CONFIG_HOME: work } });
  child.err = '';
  child.stderr.on('data', (bytes) => (child.err += bytes));
  child.stdout.resume();
  running.push(child);
  return child;
}

async function front(name, port) {
  const place = join(work, name);
  mkdirSync(place);
  if (name === 'nginx') {
    const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${place}/${kind};`).join(' ');
    writeFileSync(join(place, 'nginx.conf'), `daemon off; pid ${place}/pid; error_log stderr; events {} http { access_log off; ${folders}\n${fitted(snippet('nginx'), port)}\n}`);
    return run('/usr/sbin/nginx', ['-p', place, '-c', join(place, 'nginx.conf'), '-e', 'stderr']);
  }
  writeFileSync(join(place, 'Caddyfile'), `{\n  admin off\n  auto_https disable_redirects\n}\n${fitted(snippet('caddy'), port)}`);
  return run('/usr/bin/caddy', ['run', '--config', join(place, 'Caddyfile'), '--adapter', 'caddyfile']);
}

const get = (port, path, headers) => new Promise((resolve, reject) => {
  const asked = request({ host: '127.0.0.1', port, path, headers: { host: 'gate.internal', ...headers }, servername: 'gate.internal', ca: readFileSync(pem.cert) }, (answer) => {
    let body = '';
    answer.on('data', (bytes) => (body += bytes)).on('end', () => resolve({ status: answer.statusCode, body, headers: answer.headers }));
  });
  asked.once('error', reject);
  asked.end();
});

for (const name of ['nginx', 'caddy']) {
  test(`${name} speaks TLS in front, and calls go through it as the document says`, async () => {
    const port = await freePort();
    const child = await front(name, port);
    await until(() => new Promise((resolve, reject) => {
      if (child.exitCode !== null) { reject(new Error(child.err)); return; }
      const socket = connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true); });
      socket.once('error', () => resolve(false));
    }), `${name} to listen`);
    const made = JSON.parse((await gateway.cli('capabilities', 'create', '--connection', id, '--json')).out);
    const authorization = `Bearer ${made.capability}`;
    const me = await get(port, '/api/2.0/preview/scim/v2/Me', { authorization });
    assert.equal(me.status, 200, me.body);
    assert.equal(JSON.parse(me.body).userName, 'ada@example.com');
    assert.equal((await get(port, '/api/2.0/preview/scim/v2/Me', {})).status, 401);
    assert.equal((await get(port, '/readyz', {})).status, 200);
  });
}
