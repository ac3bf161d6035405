// SPDX-License-Identifier: Apache-2.0
// T37, T38: which addresses reach the workspace. What passes arrives byte by byte; what could be read in two ways, or
// leads elsewhere, is refused before anything is sent.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { echo } from '../support/answers.mjs';
import { answersIn, converse } from '../support/raw.mjs';
import { ProxyWorld } from '../support/proxy_world.mjs';

let world;
before(async () => { world = await ProxyWorld.start(); });
after(() => world?.stop());
beforeEach(() => { world.double.reset(); world.double.on(/^/, echo); });

// One request on a socket of its own: the target is sent as it stands.
async function ask(target, { method = 'GET', lines = [], token = world.capability, host = world.host } = {}) {
  const head = [`${method} ${target} HTTP/1.1`, `Host: ${host}`, ...(token ? [`Authorization: Bearer ${token}`] : []), ...lines, 'Connection: close', '', ''].join('\r\n');
  const { text } = await converse(world.port, [head], { quiet: 10000 });
  const [answer] = answersIn(text, { bodiless: method === 'HEAD' });
  let code;
  try { code = JSON.parse(answer.body).error.code; } catch { /* not ours */ }
  return { ...answer, code, text };
}
const below = (target) => `/v1/connections/${world.id}/proxy${target}`;

const legal = `
/api/2.0/clusters/list
/api/2.0/clusters/get?cluster_id=0101-000000-practice
/api/2.1/jobs/runs/list?limit=25&expand_tasks=true
/api/2.2/jobs/get?job_id=11223344
/api/1.2/contexts/create
/api/2.0/sql/statements/01ef0000-0000-4000-8000-000000000001
/api/2.0/sql/statements/01ef0000-0000-4000-8000-000000000001/result/chunks/0
/api/2.0/sql/warehouses/0123456789abcdef
/api/2.0/fs/files/Volumes/main/default/v/data.csv
/api/2.0/fs/files/Volumes/main/default/v/%E4%B8%96%E7%95%8C.csv
/api/2.0/fs/files/Volumes/main/default/v/caf%C3%A9/x
/api/2.0/fs/files/Volumes/main/default/v/a%20b.csv
/api/2.0/fs/files/Volumes/main/default/v/100%25.csv
/api/2.0/fs/files/Volumes/main/default/v/x%2By.csv
/api/2.0/fs/files/Volumes/main/default/v/.hidden
/api/2.0/fs/files/Volumes/main/default/v/name.with..dots
/api/2.0/fs/files/Volumes/main/default/v/...
/api/2.0/fs/directories/Volumes/main/default/v/
/api/2.0/fs/files/Volumes/main/default/v/%F0%9F%A7%B1
/api/2.1/unity-catalog/tables/main.default.trips
/api/2.1/unity-catalog/tables/main.default.two%20words
/api/2.1/unity-catalog/permissions/table/main.default.trips
/api/2.0/workspace/export?path=%2FUsers%2Fada%40example.com%2Fnb&format=SOURCE&direct_download=true
/api/2.0/workspace/list?path=/Users/ada@example.com
/api/2.0/dbfs/read?path=/mnt/x&offset=0&length=1048576
/api/2.0/mlflow/runs/get?run_id=0a1b2c
/api/2.0/mlflow/experiments/get-by-name?experiment_name=%2FShared%2Fx%20y
/api/2.0/secrets/list?scope=a
/api/2.0/permissions/clusters/0101-000000-practice
/api/2.0/repos?path_prefix=%2FRepos
/api/2.0/git-credentials
/api/2.0/genie/spaces/01ef/start-conversation
/api/2.0/vector-search/indexes/main.default.idx/query
/api/2.0/apps/my-app/deployments
/api/2.0/pipelines/abc/events?filter=level%3D%27ERROR%27&order_by=timestamp%20desc
/api/2.0/ip-access-lists
/api/2.0/accounts/7a1c0de0-0000-4000-8000-000000000001/scim/v2/Users
/api/2.0/lakeview/dashboards/01ef/published
/serving-endpoints/practice/invocations
/serving-endpoints/databricks-meta-llama-3.1-405b/invocations
/serving-endpoints/practice/served-models/m-1/logs
/sql/1.0/warehouses/0123456789abcdef
/sql/1.0/endpoints/0123456789abcdef
/sql/protocolv1/o/1234567890123456/0101-000000-practice
/api/2.0/echo/~ada
/api/2.0/echo/a:b@c!d$e&f'g(h)i*j+k,l=m
/api/2.0/echo/v;version=1
/api/2.0/echo/%41%62c
/api/2.0/echo/a_b-c.d
/api/2.0/echo/
/api/2.0/echo?
/api/2.0/echo?&&
/api/2.0/echo?p=b?c=d
/api/2.0/echo?p=../..
/api/2.0/echo?p=%2e%2e%2f%2e%2e%2f
/api/2.0/echo?p=//x
/api/2.0/echo?p=%5c%5C
/api/2.0/echo?p=%C3%A9&b=%ff
/api/2.0/echo?x=1;y=2
/api/2.0/echo?organization=9&owner=ada&was=1&account=2&workspace=3
/api/2.0/echo?A=1&O=2&W=3
/api/2.0/echo?a%3D=1
/api/2.0/echo?filter=userName+eq+%22ada%40example.com%22&attributes=id,userName`.trim().split('\n').concat([
  `/api/2.0/echo/${'s'.repeat(4000)}?${'q'.repeat(3900)}`,
]);

