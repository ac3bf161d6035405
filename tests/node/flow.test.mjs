// SPDX-License-Identifier: Apache-2.0
// The sign-in as the incidents it prevents: the real program against its sandbox, which is the judge.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { begin, approve, Gateway, Jar, Sandbox, signIn } from '../support/brickgate.mjs';
import { raw } from '../support/raw.mjs';

let sandbox, gateway;

before(async () => {
  sandbox = await Sandbox.start({ redirectUris: ['http://localhost:1/callback'] });
  gateway = await Gateway.start({ sandbox, env: { BRICKGATE_APP_RETURN_TO: 'http://localhost:4000/connected,https://app.example/x?y=1' } });
  await sandbox.control('POST', 'apps', {
    client_id: 'brickgate-demo', client_secret: 'brickgate-demo-secret', name: 'Brickgate demo', redirect_uris: [`${gateway.url}/callback`],
  });
});
after(async () => {
  await gateway.stop();
  await sandbox.stop();
});

const noToken = async (run) => {
  const before = (await sandbox.tokenCalls()).length;
  const result = await run();
  assert.equal((await sandbox.tokenCalls()).length, before, 'no request reached the token endpoint');
  return result;
};
const codeOf = (page) => /Code: <code>([a-z_]+)</.exec(page.text)?.[1];
const resultOf = async (jar, back) => {
  assert.equal(back.status, 303);
  assert.equal(back.text, '');
  return jar.get(gateway.url + back.location);
};

test('a person signs in, and the page names workspace and person', async () => {
  const signed = await signIn(gateway, new Jar());
  assert.equal(signed.page.status, 200);
  assert.match(signed.page.text, /Authorization successful!/);
  assert.match(signed.page.text, /Ada Lovelace/);
  const token = await gateway.token(signed.id);
  assert.equal(token.status, 200);
  assert.equal(token.body.token_type, 'Bearer');
  const me = await fetch(`${sandbox.origin}/api/2.0/preview/scim/v2/Me`, { headers: { authorization: `Bearer ${token.body.access_token}` } });
  assert.equal((await me.json()).userName, 'ada@example.com');
});

test('the authorize URL asks for what it must', async () => {
  const url = new URL(await begin(gateway, new Jar()));
  const query = Object.fromEntries(url.searchParams);
  assert.equal(url.pathname, '/oidc/v1/authorize');
  assert.equal(query.response_type, 'code');
  assert.equal(query.scope, 'all-apis offline_access openid profile email');
  assert.equal(query.code_challenge_method, 'S256');
  assert.equal(query.redirect_uri, `${gateway.url}/callback`);
  for (const name of ['state', 'nonce', 'code_challenge']) assert.match(query[name], /^[A-Za-z0-9_-]{43}$/);
});

test('T01 login CSRF: the right state in another browser is refused, and the attempt is over', async () => {
  const victim = new Jar();
  const jar = new Jar();
  const callback = await approve(await begin(gateway, jar));
  const page = await noToken(async () => resultOf(victim, await victim.get(callback)));
  assert.equal(page.status, 403);
  assert.equal(codeOf(page), 'state_cookie_missing');
  const again = await resultOf(jar, await jar.get(callback));
  assert.equal(codeOf(again), 'state_unknown');
});

test('T01 one changed character of the cookie is refused', async () => {
  const jar = new Jar();
  const callback = await approve(await begin(gateway, jar));
  const [name, value] = [...jar.cookies][0];
  jar.cookies.set(name, value.slice(0, -1) + (value.endsWith('A') ? 'B' : 'A'));
  const page = await noToken(async () => resultOf(jar, await jar.get(callback)));
  assert.equal(codeOf(page), 'state_cookie_missing');
});

test('T02 a forwarded authorize link connects nobody', async () => {
  const callback = await approve(await begin(gateway, new Jar()), { email: 'grace@example.com' });
  const page = await noToken(async () => { const jar = new Jar(); return resultOf(jar, await jar.get(callback)); });
  assert.equal(codeOf(page), 'state_cookie_missing');
  const list = await gateway.api('GET', '/v1/connections');
  assert.ok(!list.body.items.some((row) => row.principal.user_name === 'grace@example.com'));
});

