// SPDX-License-Identifier: Apache-2.0
// The tutorial's app, redone on Brickgate: a button, the return, a fresh token, the person's name.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { approve, freePort, Gateway, Jar, root, Sandbox, temporaryFolder, until } from '../support/brickgate.mjs';

test('the express example signs a person in and greets them by name', async (t) => {
  const port = await freePort();
  const sandbox = await Sandbox.start();
  t.after(() => sandbox.stop());
  const gateway = await Gateway.start({ sandbox, env: { BRICKGATE_APP_RETURN_TO: `http://localhost:${port}/connected` } });
  t.after(() => gateway.stop());
  await sandbox.control('POST', 'apps', { client_id: 'brickgate-demo', client_secret: 'brickgate-demo-secret', redirect_uris: [`${gateway.url}/callback`] });

  const folder = join(temporaryFolder(), 'express');
  cpSync(join(root, 'examples/express'), folder, { recursive: true, filter: (path) => !path.includes('node_modules') });
  symlinkSync(join(root, 'tests/node_modules'), join(folder, 'node_modules'));
  const key = await gateway.key('token:read,connections');
  const start = (env) => spawn(process.execPath, ['server.mjs'], { cwd: folder, env: { ...process.env, BRICKGATE: gateway.url, BRICKGATE_KEY: key, PORT: String(port), ...env } });
  const ended = (env) => new Promise((resolve) => {
    const child = start(env);
    t.after(() => child.kill());
    let err = '';
    child.stderr.on('data', (bytes) => (err += bytes));
    child.once('close', (code) => resolve({ code, err }));
  });
  const app = start({});
  t.after(() => app.kill());
  const home = `http://localhost:${port}`;
  await until(() => fetch(home).catch(() => undefined), 'the app');

  const person = () => {
    const jar = new Jar();
    const connect = async (how) => {
      const button = /href="([^"]+)">Connect Databricks/.exec((await jar.get(home)).text)[1].replaceAll('&#38;', '&');
      return (await jar.get(await approve((await jar.get(button)).location, how))).location;
    };
    return { jar, connect, hello: async () => (await jar.get(`${home}/hello`)).text };
  };
  const grace = person();
  const back = await grace.connect({ email: 'grace@example.com' });
  assert.match(back, /\/connected\?connection_id=con_/);
  assert.equal((await grace.jar.get(back)).location, '/hello');
  assert.match(await grace.hello(), /Hello, Grace Hopper/);

  assert.match((await grace.jar.get(await grace.connect({ answer: 'deny' }))).text, /Not connected.*access_denied/s);

  // Connections of strangers, sent to somebody as links.
  const ada = person();
  for (const link of [back, await person().connect({ email: 'alan@example.com' }), `${home}/connected?connection_id=x`, `${home}/connected`]) {
    const forged = await ada.jar.get(link);
    assert.equal(forged.status, 403, link);
    assert.match(forged.text, /was not begun here/);
    assert.equal((await ada.jar.get(`${home}/hello`)).location, '/', 'nothing was planted');
  }
  assert.match((await grace.jar.get(await grace.connect({ email: 'grace@example.com' }))).location, /hello/);
  assert.match(await grace.hello(), /Hello, Grace Hopper/);

  const whole = await grace.jar.get(home);
  assert.match(whole.text, /You are connected/);
  assert.match(await grace.hello(), /<a href="\/">Back/);

  // What is wrong at the start is said at the start.
  for (const [env, said] of [
    [{}, /^Port \d+: .*EADDRINUSE/], [{ BRICKGATE_KEY: '' }, /^BRICKGATE_KEY is not good for this: /], [{ BRICKGATE_KEY: await gateway.key('token:read') }, /^BRICKGATE_KEY is not good for this: .*right/],
    [{ BRICKGATE: `http://127.0.0.1:${await freePort()}` }, /^No gateway answers at /],
  ]) {
    const refused = await ended(env);
    assert.equal(refused.code, 1, JSON.stringify(env));
    assert.match(refused.err, said);
  }

  await gateway.process.stop();
  const down = await grace.jar.get(`${home}/hello`);
  assert.equal(down.status, 502);
  assert.match(down.text, /Not right now/);
  assert.doesNotMatch(down.text, /ECONNREFUSED|node:/);
});
