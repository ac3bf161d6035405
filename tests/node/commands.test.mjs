// SPDX-License-Identifier: Apache-2.0
// The command line as people and scripts use it: signing in from a terminal, tokens, keys, doctor, exit codes.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { approve, command, freePort, Gateway, Jar, Process, Sandbox, signIn, temporaryFolder, until } from '../support/brickgate.mjs';

let sandbox, gateway, id;
before(async () => {
  sandbox = await Sandbox.start();
  gateway = await Gateway.start({ sandbox });
  await sandbox.control('POST', 'apps', { client_id: 'brickgate-demo', client_secret: 'brickgate-demo-secret', redirect_uris: [`${gateway.url}/callback`] });
  ({ id } = await signIn(gateway, new Jar()));
});
after(async () => {
  await gateway.stop();
  await sandbox.stop();
});

const loginAtTerminal = async (data, host, env = {}) => {
  const login = new Process(['login', host, '--data', data, '--no-browser'], { env, cwd: dirname(data) });
  const url = await until(() => login.end ? 'ended' : /(http\S+authorize\?\S+)/.exec(login.err)?.[1], 'the link');
  if (url === 'ended') return { login, url };
  return { login, url: String(url) };
};

test('brickgate login needs no registered app, and brickgate token prints a token afterwards', async () => {
  const data = join(temporaryFolder(), 'data');
  const env = { BRICKGATE_DATABRICKS_HOSTS: sandbox.origin };
  const { login, url } = await loginAtTerminal(data, sandbox.origin, env);
  const query = new URL(url).searchParams;
  assert.equal(query.get('client_id'), 'databricks-cli');
  assert.equal(query.get('scope'), 'all-apis offline_access');
  assert.match(query.get('redirect_uri'), /^http:\/\/localhost:80[234]\d$/);
  const callback = await approve(url);
  const port = new URL(callback).port;
  assert.equal((await fetch(`http://127.0.0.1:${port}/favicon.ico`)).status, 404, 'noise does not end the wait');
  assert.equal((await fetch(`http://127.0.0.1:${port}/?code=x`)).status, 404);
  assert.equal((await fetch(callback.replace('localhost', '127.0.0.1'))).status, 200);
  const end = await login.ended;
  assert.equal(end.code, 0, login.err);
  assert.match(login.err, /Signed in as ada@example.com/);
  await assert.rejects(fetch(`http://127.0.0.1:${port}/`), 'the listener is closed right after');
  const token = await command(['token', '--data', data, '--output', 'json'], { env, cwd: dirname(data) });
  assert.equal(token.code, 0, token.err);
  const document = JSON.parse(token.out);
  assert.deepEqual(Object.keys(document), ['access_token', 'token_type', 'expiry']);
});

test('while somebody signs in at a terminal, other commands and a daemon may have the data folder', async () => {
  const data = join(temporaryFolder(), 'data');
  const env = { BRICKGATE_DATABRICKS_HOSTS: sandbox.origin, BRICKGATE_DATA_ROOT_KEY: `rk1:${randomBytes(32).toString('base64')}` };
  const { login, url } = await loginAtTerminal(data, sandbox.origin, env);
  const list = await command(['connections', 'list', '--data', data], { env, cwd: dirname(data) });
  assert.equal(list.code, 0, list.err);
  assert.match(list.out, /no connections yet/);
  const port = await freePort();
  const daemon = new Process(['serve', '--data', data, '--listen', `127.0.0.1:${port}`], { env: { ...env, CLIENT_ID: 'x' }, cwd: dirname(data) });
  await daemon.ready();
  await fetch((await approve(url)).replace('localhost', '127.0.0.1'));
  assert.equal((await login.ended).code, 0, login.err);
  assert.equal((await command(['token', '--data', data], { env, cwd: dirname(data) })).code, 0);
  await daemon.stop();
});

test('a host that is neither Databricks nor listed is refused at the terminal too', async () => {
  const data = join(temporaryFolder(), 'data');
  const refused = await command(['login', 'evil.test', '--data', data, '--no-browser'], { cwd: dirname(data) });
  assert.equal(refused.code, 1);
  assert.match(refused.err, /code: host_denied/);
});