test('T04 two hundred deliveries of one callback: one exchange', async () => {
  const jar = new Jar();
  const callback = await approve(await begin(gateway, jar));
  const before = (await sandbox.tokenCalls()).length;
  const cookie = [...jar.cookies].map((pair) => pair.join('=')).join('; ');
  const answers = await Promise.all(Array.from({ length: 200 }, async () => {
    const back = await fetch(callback, { redirect: 'manual', headers: { cookie } });
    const page = await fetch(gateway.url + back.headers.get('location'));
    return { status: page.status, text: await page.text() };
  }));
  assert.equal((await sandbox.tokenCalls()).length - before, 1);
  assert.equal(answers.filter((page) => page.status === 200).length, 1);
  assert.equal(answers.filter((page) => codeOf(page) === 'state_unknown').length, 199);
});

test('T05 T06 malformed callbacks are refused by name and use nothing up', async () => {
  const jar = new Jar();
  const callback = new URL(await approve(await begin(gateway, jar)));
  const state = callback.searchParams.get('state');
  const rows = [
    ['code=x', 'state_missing'], ['code=x&state=', 'state_missing'], [`code=x&state=${state.slice(1)}`, 'state_missing'],
    [`code=x&state=${state}A`, 'state_missing'], [`code=x&state=${state.slice(1)}!`, 'state_missing'],
    [`code=a&code=b&state=${state}`, 'param_duplicate'], [`code=a&state=${state}&state=${state}`, 'param_duplicate'],
    [`code=a&error=access_denied&state=${state}`, 'param_invalid'], [`state=${state}`, 'param_invalid'],
    [`code=&state=${state}`, 'param_invalid'], [`code=${'a'.repeat(4097)}&state=${state}`, 'param_invalid'],
    [`code=a%0a&state=${state}`, 'param_invalid'], [`code=%zz&state=${state}`, 'param_invalid'],
    [`error=${'e'.repeat(65)}&state=${state}`, 'param_invalid'], ['', 'state_missing'],
  ];
  await noToken(async () => {
    for (const [query, code] of rows) {
      const page = await resultOf(jar, await jar.get(`${gateway.url}/callback?${query}`));
      assert.equal(codeOf(page), code, query.slice(0, 60));
    }
    const long = await jar.get(`${gateway.url}/callback?state=${'a'.repeat(9000)}`);
    assert.equal(long.status, 414);
  });
  const page = await resultOf(jar, await jar.get(`${callback}&foo=1`));
  assert.equal(page.status, 200, 'the attempt itself was still good, unknown parameters are ignored');
});

test('T07 HEAD, OPTIONS and prefetch use nothing up', async () => {
  const jar = new Jar();
  const callback = await approve(await begin(gateway, jar));
  await noToken(async () => {
    assert.equal((await jar.get(callback, { method: 'HEAD' })).status, 405);
    assert.equal((await jar.get(callback, { method: 'OPTIONS' })).status, 405);
    const prefetch = await jar.get(callback, { headers: { 'sec-purpose': 'prefetch' } });
    assert.equal(prefetch.status, 503);
    assert.equal(prefetch.headers.get('cache-control'), 'no-store');
  });
  assert.equal((await resultOf(jar, await jar.get(callback))).status, 200);
});

test('T08 a cookie sent twice is refused', async () => {
  const jar = new Jar();
  const callback = await approve(await begin(gateway, jar));
  const [name, value] = [...jar.cookies][0];
  const back = await fetch(callback, { redirect: 'manual', headers: { cookie: `${name}=${value}; ${name}=${value}` } });
  const page = await new Jar().get(gateway.url + back.headers.get('location'));
  assert.equal(page.status, 400);
  assert.equal(codeOf(page), 'cookie_duplicate');
});

