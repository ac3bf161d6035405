// SPDX-License-Identifier: Apache-2.0
// TLS on both sides: the listeners' certificate and its reload, and what a workspace must show before it is told
// anything (T33).
import assert from 'node:assert/strict';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { connect } from 'node:tls';
import { echo } from '../support/answers.mjs';
import { command, freePort, sleep, until } from '../support/brickgate.mjs';
import { Authority } from '../support/certificates.mjs';
import { codeOf, ProxyWorld } from '../support/proxy_world.mjs';
import { raw } from '../support/raw.mjs';

let world;
before(async () => { world = await ProxyWorld.start({ upstreamTls: true, gatewayTls: true, env: { BRICKGATE_PROXY_ATTEMPTS_MAX: '1' } }); });
after(() => world?.stop());
beforeEach(() => { world.double.reset(); world.double.on(/^/, echo); });

const shown = (options = {}) => new Promise((resolve, reject) => {
  const socket = connect({ port: world.port, host: '127.0.0.1', servername: 'localhost', ca: world.authority.pem, ...options }, () => {
    resolve({ serial: socket.getPeerCertificate().serialNumber, protocol: socket.getProtocol(), alpn: socket.alpnProtocol });
    socket.destroy();
  });
  socket.on('error', reject);
});

test('the API speaks TLS 1.2 and 1.3, nothing older, and HTTP to nobody', async () => {
  assert.equal((await world.call('/api/2.0/echo')).status, 200);
  assert.equal((await shown()).protocol, 'TLSv1.3');
  assert.equal((await shown({ maxVersion: 'TLSv1.2' })).protocol, 'TLSv1.2');
  await assert.rejects(shown({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' }));
  assert.ok(!/^HTTP\/1\.1 2/.test(await raw(world.port, `GET /healthz HTTP/1.1\r\nHost: ${world.host}\r\n\r\n`)));
  assert.equal((await world.call('/api/2.0/echo')).status, 200);
});

test('SIGHUP takes a new certificate; one that is broken is refused and the old one stays', async () => {
  const { BRICKGATE_TLS_CERT_FILE: certFile, BRICKGATE_TLS_KEY_FILE: keyFile } = world.tlsFiles;
  const old = await shown();
  const kept = await world.open('/api/2.0/echo');
  const next = world.authority.issue();
  copyFileSync(next.certFile, certFile);
  copyFileSync(next.keyFile, keyFile);
  world.gateway.process.child.kill('SIGHUP');
  await until(async () => (await shown()).serial !== old.serial, 'the new certificate', 10000);
  kept.message.resume();
  const current = await shown();
  writeFileSync(certFile, 'not a certificate');
  const lines = world.gateway.process.log.length;
  world.gateway.process.child.kill('SIGHUP');
  await until(() => world.gateway.process.log.slice(lines).some((line) => ['warning', 'error'].includes(line.level)), 'a complaint', 10000);
  assert.equal((await shown()).serial, current.serial);
  assert.equal((await world.call('/api/2.0/echo')).status, 200);
});

test('a key that does not fit, or a file that is none, stops the start with 78', async () => {
  const one = world.authority.issue();
  const other = world.authority.issue();
  const nothing = join(world.authority.folder, 'nothing');
  for (const [cert, key] of [[one.certFile, other.keyFile], [nothing, one.keyFile], [one.certFile, nothing], [one.certFile, ''], ['', one.keyFile], [one.keyFile, one.certFile]]) {
    const run = await command(['serve', '--data', join(world.authority.folder, 'data'), '--listen', `127.0.0.1:${await freePort()}`],
      { cwd: world.authority.folder, env: { ...world.gateway.env, ...(cert && { BRICKGATE_TLS_CERT_FILE: cert }), ...(key && { BRICKGATE_TLS_KEY_FILE: key }) } });
    assert.equal(run.code, 78, `${cert} ${key}: ${run.err}`);
    assert.match(run.err, /tls\.(cert|key)_file|(certificate|key) file/);
  }
});

test('T33 a workspace with a certificate that is not right is told nothing', async () => {
  const stranger = new Authority();
  const rows = {
    'another authority': stranger.issue(), 'another name': world.authority.issue({ names: ['DNS:evil.test'], commonName: 'localhost' }), 'only the common name': world.authority.issue({ names: [] }),
    'another address': world.authority.issue({ names: ['IP:192.0.2.1'] }), expired: world.authority.issue({ days: -1 }),
  };
  const good = world.authority.issue();
  for (const [name, bad] of Object.entries(rows)) {
    world.double.wire.showCertificate(bad);
    world.double.wire.dropConnections({ reset: true });
    await sleep(50);
    const calls = world.double.calls.length;
    const got = await world.call('/api/2.0/echo', { method: 'POST', body: '{}' });
    assert.deepEqual([got.status, codeOf(got)], [502, 'tls_failed'], name);
    assert.equal(world.double.calls.length, calls, name);
    world.double.wire.showCertificate(good);
    assert.equal((await world.call('/api/2.0/echo')).status, 200, `${name}: and then the right one`);
  }
  assert.deepEqual(world.double.violations, []);
});
