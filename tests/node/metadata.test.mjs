// SPDX-License-Identifier: Apache-2.0
// T56: where the metadata service is answered: the private listener, the data folder's socket, a base path; and what an
// SDK finds around it. The protocol itself is in proxy_metadata.test.mjs.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { freePort, Gateway, Jar, Sandbox, signIn } from '../support/brickgate.mjs';

let sandbox;
before(async () => { sandbox = await Sandbox.start(); });
after(() => sandbox.stop());

const headers = () => ({ 'X-Databricks-Metadata-Version': '1', 'X-Databricks-Host': sandbox.origin });

// One request by node's own client, which sets Host by itself unless it is told another.
function ask(options) {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', headers: headers(), ...options }, (answer) => {
      let text = '';
      answer.on('data', (part) => (text += part));
      answer.on('end', () => resolve({ status: answer.statusCode, type: answer.headers['content-type'], text, json: () => JSON.parse(text) }));
    });
    sent.on('error', reject);
    sent.end();
  });
}

async function connected(options) {
  const gateway = await Gateway.start({ sandbox, ...options });
  const origin = new URL(gateway.env.REDIRECT_URI ?? gateway.url).origin;
  await sandbox.control('POST', 'apps', { client_id: 'brickgate-demo', client_secret: 'brickgate-demo-secret', redirect_uris: [gateway.env.REDIRECT_URI ?? `${origin}/callback`] });
  return gateway;
}
const lend = async (gateway, id, ...more) => JSON.parse((await gateway.cli('capabilities', 'create', '--connection', id, ...more, '--json')).out).capability;

test('on loopback with everything else; by the data folder\'s socket; never in the log', async () => {
  const gateway = await connected({ env: { BRICKGATE_LOG_LEVEL: 'debug' } });
  const { id } = await signIn(gateway, new Jar());
  const capability = await lend(gateway, id);
  const path = `/m/${capability}`;
  const got = await ask({ port: gateway.port, path });
  assert.equal(got.status, 200, got.text);
  assert.deepEqual(Object.keys(got.json()).sort(), ['access_token', 'expires_on', 'token_type']);
  assert.equal(got.json().access_token, (await gateway.token(id)).body.access_token);

  const bySocket = await ask({ host: undefined, socketPath: join(gateway.data, 'brickgate.sock'), path });
  assert.equal(bySocket.status, 200, bySocket.text);
  const browser = await ask({ host: undefined, socketPath: join(gateway.data, 'brickgate.sock'), path, headers: { ...headers(), Origin: 'https://evil.test' } });
  assert.deepEqual([browser.status, browser.json().error.code], [403, 'browser_refused']);

  for (const method of ['HEAD', 'POST', 'OPTIONS']) assert.equal((await ask({ port: gateway.port, path, method })).status, 405, method);
  const brief = await ask({ port: gateway.port, path: `/m/${await lend(gateway, id, '--expires-in', '100')}` });
  assert.ok(brief.json().expires_on * 1000 <= Date.now() + 101_000, 'not later than the capability');
  await ask({ port: gateway.port, path: `${path}x` });
  await ask({ port: gateway.port, path: `/M/${capability}` });
  assert.ok(!gateway.process.err.includes(capability.slice(-43)));
  assert.ok(!gateway.process.err.includes(got.json().access_token));
  await gateway.stop();
});

test('a connection that must be signed in anew is said to be one, in JSON without a token', async () => {
  const gateway = await connected();
  const { id } = await signIn(gateway, new Jar(), { query: '?subject=lost' });
  const capability = await lend(gateway, id);
  await sandbox.fault({ endpoint: 'token', kind: 'old_invalid_request' });
  assert.equal((await gateway.api('POST', `/v1/connections/${id}/refresh`)).body.error.code, 'reauth_required');
  await sandbox.control('DELETE', 'faults');
  const got = await ask({ port: gateway.port, path: `/m/${capability}` });
  assert.deepEqual([got.status, got.json().error.code], [409, 'reauth_required']);
  assert.ok(!('access_token' in got.json()));
  await gateway.stop();
});

test('T56 it is no route of a public listener, and answers on the private one by that one\'s port', async () => {
  const port = await freePort();
  const privatePort = await freePort();
  const gateway = await connected({ port, args: ['--private-listen', `127.0.0.1:${privatePort}`] });
  const { id } = await signIn(gateway, new Jar());
  const path = `/m/${await lend(gateway, id)}`;
  const got = await ask({ port: privatePort, path });
  assert.equal(got.status, 200, got.text);
  const wrongName = await ask({ port: privatePort, path, headers: { ...headers(), Host: `localhost:${privatePort + 1}` } });
  assert.deepEqual([wrongName.status, wrongName.json().error.code], [421, 'misdirected_request']);
  for (const target of [path, '/m/x']) {
    const hidden = await ask({ port, path: target });
    assert.equal(hidden.status, 404);
    assert.match(hidden.type, /^application\/json/);
    assert.ok(!('access_token' in hidden.json()));
  }
  assert.equal((await ask({ port: privatePort, path: '/.well-known/databricks-config' })).status, 200);
  assert.equal((await ask({ port, path: '/.well-known/databricks-config' })).status, 404);
  await gateway.stop();
});

test('what an SDK asks a host first, and where it would sign in by itself', async () => {
  const port = await freePort();
  const gateway = await connected({ port, env: { REDIRECT_URI: `http://localhost:${port}/gate/callback`, BRICKGATE_SERVER_PUBLIC_URL: `http://localhost:${port}/gate` } });
  const config = await ask({ port, path: '/gate/.well-known/databricks-config' });
  assert.deepEqual([config.status, config.json()], [200, { oidc_endpoint: `http://localhost:${port}/gate/oidc`, host_type: 'workspace' }]);
  for (const [method, path] of [['GET', '/gate/oidc/.well-known/oauth-authorization-server'], ['POST', '/gate/oidc/v1/token'], ['GET', '/gate/oidc/v1/authorize?client_id=x']]) {
    const refused = await ask({ port, method, path });
    assert.deepEqual([refused.status, refused.json().error.code], [404, 'not_found'], path);
    assert.match(refused.json().error.message, /Sign-in is done by Brickgate/);
  }
  await gateway.stop();
});