test('T09 nine tabs: the last eight finish, the first is told to start again', async () => {
  const jar = new Jar();
  const urls = [];
  for (let i = 0; i < 9; ++i) {
    urls.push(await begin(gateway, jar));
    if (i === 0) await new Promise((resolve) => setTimeout(resolve, 1100));   // cookies date in seconds
  }
  assert.equal(jar.cookies.size, 8);
  const first = await resultOf(jar, await jar.get(await approve(urls[0])));
  assert.equal(codeOf(first), 'login_expired');
  assert.match(first.text, /begin again/);
  for (const url of urls.slice(1)) assert.equal((await resultOf(jar, await jar.get(await approve(url)))).status, 200);
});

test('T09 five hundred cookies are too many headers', async () => {
  const cookie = Array.from({ length: 500 }, (_, i) => `bg_t_${i.toString(16).padStart(8, '0')}=${'x'.repeat(80)}`).join('; ');
  const answer = await fetch(`${gateway.url}/auth`, { redirect: 'manual', headers: { cookie } });
  assert.equal(answer.status, 431);
});

test('T11 an answer that names another issuer is refused before anything is sent', async () => {
  await sandbox.settings({ iss_in_callback: 'wrong' });
  const wrong = await noToken(() => signIn(gateway, new Jar()));
  assert.equal(wrong.code, 'iss_mismatch');
  assert.equal(wrong.page.status, 403);
  await sandbox.settings({ iss_in_callback: 'right' });
  assert.equal((await signIn(gateway, new Jar())).page.status, 200);
  await sandbox.settings({ iss_in_callback: 'none' });
});

test('T12 a host that is not listed never receives a byte', async () => {
  for (const host of ['dbc-a1b2c3d4-e5f6.cloud.databricks.com', 'evil.test', '127.0.0.1:1', 'http://127.0.0.1:1', `${sandbox.origin}@evil.test`]) {
    const page = await new Jar().get(`${gateway.url}/auth?workspace=${encodeURIComponent(host)}`);
    assert.equal(page.status, 400, host);
    assert.equal(codeOf(page), 'host_denied', host);
  }
});

test('T15 a code of another sign-in is refused by the verifier', async () => {
  const [a, b] = [new Jar(), new Jar()];
  const first = new URL(await approve(await begin(gateway, a)));
  const second = new URL(await approve(await begin(gateway, b)));
  second.searchParams.set('code', first.searchParams.get('code'));
  const page = await resultOf(b, await b.get(String(second)));
  assert.equal(page.status, 502);
  assert.equal(codeOf(page), 'code_rejected');
});

test('T16 two sign-ins, two challenges', async () => {
  const [a, b] = await Promise.all([begin(gateway, new Jar()), begin(gateway, new Jar())]);
  assert.notEqual(new URL(a).searchParams.get('code_challenge'), new URL(b).searchParams.get('code_challenge'));
});

test('T17 forged, foreign and stale id_tokens connect nobody', async () => {
  const rows = { alg_none: 'id_token_alg', hs256: 'id_token_alg', bad_signature: 'id_token_signature', wrong_aud: 'id_token_audience',
    wrong_iss: 'id_token_issuer', expired: 'id_token_expired', future_iat: 'id_token_time', no_sub: 'id_token_malformed' };
  const count = async () => (await gateway.api('GET', '/v1/connections?limit=1000')).body.items.length;
  const before = await count();
  for (const [how, code] of Object.entries(rows)) {
    await sandbox.settings({ id_token: how });
    const signed = await signIn(gateway, new Jar(), { email: 'alan@example.com' });
    assert.equal(signed.code, code, how);
    assert.equal(signed.page.status, 502);
  }
  await sandbox.settings({ id_token: 'good', issue: 'wrong_nonce' });
  assert.equal((await signIn(gateway, new Jar(), { email: 'alan@example.com' })).code, 'id_token_nonce');
  await sandbox.settings({ issue: 'all' });
  assert.equal(await count(), before);
});

