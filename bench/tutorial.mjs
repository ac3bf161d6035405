// SPDX-License-Identifier: Apache-2.0
// The tutorial's Express app with its mistakes mended as little as it takes to sign in: form body, scope, state and
// verifier kept in a map, tokens in memory. HOST, CLIENT_ID, CLIENT_SECRET and PORT come in the environment.
import { createHash, randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';

const express = createRequire(new URL('../tests/', import.meta.url))('express');   // as the tests have it
const { HOST, CLIENT_ID, CLIENT_SECRET, PORT } = process.env;
const redirectUri = `http://localhost:${PORT}/callback`;
const pending = new Map();
const tokens = new Map();

const app = express();
app.get('/auth', (_req, res) => {
  const state = randomBytes(32).toString('base64url');
  const verifier = randomBytes(32).toString('base64url');
  pending.set(state, verifier);
  const url = new URL(`${HOST}/oidc/v1/authorize`);
  url.search = new URLSearchParams({
    response_type: 'code', client_id: CLIENT_ID, redirect_uri: redirectUri, scope: 'all-apis offline_access openid profile email', state,
    nonce: randomBytes(16).toString('base64url'), code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256',
  });
  res.redirect(url);
});
app.get('/callback', async (req, res) => {
  const verifier = pending.get(req.query.state);
  pending.delete(req.query.state);
  if (!verifier) return res.status(400).send('unknown state');
  const answer = await fetch(`${HOST}/oidc/v1/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${CLIENT_ID}:${CLIENT_SECRET}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'authorization_code', code: req.query.code, redirect_uri: redirectUri, code_verifier: verifier }),
  });
  if (!answer.ok) return res.status(502).send(await answer.text());
  tokens.set(req.query.state, await answer.json());
  res.send('Authentication successful!');
});
app.listen(Number(PORT), '127.0.0.1', () => console.log('listening'));
