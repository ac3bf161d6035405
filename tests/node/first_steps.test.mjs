// SPDX-License-Identifier: Apache-2.0
// What a newcomer meets first: a sign-in without an app that must be served, commands before there is anything, and
// sentences that say what to type.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { approve, command, freePort, Gateway, Jar, Process, Sandbox, signIn, temporaryFolder, until } from '../support/brickgate.mjs';

let sandbox;
before(async () => { sandbox = await Sandbox.start(); });
after(() => sandbox.stop());

const at = (data, env = {}) => (...args) => command([...args, '--data', data], { env, cwd: dirname(data) });

async function login(data, env) {
  const run = new Process(['login', sandbox.origin, '--data', data, '--no-browser'], { env, cwd: dirname(data) });
  const url = await until(() => run.end ? 'ended' : /(http\S+authorize\?\S+)/.exec(run.err)?.[1], 'the link');
  const shown = await fetch((await approve(String(url))).replace('localhost', '127.0.0.1'));
  assert.equal((await run.ended).code, 0, run.err);
  return { run, shown };
}

test('a sign-in without an app is served: tokens for programs, and a page that says why nobody else can sign in', async (t) => {
  const data = join(temporaryFolder(), 'data');
  const env = { BRICKGATE_DATABRICKS_HOSTS: sandbox.origin };
  const { run } = await login(data, env);
  const [id] = /con_[0-9a-f]{32}/.exec(run.out) ?? [];
  const port = await freePort();
  const serve = new Process(['serve', '--data', data, '--listen', `127.0.0.1:${port}`], { env, cwd: dirname(data) });
  t.after(() => serve.kill());
  await serve.ready();
  assert.equal(serve.log.filter((line) => line.level === 'warning' && /CLIENT_ID is not set/.test(line.message)).length, 1, serve.err);
  const { key } = JSON.parse((await at(data, env)('api-keys', 'create', '--name', 'x', '--rights', 'token:read', '--json')).out);
  const token = await fetch(`http://localhost:${port}/v1/connections/${id}/token`, { headers: { authorization: `Bearer ${key}` } });
  assert.equal(token.status, 200);
  for (const path of ['/', '/auth']) {
    const page = await fetch(`http://localhost:${port}${path}`, { redirect: 'manual' });
    const text = (await page.text()).replaceAll('&#47;', '/');
    assert.equal(page.status, 503, path);
    for (const word of ['No Databricks app is set up', 'CLIENT_ID', `http://localhost:${port}/callback`, 'app_fault']) assert.ok(text.includes(word), `${word}: ${text}`);
    assert.doesNotMatch(text, /Continue to Databricks|Try again/);
  }
  await serve.stop();
});

test('without an app and without a connection of a terminal, serve is refused and makes nothing', async () => {
  const data = join(temporaryFolder(), 'data');
  const refused = await at(data)('serve', '--listen', `127.0.0.1:${await freePort()}`);
  assert.equal(refused.code, 78);
  assert.match(refused.err, /CLIENT_ID is not set.*brickgate login HOST/);
  assert.ok(!existsSync(data));

  // What an app's people connected cannot be served without the app.
  const gateway = await Gateway.start({ sandbox });
  await sandbox.control('POST', 'apps', { client_id: 'brickgate-demo', client_secret: 'brickgate-demo-secret', redirect_uris: [`${gateway.url}/callback`] });
  await signIn(gateway, new Jar());
  await gateway.process.stop();
  const without = await at(gateway.data)('serve', '--listen', `127.0.0.1:${gateway.port}`);
  assert.equal(without.code, 78, without.err);
  assert.match(without.err, /CLIENT_ID is not set/);
  await gateway.stop();
});

test('commands that only read make no vault, and say where they looked', async () => {
  const data = join(temporaryFolder(), 'data');
  const run = at(data);
  for (const [args, code, said] of [
    [['connections', 'list'], 0, 'There are no connections yet'],
    [['api-keys', 'list'], 0, 'There are no keys yet: brickgate api-keys create'],
    [['capabilities', 'list'], 0, 'There are no capabilities yet: brickgate capabilities create'],
    [['token'], 1, `Nobody has signed in yet. The data folder is ${data}.`],
    [['token', '--host', 'https://x.cloud.databricks.com'], 1, `Nobody has signed in at https://x.cloud.databricks.com. The data folder is ${data}.`],
    [['connections', 'show', 'con_1'], 1, `There is no vault in ${data}.`],
    [['connections', 'disconnect', 'con_1'], 1, `There is no vault in ${data}.`],
    [['capabilities', 'create', '--connection', 'con_1'], 1, `There is no vault in ${data}.`],
    [['api-keys', 'revoke', 'x'], 1, `There is no vault in ${data}.`],
    [['service-principals', 'drop-older-secret', 'con_1'], 1, `There is no vault in ${data}.`],
  ]) {
    const got = await run(...args);
    assert.equal(got.code, code, `${args}: ${got.err}`);
    assert.ok((got.out + got.err).includes(said), `${args}: ${got.out}${got.err}`);
    assert.ok(!existsSync(data), `${args} made something`);
  }
  assert.deepEqual(JSON.parse((await run('connections', 'list', '--json')).out).items, []);
  const list = await run('connections', 'list');
  assert.ok(list.out.includes(`The data folder is ${data}.`), list.out);
  const shim = await command(['databricks-shim', 'auth', 'token'], { env: { BRICKGATE_DATA_DIR: data, PATH: '/usr/bin:/bin' }, cwd: dirname(data) });
  for (const word of [`The data folder is ${data}.`, 'BRICKGATE_DATA_DIR', 'No brickgate is on the PATH']) assert.ok(shim.err.includes(word), shim.err);
  assert.equal((await run('api-keys', 'create', '--name', 'x', '--rights', 'token:read, connections')).code, 0);
  assert.ok(existsSync(data), 'a key may be made before anything else');
  assert.match((await run('api-keys', 'list')).out, / {2}connections,token:read {2}active/);
});