test('T18 a key that was changed just before signing is fetched once', async () => {
  // A run of its own: within a minute of another fetch for an unknown key it would fail closed.
  const other = await Gateway.start({ sandbox });
  try {
    await sandbox.control('POST', 'apps', {
      client_id: 'brickgate-demo', client_secret: 'brickgate-demo-secret', name: 'Brickgate demo', redirect_uris: [`${other.url}/callback`, `${gateway.url}/callback`],
    });
    assert.equal((await signIn(other, new Jar())).page.status, 200);
    await sandbox.control('POST', 'rotate-key');
    const fetches = async () => (await sandbox.log((line) => line.path === '/oidc/jwks.json')).length;
    const before = await fetches();
    assert.equal((await signIn(other, new Jar())).page.status, 200);
    assert.equal(await fetches(), before + 1);
    await sandbox.control('POST', 'rotate-key');
    const again = await signIn(other, new Jar());
    assert.deepEqual([again.page.status, again.code], [502, 'id_token_key_unknown'], 'a second one in the same minute fails closed');
    assert.equal(await fetches(), before + 1);
  } finally {
    await other.stop();
  }
});

test('T20 more scope than asked for is refused, less is said', async () => {
  const other = await Gateway.start({ sandbox });
  await sandbox.control('POST', 'apps', {
    client_id: 'brickgate-demo', client_secret: 'brickgate-demo-secret', name: 'Brickgate demo', redirect_uris: [`${other.url}/callback`, `${gateway.url}/callback`],
  });
  await sandbox.settings({ scope: 'extra' });
  assert.equal((await signIn(other, new Jar())).code, 'scope_escalation');
  await sandbox.settings({ scope: 'fewer' });
  const signed = await signIn(other, new Jar());
  assert.match(signed.page.text, /Fewer rights than asked for/);
  await sandbox.settings({ scope: 'asked' });
  await other.stop();
});

test('T22 the callback answers 303, empty, to a clean address; no log line holds code or state', async () => {
  const jar = new Jar();
  const signed = await signIn(gateway, jar);
  assert.equal(signed.back.status, 303);
  assert.equal(signed.back.text, '');
  assert.doesNotMatch(signed.back.location, /code=|state=/);
  const query = new URL(signed.callback).searchParams;
  for (const secret of [query.get('code'), query.get('state')]) assert.ok(!gateway.process.err.includes(secret));
});

test('T23 T25 every page and refusal: no 307 or 308, never framed, never cached', async () => {
  for (const path of ['/', '/auth?workspace=evil.test', '/callback?x', '/connect/result/none', '/nothing', '/assets/none', '/assets/style.css',
    '/favicon.ico', '/healthz', '/readyz', '/v1/connections', '/metrics', '/openapi.yaml']) {
    for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS']) {
      const answer = await fetch(gateway.url + path, { method, redirect: 'manual' });
      assert.ok(![307, 308].includes(answer.status), `${method} ${path}`);
      assert.equal(answer.headers.get('x-frame-options'), 'DENY', `${method} ${path}`);
      assert.match(answer.headers.get('content-security-policy'), /frame-ancestors 'none'/);
      assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
      assert.equal(answer.headers.get('referrer-policy'), 'no-referrer');
      assert.equal(answer.headers.get('server'), null);
    }
  }
});

test('T24 markup in error_description is never markup of ours', async () => {
  for (const text of ['<img src=x onerror=alert(1)>', '"><script>alert(1)</script>', "'-alert(1)-'", '\u2028\u202e', '`${1}`', 'javascript:alert(1)']) {
    const jar = new Jar();
    const state = new URL(await begin(gateway, jar)).searchParams.get('state');
    const page = await resultOf(jar, await jar.get(`${gateway.url}/callback?error=server_error&error_description=${encodeURIComponent(text)}&state=${state}`));
    assert.equal(codeOf(page), 'server_error');
    assert.ok(!page.text.includes(text), text);
  }
});

test('denied consent: a page that says so, nothing kept, and the app hears access_denied', async () => {
  const denied = await noToken(() => signIn(gateway, new Jar(), { answer: 'deny' }));
  assert.equal(denied.code, 'access_denied');
  assert.match(denied.page.text, /Try again/);
  const jar = new Jar();
  const callback = await approve(await begin(gateway, jar, '?return_to=http://localhost:4000/connected'), { answer: 'deny' });
  assert.equal((await jar.get(callback)).location, 'http://localhost:4000/connected?error=access_denied');
});

