// SPDX-License-Identifier: Apache-2.0
// The demo as somebody meets it: the link, the lines to copy, the three things to try.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { approve, command, Jar, Process, root, signIn, temporaryFolder, until } from '../support/brickgate.mjs';

const cwd = temporaryFolder();
const data = join(cwd, '.brickgate/demo');
let demo, url;

const start = async (args = []) => {
  const run = new Process(['demo', ...args], { cwd });
  const ready = await run.ready();
  await until(() => /Open {2}(\S+)\/auth/.test(run.out), 'the link');
  return { run, ready, url: /Open {2}(\S+)\/auth/.exec(run.out)[1] };
};
const plain = (html) => html.replace(/<[^>]+>/g, '\n').replace(/&#(\d+);/g, (_, code) => String.fromCharCode(code)).replace(/&quot;/g, '"').replace(/&amp;/g, '&');
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('BRICKGATE_')));
const shell = (line) => execFileSync('sh', ['-c', line], { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const commandsOf = (text) => text.split('\n').filter((line) => line.startsWith('      ')).map((line) => line.trim());

before(async () => {
  ({ run: demo, url } = await start());
});
after(() => demo.stop());

test('the link signs in, and page and terminal show the same lines', async () => {
  const signed = await signIn({ url }, new Jar());
  assert.equal(signed.page.status, 200);
  await until(() => demo.out.includes('Three things to try'), 'the lines in the terminal');
  const commands = commandsOf(demo.out);
  assert.equal(commands.length, 7);
  const page = plain(signed.page.text);
  for (const line of commands) assert.ok(page.includes(line), `${line} is not on the page`);
  assert.match(commands[0], /^curl -H 'Authorization: Bearer bg_\S+' http:\/\/localhost:\d+\/v1\/connections\/con_[0-9a-f]{32}\/token$/);
});

test('every line can be copied, and survives kill -9 and a new start', async () => {
  const [curl, token, expire, again, kill, restart, afterwards] = commandsOf(demo.out);
  const first = JSON.parse(shell(`${curl} -s`)).access_token;
  // A second person signs in: the lines that the first one copied are still about the first one.
  assert.notEqual((await signIn({ url }, new Jar(), { email: 'grace@example.com' })).id, undefined);
  assert.equal(shell(token).trim(), first);
  shell(`${expire} -s`);
  const second = shell(again).trim();
  assert.notEqual(second, first, 'a fresh one');
  assert.equal(kill, `kill -9 ${demo.child.pid}`);
  shell(kill);
  await demo.ended;
  assert.match(restart, / demo --data \S+$/);
  ({ run: demo, url } = await start(['--data', data]));
  assert.equal(shell(afterwards).trim(), second, 'the connection is still there');
  assert.equal(JSON.parse(shell(`${curl} -s`)).access_token, second, 'and so is the key');
  assert.notEqual(shell(again).trim(), second, 'and the practice Databricks knows its grant');
});

test('the practice Databricks is found wherever it was told to listen', async () => {
  for (const host of ['0.0.0.0', 'localhost', '[::1]']) {
    const folder = join(temporaryFolder(), 'demo');
    const { run, ready, url: there } = await start(['--data', folder, '--sandbox-listen', `${host}:0`]);
    assert.ok(ready.sandbox.startsWith(`http://${host === '0.0.0.0' ? '127.0.0.1' : host}:`), ready.sandbox);
    assert.equal((await signIn({ url: there }, new Jar())).page.status, 200, host);
    await until(() => run.out.includes(`--sandbox-listen ${host}:${new URL(ready.sandbox).port}`), 'the line that starts it again with it');
    await run.stop();
  }
});

test('what the practice Databricks holds back does not hold up the end', async () => {
  const folder = join(temporaryFolder(), 'demo');
  const { run, ready } = await start(['--data', folder]);
  await fetch(`${ready.sandbox}/_sandbox/faults`, { method: 'POST', body: JSON.stringify({ endpoint: 'discovery', kind: 'hold_before_commit' }) });
  const held = fetch(`${ready.sandbox}/oidc/.well-known/oauth-authorization-server`).then(() => 'answered', () => 'ended');
  await until(async () => (await (await fetch(`${ready.sandbox}/_sandbox/log`)).json()).requests.some((line) => line.path.includes('.well-known')), 'the request to be held');
  run.child.kill('SIGTERM');
  assert.equal((await Promise.race([run.ended, new Promise((resolve) => setTimeout(resolve, 30000, { code: 'still there' }))])).code, 0);
  await held;
});

test('who denies is told so, and nothing is kept', async () => {
  const before = JSON.parse((await command(['connections', 'list', '--json', '--data', data], { cwd })).out).items.length;
  const denied = await signIn({ url }, new Jar(), { answer: 'deny' });
  assert.equal(denied.code, 'access_denied');
  assert.equal(JSON.parse((await command(['connections', 'list', '--json', '--data', data], { cwd })).out).items.length, before);
});

test('a taken port is said, the next one is used, and its redirect URI is registered', async () => {
  const other = createServer();
  await new Promise((resolve) => other.listen(3000, '127.0.0.1', resolve).once('error', resolve));
  const folder = join(temporaryFolder(), 'demo');
  const { run, url: there } = await start(['--data', folder]);
  try {
    assert.doesNotMatch(there, /:3000$/);
    assert.match(run.out, /Port 3000 is taken; the demo uses \d+ and registers http:\/\/localhost:\d+\/callback/);
    assert.equal((await signIn({ url: there }, new Jar())).page.status, 200);
  } finally {
    await run.stop();
    other.close();
  }
});

test('what lies in the data folder is documented', async () => {
  const page = readFileSync(join(root, 'docs/operations.md'), 'utf8');
  const table = page.slice(page.indexOf('## The data folder'), page.indexOf('## Backup'));
  const documented = [...table.matchAll(/^\| ([^|]+) \|/gm)].flatMap(([, cell]) => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1].replace(/\/$/, '')));
  for (const name of readdirSync(data)) assert.ok(documented.includes(name) || documented.some((ending) => name === `brickgate.db${ending}`), `${name} is not in docs/operations.md`);
});

