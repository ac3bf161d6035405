// SPDX-License-Identifier: Apache-2.0
// HTTP as a client that keeps what it got: the target as it was written, header lines in order, and whether the answer
// came whole.
import { request as httpRequest, Agent } from 'node:http';
import { request as httpsRequest, Agent as TlsAgent } from 'node:https';

// Resolves at the head of the answer: {status, headers, pairs, message, request, interim}. `target` is sent as it is.
export function open(origin, target, { method = 'GET', headers = {}, body, ca, agent, timeout = 60000 } = {}) {
  const { protocol, hostname, port } = new URL(origin);
  const tls = protocol === 'https:';
  return new Promise((resolve, reject) => {
    const interim = [];
    const request = (tls ? httpsRequest : httpRequest)({
      host: hostname, port, method, path: target, headers, timeout, ...(tls && { ca, servername: hostname }),
      agent: agent ?? (tls ? new TlsAgent({ ca }) : new Agent()),
    }, (message) => {
      const pairs = [];
      for (let at = 0; at < message.rawHeaders.length; at += 2) pairs.push([message.rawHeaders[at], message.rawHeaders[at + 1]]);
      resolve({ status: message.statusCode, headers: message.headers, pairs, message, request, interim });
    });
    request.on('information', ({ statusCode }) => interim.push(statusCode));
    request.on('timeout', () => request.destroy(new Error(`${method} ${target}: silent for ${timeout} ms`)));
    request.on('error', reject);
    if (body !== undefined && typeof body.pipe === 'function') body.pipe(request);
    else if (body !== undefined && typeof body[Symbol.asyncIterator] === 'function') feed(request, body);
    else request.end(body);
  });
}

async function feed(request, pieces) {
  let wake = () => {};
  request.on('drain', () => wake()).on('close', () => wake());
  for await (const piece of pieces) {
    if (request.destroyed) return;
    if (!request.write(piece)) await new Promise((resolve) => (wake = resolve));
  }
  request.end();
}

// The whole answer: {..., body, complete, json()}. `complete` is false when it broke off.
export async function call(origin, target, options) {
  const answer = await open(origin, target, options);
  return { ...answer, ...(await whole(answer.message)) };
}

// The rest of an answer: {body, complete, json()}.
export async function whole(message) {
  const parts = [];
  try {
    for await (const piece of message) parts.push(piece);
  } catch { /* broken off: `complete` says so */ }
  const body = Buffer.concat(parts);
  return { body, complete: message.complete, json: () => JSON.parse(body) };
}
