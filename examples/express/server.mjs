// SPDX-License-Identifier: Apache-2.0
// The tutorial's app on top of Brickgate: a button, the return, a fresh token, the person's name.
// BRICKGATE is the gateway as this program reaches it, BRICKGATE_KEY an API key with the rights token:read and connections.
import { randomUUID } from 'node:crypto';
import express from 'express';

const gateway = process.env.BRICKGATE ?? 'http://localhost:3000';
const key = process.env.BRICKGATE_KEY;
const port = Number(process.env.PORT ?? 4000);
const home = `http://localhost:${port}/connected`;   // must be listed under app.return_to
const users = new Map();                              // session -> {subject, connection}; a database in real life

const app = express();
const page = (html) => `<!doctype html><meta name="viewport" content="width=device-width"><title>My product</title>${html}`;
const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const ask = (path) => fetch(gateway + path, { headers: { authorization: `Bearer ${key}` } });

app.use((req, res, next) => {   // your own sign-in stands here; each user has a subject that nobody else can guess
  let session = /(?:^|; )my_product=([^;]+)/.exec(req.headers.cookie ?? '')?.[1];
  if (!users.has(session)) {
    users.set(session = randomUUID(), { subject: randomUUID() });
    res.cookie('my_product', session, { httpOnly: true, sameSite: 'lax' });
  }
  req.user = users.get(session);
  next();
});

app.get('/', (req, res) => {
  const start = new URL('/auth', gateway);
  start.search = new URLSearchParams({ subject: req.user.subject, return_to: home });
  const soFar = req.user.connection ? '<p>You are connected. <a href="/hello">Say hello</a></p>' : '';
  res.send(page(`<h1>My product</h1>${soFar}<a href="${escape(start)}">Connect Databricks${soFar && ' again'}</a>`));
});

app.get('/connected', async (req, res) => {
  if (req.query.error) return res.send(page(`<h1>Not connected</h1><p>${escape(req.query.error)}</p><a href="/">Back</a>`));
  // Anybody can send a person here with a connection of their own: only one that was begun for this user is taken.
  const found = await ask(`/v1/connections/${encodeURIComponent(req.query.connection_id)}`);
  const connection = await found.json();
  if (!found.ok && found.status !== 404) return res.status(502).send(page(`<h1>Not connected</h1><p>${escape(connection.error.message)}</p><a href="/">Back</a>`));
  if (!found.ok || connection.subject !== req.user.subject) return res.status(403).send(page('<h1>Not connected</h1><p>This sign-in was not begun here.</p><a href="/">Back</a>'));
  req.user.connection = connection.id;
  res.redirect(303, '/hello');
});

app.get('/hello', async (req, res) => {
  if (!req.user.connection) return res.redirect(303, '/');
  const answer = await ask(`/v1/connections/${req.user.connection}/token?min_valid=60`);
  const token = await answer.json();
  if (!answer.ok) return res.status(502).send(page(`<h1>Sign in again</h1><p>${escape(token.error.message)}</p><a href="/">Back</a>`));
  const me = await fetch(`${token.workspace}/api/2.0/preview/scim/v2/Me`, { headers: { authorization: `Bearer ${token.access_token}` } });
  res.send(page(`<h1>Hello, ${escape((await me.json()).displayName)}</h1><p>Your workspace is ${escape(token.workspace)}.</p><a href="/">Back</a>`));
});

app.use((error, req, res, next) => {   // the gateway or the workspace is out of reach
  console.error(error);
  res.status(502).send(page('<h1>Not right now</h1><p>Databricks is out of reach. Please try again in a minute.</p><a href="/">Back</a>'));
});

const stop = (why) => { console.error(why); process.exit(1); };
const tried = await ask('/v1/connections?limit=1').catch(() => stop(`No gateway answers at ${gateway}: start it, or set BRICKGATE.`));
if (!tried.ok) stop(`BRICKGATE_KEY is not good for this: ${(await tried.json()).error.message}`);
app.listen(port, '127.0.0.1', (error) => error ? stop(`Port ${port}: ${error.message}`) : console.log(`http://localhost:${port}`));
