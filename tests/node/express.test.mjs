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
  const key = await gateway.key('token:read');
  const app = spawn(process.execPath, ['server.mjs'], { cwd: folder, env: { ...process.env, BRICKGATE: gateway.url, BRICKGATE_KEY: key, PORT: String(port) } });
  t.after(() => app.kill());
  const home = `http://localhost:${port}`;
  const page = await until(() => fetch(home).then((answer) => answer.text()).catch(() => undefined), 'the app');

  const button = /href="([^"]+)">Connect Databricks/.exec(page)[1].replaceAll('&#38;', '&');
  const jar = new Jar();
  const back = await jar.get(await approve((await jar.get(button)).location, { email: 'grace@example.com' }));
  assert.match(back.location, /\/connected\?connection_id=con_/);
  const connected = await fetch(back.location, { redirect: 'follow' });
  const hello = await connected.text();
  assert.match(hello, /Hello, Grace Hopper/);

  const denied = await jar.get(await approve((await jar.get(button)).location, { answer: 'deny' }));
  assert.match(await (await fetch(denied.location)).text(), /Not connected.*access_denied/s);
});
