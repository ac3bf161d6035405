// SPDX-License-Identifier: Apache-2.0
// The next token, as soon as there is one: by a long poll, by server-sent events, in a file.
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { Process, temporaryFolder, until } from '../support/brickgate.mjs';
import { call, open } from '../support/http_call.mjs';
import { codeOf, ProxyWorld } from '../support/proxy_world.mjs';

let world, key;
before(async () => {
  world = await ProxyWorld.start();
  key = await world.gateway.key('token:read');
});
after(() => world?.stop());

const token = (query = '') => call(world.origin, `/v1/connections/${world.id}/token${query}`, { headers: world.bearer(key) });

test('a poll ends with the next token', async () => {
  const { generation } = (await token()).json();
  const waits = Array.from({ length: 20 }, () => token(`?wait=${generation}`));
  let early = false;
  waits[0].then(() => (early = true));
  await token();  // the gateway has had a turn since
  assert.ok(!early, 'it waits');
  const fresh = await world.freshToken();
  for (const answer of await Promise.all(waits)) {
    assert.equal(answer.status, 200);
    assert.deepEqual([answer.json().generation, answer.json().access_token], [generation + 1, fresh.access_token]);
  }
});

test('who is behind already gets the token at once', async () => {
  const { generation, access_token } = (await token()).json();
  const got = await token(`?wait=${generation - 1}`);
  assert.deepEqual([got.status, got.json().access_token], [200, access_token]);
});

test('a poll in which nothing happens ends empty, after its time', async () => {
  const { generation } = (await token()).json();
  const got = await token(`?wait=${generation}&timeout=1`);
  assert.deepEqual([got.status, got.body.length], [204, 0]);
});

test('odd questions are refused, and so are strangers', async () => {
  for (const query of ['?wait=', '?wait=x', '?wait=-1', '?wait=1&timeout=x', '?wait=1&timeout=-1', '?wait=1&timeout=100000', '?wait=1e3']) assert.equal((await token(query)).status, 400, query);
  for (const path of [`/v1/connections/${world.id}/token?wait=1`, `/v1/connections/${world.id}/token/events`]) {
    for (const [bearer, status] of [['x', 401], [world.capability, 401], [await world.gateway.key('proxy'), 403]]) {
      const got = await call(world.origin, path, { headers: world.bearer(bearer) });
      assert.equal(got.status, status, path);
      assert.match(codeOf(got), /unauthorized|forbidden/);
    }
  }
});

// What a stream of events has said so far: [{event, data}].
function eventsOf(text) {
  return text.split('\n\n').slice(0, -1).map((block) => {
    const field = (name) => block.split('\n').filter((line) => line.startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).trim()).join('\n');
    return { event: field('event'), data: field('data') };
  }).filter(({ event }) => event !== '');
}

test('events bring every next token', async () => {
  const { generation } = (await token()).json();
  const { status, headers, message } = await open(world.origin, `/v1/connections/${world.id}/token/events`, { headers: world.bearer(key) });
  assert.equal(status, 200);
  assert.match(headers['content-type'], /^text\/event-stream/);
  assert.match(headers['cache-control'], /no-store|no-cache/);
  let text = '';
  message.on('data', (piece) => (text += piece));
  message.on('error', () => {});
  const generations = () => eventsOf(text).filter(({ event }) => event === 'token').map(({ data }) => JSON.parse(data).generation);
  for (let next = 1; next <= 3; ++next) {
    const fresh = await world.freshToken();
    await until(() => generations().includes(generation + next), `generation ${generation + next}`, 20000);
    assert.equal(JSON.parse(eventsOf(text).at(-1).data).access_token, fresh.access_token);
  }
  message.destroy();
});

test('a watcher learns that there will be no next one', async () => {
  const id = await world.connect('short', 'grace@example.com');
  const { generation } = (await call(world.origin, `/v1/connections/${id}/token`, { headers: world.bearer(key) })).json();
  const poll = call(world.origin, `/v1/connections/${id}/token?wait=${generation}`, { headers: world.bearer(key) });
  const { message } = await open(world.origin, `/v1/connections/${id}/token/events`, { headers: world.bearer(key) });
  let ended = false;
  message.on('data', () => {}).on('close', () => (ended = true)).on('error', () => {});
  await world.gateway.api('DELETE', `/v1/connections/${id}`);
  const got = await poll;
  assert.ok([404, 410].includes(got.status), `${got.status}`);
  await until(() => ended, 'the stream to end', 20000);
});

test('a shutdown lets go of watchers', async () => {
  const { generation } = (await token()).json();
  const poll = token(`?wait=${generation}`).catch(() => ({ status: 0 }));
  const { message } = await open(world.origin, `/v1/connections/${world.id}/token/events`, { headers: world.bearer(key) });
  message.resume().on('error', () => {});
  const end = await world.gateway.process.stop();
  assert.equal(end.code, 0);
  assert.ok([0, 204, 503].includes((await poll).status));
  await world.gateway.restart();
});

test('brickgate token --write keeps a file fresh: whole, for its owner only', async (t) => {
  const file = join(temporaryFolder(), 'token');
  const writer = new Process(['token', world.id, '--data', world.gateway.data, '--write', file], { env: world.gateway.env, cwd: dirname(world.gateway.data) });
  t.after(() => writer.kill());
  const read = () => { try { return readFileSync(file, 'utf8').trim(); } catch { return ''; } };
  const first = (await token()).json().access_token;
  await until(() => read() === first, 'the token in the file', 20000);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const inode = statSync(file).ino;
  const fresh = await world.freshToken();
  await until(() => { const text = read(); assert.ok(text === first || text === fresh.access_token, 'never half a token'); return text === fresh.access_token; }, 'the next token in the file', 20000);
  assert.notEqual(statSync(file).ino, inode, 'renamed into place');
  assert.equal(statSync(file).mode & 0o777, 0o600);
  writer.child.kill('SIGTERM');
  assert.ok([0, 143, null].includes((await writer.ended).code));
});