test('signing in at a terminal works through the running daemon as well', async () => {
  const { login, url } = await loginAtTerminal(gateway.data, sandbox.origin, gateway.env);
  const callback = await approve(url, { email: 'grace@example.com' });
  await fetch(callback.replace('localhost', '127.0.0.1'));
  assert.equal((await login.ended).code, 0, login.err);
  const list = JSON.parse((await gateway.cli('connections', 'list', '--json')).out);
  assert.ok(list.items.some((row) => row.principal.user_name === 'grace@example.com'));
  const several = await gateway.cli('token');
  assert.notEqual(several.code, 0);
  assert.match(several.err, /several connections/);
});

test('the line that login prints can be typed, however the program was called and wherever its data is', async () => {
  for (const [called, start] of [[{}, /: \S*brickgate\S* token con_\w+ --data '/], [{ __brickgate_called_as: './run' }, /: \.\/run brickgate token con_\w+ --data '/]]) {
    const data = join(temporaryFolder(), 'a folder');
    const env = { BRICKGATE_DATABRICKS_HOSTS: sandbox.origin, BRICKGATE_DATA_DIR: data, ...called };
    const login = new Process(['login', sandbox.origin, '--no-browser'], { env, cwd: dirname(data) });
    const url = await until(() => login.end ? 'ended' : /(http\S+authorize\?\S+)/.exec(login.err)?.[1], 'the link');
    await fetch((await approve(url)).replace('localhost', '127.0.0.1'));
    assert.equal((await login.ended).code, 0, login.err);
    assert.match(login.out, start);
    assert.ok(login.out.trim().endsWith(`--data '${data}'`), login.out);
  }
  // A folder that the next call finds by itself needs no name.
  const state = temporaryFolder();
  const env = { BRICKGATE_DATABRICKS_HOSTS: sandbox.origin, XDG_STATE_HOME: state };
  const login = new Process(['login', sandbox.origin, '--no-browser'], { env, cwd: state });
  const url = await until(() => login.end ? 'ended' : /(http\S+authorize\?\S+)/.exec(login.err)?.[1], 'the link');
  await fetch((await approve(url)).replace('localhost', '127.0.0.1'));
  assert.equal((await login.ended).code, 0, login.err);
  assert.match(login.out, /brickgate\S* token con_\w+\n$/);
});

test('hints name commands as they were called', async () => {
  const data = join(temporaryFolder(), 'data');
  const ask = (env) => command(['token', '--data', data], { env, cwd: dirname(data) });
  assert.match((await ask({})).err, /Sign in first: brickgate login HOST/);
  assert.match((await ask({ __brickgate_called_as: './run' })).err, /Sign in first: \.\/run brickgate login HOST/);
});

test('connections: list, show, explain, refresh, disconnect', async () => {
  assert.match((await gateway.cli('connections', 'list')).out, /active/);
  assert.equal(JSON.parse((await gateway.cli('connections', 'show', id)).out).id, id);
  assert.match((await gateway.cli('connections', 'explain', id)).out, /Healthy/);
  assert.equal((await gateway.cli('connections', 'refresh', id)).code, 0);
  const unknown = await gateway.cli('connections', 'show', 'con_00000000000000000000000000000000');
  assert.equal(unknown.code, 1);
  assert.match(unknown.err, /connection_unknown/);

  // Another person's, so that the others go on.
  const alan = await signIn(gateway, new Jar(), { email: 'alan@example.com' });
  assert.equal((await gateway.token(alan.id)).status, 200);
  const ended = await gateway.cli('connections', 'disconnect', alan.id);
  assert.equal(ended.code, 0, ended.err);
  assert.match(ended.out, /erased here/);
  assert.match(ended.out, /account console/, 'where the grant itself can be ended');
  assert.equal(JSON.parse((await gateway.cli('connections', 'show', alan.id)).out).status, 'disconnected');
  const gone = await gateway.token(alan.id);
  assert.deepEqual([gone.status, gone.body.error.code], [410, 'disconnected']);
  assert.equal((await gateway.cli('connections', 'refresh', alan.id)).code, 1);
  assert.equal((await gateway.token(id)).status, 200);
  assert.equal((await gateway.cli('connections', 'disconnect', 'con_00000000000000000000000000000000')).code, 1);
});