test('T37 sixty legal targets arrive byte by byte, in both forms', async () => {
  assert.ok(legal.length >= 60, `${legal.length}`);
  for (const target of legal) {
    for (const [sent, options] of [[target, {}], [below(target), { token: world.key }]]) {
      if (sent.length > 8000) continue;
      world.double.calls.length = 0;
      const answer = await ask(sent, options);
      assert.equal(answer.status, 200, `${sent.slice(0, 200)}: ${answer.text.slice(0, 500)}`);
      assert.deepEqual(world.double.calls.map((x) => x.target), [target]);
    }
  }
  assert.deepEqual(world.double.violations, []);
});

test('T37 methods pass as they are', async () => {
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']) {
    const lines = ['POST', 'PUT', 'PATCH'].includes(method) ? ['Content-Length: 0'] : [];
    assert.equal((await ask('/api/2.0/echo', { method, lines })).status, 200, method);
    assert.equal(world.double.calls.at(-1).method, method);
  }
});

function hostilePaths() {
  const dots = ['.', '..', '%2e', '%2E', '%2e%2e', '.%2e', '%2E.', '%252e', '%252e%252e', '.%252e', '%25252e%25252e', '%%32%65', '..;', '..;x=y', '.;', ';..', '%2e%2e;a', '..%3b', '%2e%2e%3Bx'];
  const frames = ['/api/2.0/_/clusters/list', '/api/_/oidc/v1/token', '/api/2.0/fs/files/_/_/oidc/v1/token', '/serving-endpoints/_/api/2.0/x', '/sql/1.0/_/_/login', '/api/2.0/clusters/_'];
  const whole = dots.flatMap((dot) => frames.map((frame) => frame.replaceAll('_', dot)));
  const pieces = [];
  for (let byte = 0; byte < 0x20; ++byte) pieces.push(`%${byte.toString(16).padStart(2, '0')}`);
  pieces.push('%7f', '%7F', '%2500', '%250a', '%250d', '%257f', '%252500', '%2f', '%2F', '%5c', '%5C', '%252f', '%255c', '%25252F', '\\', '\\..\\', '%', '%2', '%zz', '%u002e', '%-1', '%+1', '%0x', '#', '#x',
    '\xe9', '\xff', '\x80', '%c0%ae', '%c0%af', '%e0%80%af', '%ff', '%fe', '%ed%a0%80', '%f4%90%80%80', '%c2%80', '%c2%9f', '%c0%80', '%25c0%25ae');
  const inside = pieces.flatMap((piece) => ['/api/2.0/echo/a_zz', '/api/2.0/fs/files/Volumes/a_zz'].map((frame) => frame.replace('_', piece)));
  return [...whole, ...inside, '/api//2.0/echo', '/api/2.0//echo', '//api/2.0/echo', '/api/2.0/echo//', '/api/2.0/echo///x', '/api/2.0/caf%C3%A9', '/serving-endpoints/%C3%A9/invocations'];
}

// Not below what is passed on, however it is written.
const elsewhere = ['/oidc/v1/token', '/oidc', '/OIDC/v1/token', '/login.html', '/login', '/aad/auth', '/.well-known/openid-configuration', '/', '', '/ap', '/api', '/apix/2.0/x', '/API/2.0/clusters/list',
  '/%61pi/2.0/clusters/list', '/sql', '/sql/', '/sql/2.0/warehouses/x', '/sql/1.0', '/sql/protocolv2/x', '/serving-endpoints', '/serving-endpointsx/y', '/?/api/2.0/x', '/explore/data', '/dbfs/x', '/files/x',
  '/driver-proxy/o/0/x', '/graphql', '/ajax-api/2.0/x', '/telemetry-unauth', '/v1/connections', '/_sandbox/settings'];