test('return_to must be listed to the letter; it ends with connection_id and never sees a code', async () => {
  const jar = new Jar();
  const callback = await approve(await begin(gateway, jar, `?return_to=${encodeURIComponent('https://app.example/x?y=1')}&subject=user-7`));
  const back = await jar.get(callback);
  assert.match(back.location, /^https:\/\/app\.example\/x\?y=1&connection_id=con_[0-9a-f]{32}$/);
  const list = await gateway.api('GET', '/v1/connections?subject=user-7');
  assert.equal(list.body.items.length, 1);
  for (const url of ['http://localhost:4000/connected/', 'http://localhost:4000/connecte', 'http://localhost:4000/connected?x', '//evil.test',
    'https://good@evil.test', 'javascript:alert(1)', '/\\evil.test', 'http://localhost:4000/connected#x', 'HTTP://localhost:4000/connected']) {
    const page = await new Jar().get(`${gateway.url}/auth?return_to=${encodeURIComponent(url)}`);
    assert.equal(page.status, 400, url);
    assert.equal(codeOf(page), 'return_to_denied', url);
  }
});

test('signing in again keeps the id and replaces the family', async () => {
  const first = await signIn(gateway, new Jar());
  const before = await gateway.token(first.id);
  const second = await signIn(gateway, new Jar());
  assert.equal(second.id, first.id);
  const later = await gateway.token(first.id);
  assert.ok(later.body.generation > before.body.generation);
  assert.notEqual(later.body.fingerprint, before.body.fingerprint);
});

test('without a refresh token the connection is session_only, and says so', async () => {
  await sandbox.settings({ issue: 'no_refresh_token' });
  const signed = await signIn(gateway, new Jar(), { email: 'alan@example.com' });
  assert.match(signed.page.text, /ends with its first token/);
  assert.equal((await gateway.token(signed.id)).body.session_only, true);
  await sandbox.settings({ issue: 'all' });
});

test('server error and outage at the token endpoint: a plain page, nothing kept', async () => {
  for (const [kind, code] of [['status', 'temporarily_unavailable'], ['drop_after_commit', 'outcome_unknown'], ['html_200', 'host_blocked'],
    ['duplicate_keys', 'token_duplicate_key'], ['deep_json', 'token_malformed'], ['huge_body', 'token_too_large'],
    ['redirect', 'host_misconfigured'], ['invalid_client', 'invalid_client'], ['half_answer', 'outcome_unknown']]) {
    await sandbox.fault({ endpoint: 'token', kind, value: 'http://127.0.0.1:1/' });
    const signed = await signIn(gateway, new Jar(), { email: 'grace@example.com' });
    assert.equal(signed.code, code, kind);
  }
  const list = await gateway.api('GET', '/v1/connections');
  assert.ok(!list.body.items.some((row) => row.principal.user_name === 'grace@example.com'));
});

test('T35 the client secret stands in one place: none for a public client, body or header, as configured', async () => {
  for (const [env, proof] of [[{ CLIENT_ID: 'public-app', CLIENT_SECRET: '' }, ''], [{ CLIENT_ID: 'post-app', CLIENT_SECRET: 'a:b%c+d é', BRICKGATE_DATABRICKS_CLIENT_AUTHENTICATION: 'client_secret_post' }, ''],
    [{ CLIENT_ID: 'basic-app', CLIENT_SECRET: 'a:b%c+d é' }, 'Basic']]) {
    const other = await Gateway.start({ sandbox, env });
    await sandbox.control('POST', 'apps', { client_id: env.CLIENT_ID, client_secret: env.CLIENT_SECRET, redirect_uris: [`${other.url}/callback`] });
    const signed = await signIn(other, new Jar());
    assert.equal(signed.page.status, 200, `${env.CLIENT_ID}: ${signed.code}`);
    const call = (await sandbox.tokenCalls()).at(-1);
    assert.ok(call.authorization.startsWith(proof));
    assert.equal(call.body.includes('client_secret'), env.CLIENT_ID === 'post-app');
    assert.ok(!call.query.includes('secret'));
    await other.stop();
  }
});