test('api keys: shown once, limited by rights, revoked at once', async () => {
  const made = JSON.parse((await gateway.cli('api-keys', 'create', '--name', 'reader', '--rights', 'token:read', '--json')).out);
  assert.match(made.key, /^bg_[0-9a-f]{16}_[A-Za-z0-9_-]{43}$/);
  const ask = (path, key) => fetch(gateway.url + path, { headers: { authorization: `Bearer ${key}` } });
  assert.equal((await ask(`/v1/connections/${id}/token`, made.key)).status, 200);
  const forbidden = await ask('/v1/connections', made.key);
  assert.equal(forbidden.status, 403);
  assert.equal((await forbidden.json()).error.code, 'forbidden');
  assert.ok(!(await gateway.cli('api-keys', 'list', '--json')).out.includes(made.key.slice(-43)));
  assert.equal((await gateway.cli('api-keys', 'revoke', made.id)).code, 0);
  assert.equal((await ask(`/v1/connections/${id}/token`, made.key)).status, 401);
  for (const bad of ['', 'x', made.key.slice(0, -1), `${made.key}x`, made.key.replace('bg_', 'bg_0')]) {
    assert.equal((await ask(`/v1/connections/${id}/token`, bad)).status, 401);
  }
  const inUrl = await fetch(`${gateway.url}/v1/connections?key=${made.key}`);
  assert.deepEqual([inUrl.status, (await inUrl.json()).error.code], [400, 'key_in_url'], 'never by query');
});

test('T70 a second process on the data folder is refused with exit code 75', async () => {
  const second = await command(['serve', '--data', gateway.data, '--listen', `127.0.0.1:${await freePort()}`], { env: gateway.env, cwd: dirname(gateway.data) });
  assert.equal(second.code, 75);
  assert.match(second.err, /in use by process \d+/);
});

test('a taken port names the remedy and the redirect URI that must change', async () => {
  const data = join(temporaryFolder(), 'data');
  const taken = await command(['serve', '--data', data, '--listen', `127.0.0.1:${gateway.port}`], { env: gateway.env, cwd: dirname(data) });
  assert.equal(taken.code, 69);
  assert.match(taken.err, /redirect URI .*callback/i);
});

