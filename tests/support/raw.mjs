// SPDX-License-Identifier: Apache-2.0
// A raw socket, for requests that no client library would send.
import { connect } from 'node:net';

// Sends bytes; resolves with everything that came back until the peer closed or `quiet` ms passed without a byte.
export function raw(port, bytes, { host = '127.0.0.1', quiet = 2000 } = {}) {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host);
    const parts = [];
    const done = () => { socket.destroy(); resolve(Buffer.concat(parts).toString('latin1')); };
    socket.setTimeout(quiet, done);
    socket.on('data', (part) => parts.push(part));
    socket.on('end', done);
    // A server that refuses may close before it has read all: what it said before counts.
    socket.on('error', (error) => (['ECONNRESET', 'EPIPE'].includes(error.code) ? done() : reject(error)));
    socket.on('connect', () => socket.write(bytes));
  });
}
