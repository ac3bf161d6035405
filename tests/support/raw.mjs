// SPDX-License-Identifier: Apache-2.0
// A raw socket, for requests that no client library would send.
import { connect } from 'node:net';

// Sends bytes; resolves with everything that came back until the peer closed or `quiet` ms passed without a byte.
export async function raw(port, bytes, options) {
  return (await converse(port, [bytes], options)).text;
}

// Sends pieces one after the other, `pauseMs` apart, as packets of their own; `end`: and then says that nothing
// follows. {text, closed}: what came back, and whether the peer ended the conversation by itself.
export function converse(port, pieces, { host = '127.0.0.1', quiet = 2000, pauseMs = 0, end = false } = {}) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host, noDelay: true, allowHalfOpen: true });
    const parts = [];
    const done = (closed) => { socket.destroy(); resolve({ text: Buffer.concat(parts).toString('latin1'), closed }); };
    socket.setTimeout(quiet, () => done(false));
    socket.on('data', (part) => parts.push(part));
    socket.on('end', () => done(true));
    // A server that refuses may close before it has read all: what it said before counts.
    socket.on('error', (error) => (['ECONNRESET', 'EPIPE'].includes(error.code) ? done(true) : reject(error)));
    socket.on('connect', async () => {
      for (const piece of pieces) {
        if (socket.destroyed) return;
        await new Promise((sent) => socket.write(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece, sent));
        if (pauseMs > 0) await new Promise((later) => setTimeout(later, pauseMs));
      }
      if (end && !socket.destroyed) socket.end();
    });
  });
}

// The answers in a stream of bytes: [{status, headers: [[name, value]], body, complete}], interim ones apart.
// `bodiless`: answers to HEAD.
export function answersIn(text, { bodiless = false } = {}) {
  const answers = [];
  const interim = [];
  for (let rest = text; rest.length > 0;) {
    const end = rest.indexOf('\r\n\r\n');
    const start = /^HTTP\/1\.[01] (\d{3}) /.exec(rest);
    if (end < 0 || !start) {
      answers.push({ status: 0, headers: [], body: rest, complete: false });
      break;
    }
    const status = Number(start[1]);
    const headers = rest.slice(0, end).split('\r\n').slice(1).map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]);
    rest = rest.slice(end + 4);
    if (status < 200) {
      interim.push(status);
      continue;
    }
    const value = (name) => headers.find(([known]) => known.toLowerCase() === name)?.[1];
    const answer = { status, headers, body: '', complete: true };
    answers.push(answer);
    if (bodiless || status === 204 || status === 304) continue;
    if (value('transfer-encoding') === 'chunked') rest = chunksOf(rest, answer);
    else if (value('content-length') !== undefined) {
      const size = Number(value('content-length'));
      Object.assign(answer, { body: rest.slice(0, size), complete: rest.length >= size });
      rest = rest.slice(size);
    } else {
      Object.assign(answer, { body: rest, untilClose: true });
      rest = '';
    }
  }
  return Object.assign(answers, { interim });
}

function chunksOf(rest, answer) {
  for (;;) {
    const line = /^([0-9a-fA-F]+)(?:;[^\r\n]*)?\r\n/.exec(rest);
    const size = line && parseInt(line[1], 16);
    const after = line && line[0].length + size;
    if (!line || rest.slice(after, after + 2) !== '\r\n') {
      Object.assign(answer, { complete: false, body: answer.body + (line ? rest.slice(line[0].length, after) : '') });
      return '';
    }
    answer.body += rest.slice(line[0].length, after);
    rest = rest.slice(after + 2);
    if (size === 0) return rest;
  }
}