test('doctor and config say what is set, where it came from, and what is wrong', async () => {
  const env = { ...gateway.env, REDIRECT_URI: `${gateway.url}/callback`, BRICKGATE_SERVER_LISTEN: `127.0.0.1:${gateway.port}` };
  const doctor = await command(['doctor', '--data', gateway.data], { env, cwd: dirname(gateway.data) });
  assert.equal(doctor.code, 0, doctor.out + doctor.err);
  assert.match(doctor.out, /Discovery/);
  assert.match(doctor.out, /clock/i);
  const config = await gateway.cli('config');
  assert.match(config.out, /databricks\.client_secret = \(?set, not shown/);
  assert.ok(!config.out.includes('brickgate-demo-secret'));
});

test('wrong words on the command line exit with 64, bad configuration with 78', async () => {
  assert.equal((await command(['nonsense'])).code, 64);
  assert.equal((await command(['token', '--output', 'xml'])).code, 64);
  const data = join(temporaryFolder(), 'data');
  const bad = await command(['serve', '--data', data], { env: { DATABRICKS_HOST: 'https://<your-databricks-instance>', CLIENT_ID: 'x' }, cwd: dirname(data) });
  assert.equal(bad.code, 78);
  assert.match(bad.err, /your-databricks-instance/);
  const open = join(temporaryFolder(), 'open');
  mkdirSync(open);
  chmodSync(open, 0o755);
  const wide = await command(['serve', '--data', open, '--listen', `127.0.0.1:${await freePort()}`], { env: gateway.env, cwd: dirname(open) });
  assert.equal(wide.code, 78);
  assert.match(wide.err, /chmod 700/);
});

test('T73 nothing in the data folder reads as a token, and files are for their owner only', async () => {
  const { readdirSync, readFileSync } = await import('node:fs');
  const token = (await gateway.token(id)).body.access_token;
  const files = readdirSync(gateway.data, { recursive: true }).map((name) => join(gateway.data, name));
  for (const file of files) {
    const about = statSync(file);
    assert.equal(about.mode & 0o077, 0, file);
    if (about.isFile()) assert.ok(!readFileSync(file).includes(token.slice(0, 60)), file);
  }
});

test('doctor asks the workspace whether it knows the app and its redirect URI', async () => {
  const finding = async (check, env) => {
    const run = await command(['doctor', '--json', '--data', gateway.data], { env: { ...gateway.env, ...env }, cwd: dirname(gateway.data) });
    return JSON.parse(run.out).findings.find((one) => one.check === check);
  };
  const redirect = { REDIRECT_URI: `${gateway.url}/callback`, BRICKGATE_SERVER_LISTEN: `127.0.0.1:${gateway.port}` };
  assert.equal((await finding('app', redirect)).verdict, 'ok');
  const other = await finding('app', { ...redirect, REDIRECT_URI: `${gateway.url}/elsewhere` });
  assert.equal(other.verdict, 'fail');
  assert.match(other.what, /redirect_uri '\S+\/elsewhere' not registered/);
  assert.match(other.remedy, /Register \S+\/elsewhere/);
  const unknown = await finding('app', { ...redirect, CLIENT_ID: 'nobody' });
  assert.equal(unknown.verdict, 'fail');
  assert.match(unknown.what, /client_id: 'nobody' not available/);
  assert.equal((await finding('redirect_uri', redirect)).verdict, 'ok');
  const misled = await finding('redirect_uri', { ...redirect, BRICKGATE_SERVER_LISTEN: '127.0.0.1:1' });
  assert.equal(misled.verdict, 'fail');
  assert.match(misled.remedy, new RegExp(`--listen 127\\.0\\.0\\.1:${gateway.port}`));
  assert.equal((await finding('redirect_uri', { ...redirect, BRICKGATE_SERVER_LISTEN: '0.0.0.0:3000', BRICKGATE_TLS_TERMINATED_UPSTREAM: 'true' })).verdict, 'warn');
  const nowhere = await finding('workspaces', { ...redirect, DATABRICKS_HOST: '' });
  assert.equal(nowhere.verdict, 'fail');
  assert.equal((await finding('workspaces', redirect)).verdict, 'ok');
});

test('serve warns of a redirect URI that leads to another port, and of an app without workspaces', async () => {
  const warned = async (env, listen) => {
    const folder = temporaryFolder();
    const run = new Process(['serve', '--data', join(folder, 'data'), '--listen', `127.0.0.1:${listen}`], { env: { CLIENT_ID: 'x', ...env }, cwd: folder });
    await run.ready();
    await run.stop();
    return run.log.filter((line) => line.event === 'configuration').map((line) => line.message).join('\n');
  };
  const [port, elsewhere] = [await freePort(), await freePort()];
  const host = { DATABRICKS_HOST: sandbox.origin };
  assert.match(await warned({ ...host, REDIRECT_URI: `http://localhost:${elsewhere}/callback` }, port), new RegExp(`leads to port ${elsewhere}`));
  assert.doesNotMatch(await warned({ ...host, REDIRECT_URI: `http://localhost:${port}/callback` }, port), /leads to port/);
  assert.doesNotMatch(await warned({ ...host, REDIRECT_URI: 'https://gate.example.com/callback' }, port), /leads to port/);
  assert.match(await warned({}, port), /there is no workspace/);
  assert.doesNotMatch(await warned({ BRICKGATE_DATABRICKS_HOSTS: '.cloud.databricks.com' }, port), /there is no workspace/);
});