test('T37 hostile targets are refused by name, and nothing is sent', async () => {
  const rows = hostilePaths();
  assert.ok(rows.length >= 250, `${rows.length}`);
  for (const target of rows) {
    for (const [sent, options] of [[target, {}], [below(target), { token: world.key }]]) {
      const answer = await ask(sent, options);
      assert.ok(answer.status >= 400 && answer.status < 500, `${JSON.stringify(sent)}: ${answer.text.slice(0, 300)}`);
      if (sent !== target) assert.equal(answer.status, 400, JSON.stringify(sent));
      if (sent !== target && /^[\x21-\x7e]+$/.test(sent) && !sent.includes('#')) assert.equal(answer.code, 'path_rejected', JSON.stringify(sent));
    }
  }
  assert.deepEqual(world.double.calls.map((x) => x.target), []);
});

test('T37 other parts of a workspace are out of reach', async () => {
  const forwarded = world.double.forwarded.length;
  for (const target of elsewhere) {
    const answer = await ask(below(target), { token: world.key });
    assert.ok(answer.status === 400 || answer.status === 404, `${target}: ${answer.status}`);
    if (answer.status === 400) assert.equal(answer.code, 'path_rejected', target);
    if (target !== '') await ask(target);
  }
  assert.deepEqual(world.double.calls.map((x) => x.target), []);
  assert.equal(world.double.forwarded.length, forwarded);
});

test('T38 absolute, authority and asterisk forms go nowhere', async () => {
  const rows = [['GET', 'https://evil.test/api/2.0/x'], ['GET', `http://${world.host}/api/2.0/echo`], ['GET', `${world.double.origin}/api/2.0/echo`], ['CONNECT', 'evil.test:443'], ['CONNECT', world.host],
    ['GET', '*'], ['OPTIONS', '*'], ['GET', 'api/2.0/echo'], ['GET', '@evil.test/api/2.0/echo'], ['GET', ':80/api/2.0/echo'], ['GET', 'evil.test:443']];
  for (const [method, target] of rows) {
    const answer = await ask(target, { method });
    assert.ok(answer.status === 400 || (target === '*' && [400, 404, 405].includes(answer.status)) || (method === 'CONNECT' && [400, 405, 501].includes(answer.status)), `${method} ${target}: ${answer.text.slice(0, 200)}`);
  }
  for (const target of ['https://evil.test/api/2.0/x', '@evil.test/', '.evil.test/api/2.0/x', ':443/api/2.0/x']) assert.ok((await ask(below(target), { token: world.key })).status >= 400, target);
  assert.equal(world.double.calls.length, 0);
});

test('T38 host and workspace come from the row alone', async () => {
  const lines = ['X-Forwarded-Host: evil.test', 'X-Forwarded-For: 1.2.3.4', 'Forwarded: host=evil.test', 'X-Original-URL: /oidc/v1/token', 'X-Rewrite-URL: /oidc/v1/token', 'X-Databricks-Org-Id: 9',
    'X-Databricks-Workspace-Id: 9', 'x-databricks-org-id: 8', 'X_Databricks_Org_Id: 7', 'X-HTTP-Method-Override: DELETE'];
  assert.equal((await ask('/api/2.0/echo', { lines })).status, 200);
  const [x] = world.double.calls;
  assert.deepEqual(x.all('host'), [`127.0.0.1:${world.double.port}`]);
  assert.equal(x.method, 'GET');
  for (const name of ['x-forwarded-host', 'x-forwarded-for', 'forwarded', 'x-original-url', 'x-rewrite-url', 'x_databricks_org_id', 'x-http-method-override']) assert.deepEqual(x.all(name), [], name);
  for (const name of ['x-databricks-org-id', 'x-databricks-workspace-id']) assert.ok(['', '1234567890123456'].includes(x.all(name).join()), `${name}: ${x.all(name)}`);
});

test('T38 the query cannot choose another workspace or account', async () => {
  const rows = [['?o=9', ''], ['?o=9&x=1', '?x=1'], ['?x=1&o=9', '?x=1'], ['?x=1&o=9&y=2', '?x=1&y=2'], ['?o', ''], ['?o=', ''], ['?w=9', ''], ['?workspace_id=9', ''], ['?a=9', ''], ['?account_id=9', ''],
    ['?%6f=9', ''], ['?o=1&o=2', ''], ['?%61ccount_id=9&z', '?z'], ['?x=%26o=9', '?x=%26o=9']];
  for (const [query, kept] of rows) {
    world.double.calls.length = 0;
    const answer = await ask(`/api/2.0/echo${query}`);
    assert.equal(answer.status, 200, query);
    assert.equal(world.double.calls[0].target, `/api/2.0/echo${kept}`, query);
  }
  world.double.calls.length = 0;
  for (const query of ['?x=1;o=9', '?x;account_id=9']) assert.equal((await ask(`/api/2.0/echo${query}`)).code, 'path_rejected', query);
  assert.equal(world.double.calls.length, 0);
});