test('the paths of the tutorial work when they are configured', async () => {
  await sandbox.settings({ legacy_paths: true });
  const other = await Gateway.start({ sandbox, env: {
    BRICKGATE_DATABRICKS_AUTHORIZATION_ENDPOINT: `${sandbox.origin}/oauth2/authorize`, BRICKGATE_DATABRICKS_TOKEN_ENDPOINT: `${sandbox.origin}/oauth2/token` } });
  await sandbox.control('POST', 'apps', { client_id: 'brickgate-demo', client_secret: 'brickgate-demo-secret', redirect_uris: [`${other.url}/callback`, `${gateway.url}/callback`] });
  const jar = new Jar();
  const url = await begin(other, jar);
  assert.match(url, /\/oauth2\/authorize\?/);
  const signed = await signIn(other, new Jar());
  assert.equal(signed.page.status, 200, signed.code);
  assert.match(signed.page.text, /Ada Lovelace/);
  assert.equal((await sandbox.tokenCalls()).at(-1).path, '/oauth2/token');
  await other.stop();
});

test('T13 discovery that names foreign endpoints, another issuer or no S256 is refused', async () => {
  for (const [kind, code] of [['foreign_token_endpoint', 'metadata_endpoint_denied'], ['wrong_issuer', 'metadata_invalid'], ['plain_pkce_only', 'pkce_unsupported'],
    ['not_found', 'oauth_unsupported'], ['status', 'discovery_failed']]) {
    const other = await Gateway.start({ sandbox });
    await sandbox.fault({ endpoint: 'discovery', kind });
    const page = await new Jar().get(`${other.url}/auth`);
    assert.equal(codeOf(page), code, kind);
    await other.stop();
  }
});

test('what the workspace refuses has its own code, and the app hears it', async () => {
  const rows = { server_error: 'server_error', temporarily_unavailable: 'temporarily_unavailable', unauthorized_client: 'unauthorized_client',
    invalid_scope: 'invalid_scope', invalid_request: 'authorize_failed', login_required: 'authorize_failed' };
  for (const [error, code] of Object.entries(rows)) {
    await sandbox.fault({ endpoint: 'authorize', kind: 'server_error', value: error });
    const jar = new Jar();
    const sent = await fetch(await begin(gateway, jar), { redirect: 'manual' });
    const page = await resultOf(jar, await jar.get(sent.headers.get('location')));
    assert.equal(codeOf(page), code, error);
    await sandbox.fault({ endpoint: 'authorize', kind: 'server_error', value: error });
    const other = new Jar();
    const again = await fetch(await begin(gateway, other, '?return_to=http://localhost:4000/connected'), { redirect: 'manual' });
    assert.equal((await other.get(again.headers.get('location'))).location, `http://localhost:4000/connected?error=${code}`);
  }
});

test('a sign-in that cannot begin ends at the app, too', async () => {
  const back = '&return_to=http://localhost:4000/connected';
  const denied = await new Jar().get(`${gateway.url}/auth?workspace=evil.test${back}`);
  assert.equal(denied.status, 303);
  assert.equal(denied.location, 'http://localhost:4000/connected?error=host_denied');
  const unnamed = await new Jar().get(`${gateway.url}/auth?subject=${'x'.repeat(201)}${back}`);
  assert.equal(unnamed.location, 'http://localhost:4000/connected?error=invalid_request');
});

