// SPDX-License-Identifier: Apache-2.0
// The tutorial's app on top of Brickgate: a button, the return, a fresh token, the person's name.
// BRICKGATE is the gateway as this program reaches it, BRICKGATE_KEY an API key with the right token:read.
import express from 'express';

const gateway = process.env.BRICKGATE ?? 'http://localhost:3000';
const key = process.env.BRICKGATE_KEY;
const port = Number(process.env.PORT ?? 4000);
const home = `http://localhost:${port}/connected`;   // must be listed under app.return_to
const connections = new Map();                        // our user -> their connection; a database in real life

const app = express();
const page = (html) => `<!doctype html><meta name="viewport" content="width=device-width"><title>My product</title>${html}`;
const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

app.get('/', (_req, res) => {
  const start = new URL('/auth', gateway);
  start.search = new URLSearchParams({ subject: 'user-1', return_to: home });
  res.send(page(`<h1>My product</h1><a href="${escape(start)}">Connect Databricks</a>`));
});

app.get('/connected', (req, res) => {
  if (req.query.error) return res.send(page(`<h1>Not connected</h1><p>${escape(req.query.error)}</p><a href="/">Back</a>`));
  connections.set('user-1', req.query.connection_id);
  res.redirect(303, '/hello');
});

app.get('/hello', async (_req, res) => {
  const id = connections.get('user-1');
  const answer = await fetch(`${gateway}/v1/connections/${id}/token?min_valid=60`, { headers: { authorization: `Bearer ${key}` } });
  const token = await answer.json();
  if (!answer.ok) return res.status(502).send(page(`<h1>Sign in again</h1><p>${escape(token.error.message)}</p><a href="/">Back</a>`));
  const me = await fetch(`${token.workspace}/api/2.0/preview/scim/v2/Me`, { headers: { authorization: `Bearer ${token.access_token}` } });
  res.send(page(`<h1>Hello, ${escape((await me.json()).displayName)}</h1><p>Your workspace is ${escape(token.workspace)}.</p>`));
});

app.listen(port, '127.0.0.1', () => console.log(`http://localhost:${port}`));