test('the address bar keeps no code after a sign-in at a terminal, and its last line goes on working', async () => {
  const data = join(temporaryFolder(), 'data');
  const env = { BRICKGATE_DATABRICKS_HOSTS: sandbox.origin };
  const { run, shown } = await login(data, env);
  assert.equal(shown.status, 200);
  assert.equal(new URL(shown.url).search, '');
  assert.match(await shown.text(), /Go back to your terminal/);
  const [, words] = /brickgate\S* (token con_\S+) --data /.exec(run.out) ?? [];
  assert.ok(words, run.out);
  assert.equal((await at(data, env)('connections', 'refresh', words.split(' ')[1])).code, 0);
  await login(data, env);   // the same person again
  assert.equal((await at(data, env)(...words.split(' '))).code, 0);
});

test('a host of this machine is plain http, said or not', async () => {
  const data = join(temporaryFolder(), 'data');
  const env = { BRICKGATE_DATABRICKS_HOSTS: sandbox.origin };
  const run = new Process(['login', sandbox.origin.replace('http://', ''), '--data', data, '--no-browser'], { env, cwd: dirname(data) });
  const url = String(await until(() => run.end ? run.err : /(http\S+authorize\?\S+)/.exec(run.err)?.[1], 'the link'));
  assert.ok(url.startsWith(`${sandbox.origin}/`), url);
  await fetch((await approve(url)).replace('localhost', '127.0.0.1'));
  assert.equal((await run.ended).code, 0, run.err);
});

test('wrong words are answered in one form, with what there is instead', async () => {
  for (const [words, said] of [
    [['connections', 'ls'], /^brickgate: there is no command 'connections ls'\. brickgate connections --help lists them\.$/],
    [['connections'], /^brickgate: brickgate connections needs one of these words: list, show, explain, refresh, disconnect, release\.$/],
    [['nonsense'], /^brickgate: there is no command 'nonsense'\. brickgate --help lists them\.$/],
    [['token', '--nonsense'], /^brickgate: .*--nonsense.* brickgate token --help says what may be given\.$/],
    [['serve', '--port', '1'], /^brickgate: .*--port.* brickgate serve --help/],
    [['api-keys', 'create', '--name', 'x', '--rights', 'admin', '--expires-in', '0'], /^brickgate: --expires-in: seconds, from 1 to ten years\. brickgate api-keys create --help/],
    [['capabilities', 'create', '--connection', 'x', '--expires-in', '-1'], /^brickgate: --expires-in: seconds, from 1 to ten years\./],
    [['capabilities', 'create', '--connection', 'x', '--expires-in', '315360001'], /^brickgate: --expires-in: seconds, from 1 to ten years\./],
  ]) {
    const got = await command(words);
    assert.equal(got.code, 64, words.join(' '));
    assert.match(got.err.trim(), said);
  }
});

test('the demo keeps its practice Databricks where its connections know it, though its own port moves', async () => {
  const folder = join(temporaryFolder(), 'demo');
  const usual = 3000;
  const start = async () => {
    const demo = new Process(['demo', '--data', folder], { cwd: dirname(folder) });
    const at = await until(() => demo.end ? 'ended' : /practice Databricks is at (\S+);/.exec(demo.out)?.[1], 'the demo');
    const gateway = /Open {2}http:\/\/localhost:(\d+)\/auth/.exec(demo.out)?.[1];
    return { demo, at, gateway: Number(gateway) };
  };
  mkdirSync(dirname(folder), { recursive: true });
  const first = await start();
  await first.demo.stop();
  // Somebody else has the gateway's port now: the next free one is the practice Databricks' own.
  const { createServer } = await import('node:net');
  const others = [];
  for (let port = usual; port <= first.gateway; port += 1) {
    const server = createServer();
    await new Promise((resolve) => server.once('error', resolve).listen(port, '127.0.0.1', resolve));
    others.push(server.unref());
  }
  const second = await start();
  assert.equal(second.at, first.at);
  assert.notEqual(`http://127.0.0.1:${second.gateway}`, first.at);
  await second.demo.stop();
  for (const server of others) server.close();
});

test('the demo prints the same commands the first time as later, and whole ones where they would mean other data', async (t) => {
  const cwd = temporaryFolder();
  const commands = async () => {
    const demo = new Process(['demo', '--listen', `127.0.0.1:${await freePort()}`], { env: { __brickgate_called_as: './run' }, cwd });
    t.after(() => demo.kill());
    const url = await until(() => /Open {2}(\S+)\/auth/.exec(demo.out)?.[1], 'the demo');
    await signIn({ url }, new Jar());
    await until(() => /Three things to try/.test(demo.out) && /kill -9/.test(demo.out), 'the commands');
    await demo.stop();
    return demo.out;
  };
  for (const time of ['first', 'second']) {
    const out = await commands();
    assert.match(out, /\.\/run brickgate token con_\w+\n/, time);
    assert.doesNotMatch(out, /--data/, time);
  }
  writeFileSync(join(cwd, '.env'), '');
  assert.match(await commands(), /\.\/run brickgate token con_\w+ --data \S+\.brickgate\/demo\n/);
});