test('without a host /auth asks for the workspace, and keeps subject and way back through it all', async () => {
  const other = await Gateway.start({ sandbox, host: null, env: { BRICKGATE_DATABRICKS_HOSTS: sandbox.origin, BRICKGATE_APP_RETURN_TO: 'http://localhost:4000/connected' } });
  await sandbox.control('POST', 'apps', { client_id: 'brickgate-demo', client_secret: 'brickgate-demo-secret', redirect_uris: [`${other.url}/callback`, `${gateway.url}/callback`] });
  const jar = new Jar();
  const page = await jar.get(`${other.url}/auth?subject=user%20%26%207&return_to=http://localhost:4000/connected`);
  assert.equal(page.status, 200);
  const plain = (text) => text.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(code)).replace(/&quot;/g, '"').replace(/&amp;/g, '&');
  const fields = new URLSearchParams([...page.text.matchAll(/<input [^>]*name="([^"]+)"(?: value="([^"]*)")?/g)].map(([, name, value]) => [name, plain(value ?? '')]));
  assert.deepEqual([...fields.keys()], ['workspace', 'subject', 'return_to']);
  fields.set('workspace', `${sandbox.origin}/?o=123`);
  const action = /<form method="get" action="([^"]+)"/.exec(page.text)[1];
  const begun = await jar.get(`${other.url}${action}?${fields}`);
  assert.equal(begun.status, 302, begun.text);
  const end = await jar.get(await approve(begun.location));
  const id = /^http:\/\/localhost:4000\/connected\?connection_id=(con_[0-9a-f]{32})$/.exec(end.location)?.[1];
  assert.ok(id, end.location);
  assert.equal((await other.api('GET', `/v1/connections/${id}`)).body.subject, 'user & 7');
  await other.stop();
});

test('T54 a Host that is not ours is answered 421, and nothing is made of it', async () => {
  const asked = (lines, path = '/auth') => raw(gateway.port, `GET ${path} HTTP/1.1\r\n${lines}Connection: close\r\n\r\n`);
  for (const path of ['/', '/auth', '/callback', '/healthz', '/v1/connections', '/nothing']) {
    for (const host of ['evil.test', `evil.test:${gateway.port}`, 'localhost.evil.test', '10.0.0.1']) {
      const answer = await asked(`Host: ${host}\r\n`, path);
      assert.match(answer, /^HTTP\/1\.1 421 /, `${host} ${path}`);
      assert.ok(!answer.includes('evil'), `${host} ${path}`);
      assert.match(answer, /misdirected_request/);
    }
  }
  const key = await gateway.key();
  const { id } = await signIn(gateway, new Jar());
  const token = await asked(`Host: evil.test\r\nAuthorization: Bearer ${key}\r\n`, `/v1/connections/${id}/token`);
  assert.match(token, /^HTTP\/1\.1 421 /);
  for (const lines of ['', 'Host: localhost\r\nHost: localhost\r\n', 'Host: localhost\r\nHost: evil.test\r\n', 'Host:\r\n']) {
    assert.match(await asked(lines), /^HTTP\/1\.1 4(00|21) /, JSON.stringify(lines));
  }
  for (const host of ['localhost', `localhost:${gateway.port}`, `127.0.0.1:${gateway.port}`, `[::1]:${gateway.port}`, `LOCALHOST:${gateway.port}`]) {
    assert.match(await asked(`Host: ${host}\r\n`, '/healthz'), /^HTTP\/1\.1 200 /, host);
  }
  const named = await Gateway.start({ sandbox, env: { BRICKGATE_SERVER_NAMES: 'brickgate,Gate.Internal' } });
  for (const [host, status] of [['gate.internal', 200], ['brickgate:8080', 200], ['brickgate.evil.test', 421]]) {
    assert.match(await raw(named.port, `GET /healthz HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`), new RegExp(`^HTTP/1\\.1 ${status} `), host);
  }
  await named.stop();
});

test('a browser that says 127.0.0.1 for localhost is sent to the name of its cookie, and the sign-in works', async () => {
  const jar = new Jar();
  const first = await jar.get(`http://127.0.0.1:${gateway.port}/auth?subject=user-8`);
  assert.equal(first.status, 302);
  assert.equal(first.location, `${gateway.url}/auth?subject=user-8`);
  assert.equal(jar.cookies.size, 0);
  const back = await jar.get(await approve((await jar.get(first.location)).location));
  assert.equal((await jar.get(gateway.url + back.location)).status, 200);
});