test('a second demo on the same folder is refused and changes nothing', async () => {
  const second = await command(['demo', '--data', data], { cwd });
  assert.equal(second.code, 75);
  assert.match(second.err, /in use by process \d+/);
  assert.equal((await signIn({ url }, new Jar())).page.status, 200);
});

test('over SSH the line for the own machine is printed', async () => {
  const folder = join(temporaryFolder(), 'demo');
  const run = new Process(['demo', '--data', folder], { cwd, env: { SSH_CONNECTION: '203.0.113.7 50000 198.51.100.2 22', USER: 'ada' } });
  await run.ready();
  await until(() => run.out.includes('Ctrl-C'), 'the welcome');
  await run.stop();
  assert.match(run.out, /ssh -L (\d+):127\.0\.0\.1:\1 -L (\d+):127\.0\.0\.1:\2 ada@198\.51\.100\.2/);
});

test("somebody's real workspace in .env does not reach the demo", async () => {
  const folder = temporaryFolder();
  const { writeFileSync } = await import('node:fs');
  writeFileSync(join(folder, '.env'), 'CLIENT_ID=real\nCLIENT_SECRET=doseREAL\nDATABRICKS_HOST=dbc-1.cloud.databricks.com\nREDIRECT_URI=https://gate.example.com/back\n', { mode: 0o600 });
  const run = new Process(['demo'], { cwd: folder });
  const ready = await run.ready();
  const authorize = (await new Jar().get(`${ready.public_url}/auth`)).location;
  await run.stop();
  assert.ok(authorize.startsWith(ready.sandbox), authorize);
  assert.equal(new URL(authorize).searchParams.get('client_id'), 'brickgate-demo');
  assert.ok(existsSync(join(folder, '.brickgate/demo/brickgate.db')));
});

test('T65 the environment of a running gateway holds no secret', async () => {
  const folder = join(temporaryFolder(), 'data');
  const run = new Process(['serve', '--data', folder, '--listen', '127.0.0.1:0'], {
    cwd, env: { CLIENT_ID: 'x', CLIENT_SECRET: 'dose-canary-9911', DATABRICKS_HOST: 'dbc-1.cloud.databricks.com', REDIRECT_URI: 'http://localhost:3999/callback' },
  });
  await run.ready();
  const environment = readFileSync(`/proc/${run.child.pid}/environ`, 'latin1');
  await run.stop();
  assert.ok(environment.includes('CLIENT_ID=x'), 'the file is the right one');
  assert.ok(!environment.includes('dose-canary-9911'));
});

test('Ctrl-C ends a sign-in at the terminal and frees its port', async () => {
  const login = new Process(['login', new URL(await new Jar().get(`${url}/auth`).then((answer) => answer.location)).origin, '--no-browser', '--data', data], { cwd });
  const link = await until(() => /http\S+authorize\?\S+/.exec(login.err)?.[0], 'the link');
  const port = new URL(new URL(link).searchParams.get('redirect_uri')).port;
  login.child.kill('SIGINT');
  await login.ended;
  await assert.rejects(fetch(`http://127.0.0.1:${port}/`));
  assert.equal((await command(['connections', 'list', '--data', data], { cwd })).code, 0, 'the daemon did not notice');
  await approve(link);
});
