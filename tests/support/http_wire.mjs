// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 as a server on bare sockets: every request with the exact bytes of its head, every answer under the
// handler's own hand, down to a broken chunk. Reads strictly: what a careful parser would refuse is a violation, so
// that it can judge what a proxy sends.
import { createHash } from 'node:crypto';
import { connect, createServer as createTcpServer } from 'node:net';
import { STATUS_CODES } from 'node:http';
import { createServer as createTlsServer } from 'node:tls';

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/;
const headMax = 1 << 20;

// What a socket gave, taken in pieces; never more than one piece ahead, so that a slow handler slows the sender.
class Source {
  held = Buffer.alloc(0);
  over = false;

  constructor(socket) {
    this.socket = socket;
    const wake = () => { this.wake?.(); this.wake = undefined; };
    const end = () => { this.over = true; wake(); };
    socket.on('readable', () => {
      if (socket.readableLength === 0) socket.read(0);  // else an end is not noticed
      wake();
    });
    socket.on('end', end);
    socket.on('close', end);
    socket.on('error', end);
  }
  // False: nothing will come any more.
  async more() {
    for (;;) {
      const piece = this.socket.read();
      if (piece !== null) {
        this.held = this.held.length === 0 ? piece : Buffer.concat([this.held, piece]);
        return true;
      }
      if (this.over) return false;
      await new Promise((resolve) => (this.wake = resolve));
    }
  }
  // Up to `most` bytes of what is there; undefined at the end.
  async some(most) {
    if (this.held.length === 0 && !(await this.more())) return undefined;
    const piece = this.held.subarray(0, most);
    this.held = this.held.subarray(piece.length);
    return piece;
  }
  // Up to and with `mark`, as text; undefined when it does not come.
  async until(mark, most = headMax) {
    for (let from = 0; ;) {
      const at = this.held.indexOf(mark, from);
      if (at >= 0) {
        const text = this.held.subarray(0, at + mark.length).toString('latin1');
        this.held = this.held.subarray(at + mark.length);
        return text;
      }
      if (this.held.length > most) return undefined;
      from = Math.max(0, this.held.length - mark.length + 1);
      if (!(await this.more())) return undefined;
    }
  }
}

class Violation extends Error {}
const demand = (condition, what) => { if (!condition) throw new Violation(what); };

// One request and its answer.
export class Exchange {
  bodySize = 0;
  complete = false;   // head and body came whole
  answered = false;   // an answer was begun
  keep = true;        // the connection afterwards
  #hash = createHash('sha256');

  constructor(connection, head) {
    Object.assign(this, { connection, socket: connection.socket, head, at: Date.now() });
    const [start, ...lines] = head.slice(0, -4).split('\r\n');
    const parts = /^(\S+) (\S+) HTTP\/1\.([01])$/.exec(start);
    demand(parts && token.test(parts[1]) && /^[\x21-\x7e]+$/.test(parts[2]), `start line: ${JSON.stringify(start)}`);
    [, this.method, this.target, this.minor] = parts;
    this.path = this.target.split('?', 1)[0];
    this.query = new URLSearchParams(this.target.slice(this.path.length + 1));
    this.headers = lines.map((line) => {
      const colon = line.indexOf(':');
      const [name, value] = [line.slice(0, colon), line.slice(colon + 1)];
      demand(colon > 0 && token.test(name) && fieldValue.test(value), `header line: ${JSON.stringify(line)}`);
      return [name, value.trim()];
    });
    demand(this.all('host').length === 1, 'not exactly one Host');
    this.#frame();
  }
  #frame() {
    const lengths = this.all('content-length');
    const codings = this.all('transfer-encoding');
    demand(lengths.length + codings.length <= 1, 'framed twice');
    demand(lengths.every((value) => /^\d{1,15}$/.test(value)), `Content-Length: ${lengths}`);
    demand(codings.every((value) => value === 'chunked') && (codings.length === 0 || this.minor === '1'), `Transfer-Encoding: ${codings}`);
    this.chunked = codings.length === 1;
    this.length = Number(lengths[0] ?? 0);
  }
  all(name) { return this.headers.filter(([known]) => known.toLowerCase() === name.toLowerCase()).map(([, value]) => value); }
  header(name) { return this.all(name)[0]; }
  get bearer() { return /^Bearer (.*)$/.exec(this.header('authorization') ?? '')?.[1]; }
  get bodyHash() { return this.#hash.copy().digest('hex'); }

  // The body, piece by piece as it comes. Ends early, with `complete` false, when the sender leaves.
  async *pieces() {
    if (this.complete || this.reading) return;
    this.reading = true;
    if (this.header('expect')?.toLowerCase() === '100-continue') await this.write('HTTP/1.1 100 Continue\r\n\r\n');
    yield* this.chunked ? this.#chunks() : this.#counted(this.length, true);
  }
  async *#counted(left, last) {
    while (left > 0) {
      const piece = await this.connection.source.some(left);
      if (piece === undefined) return;
      left -= piece.length;
      this.bodySize += piece.length;
      this.#hash.update(piece);
      if (left === 0 && last) this.complete = true;
      yield piece;
    }
    if (last) this.complete = true;
  }
  async *#chunks() {
    const line = async () => {
      const text = await this.connection.source.until('\r\n', 300);
      demand(text !== undefined || this.connection.source.over, 'a chunk line without an end');
      return text?.slice(0, -2);
    };
    for (;;) {
      const size = await line();
      if (size === undefined) return;
      demand(/^[0-9a-f]{1,15}$/i.test(size), `chunk size: ${JSON.stringify(size)}`);
      if (parseInt(size, 16) === 0) break;
      yield* this.#counted(parseInt(size, 16), false);
      const end = await line();
      if (end === undefined) return;
      demand(end === '', 'a chunk longer than its size');
    }
    const trailer = await line();
    if (trailer === undefined) return;
    demand(trailer === '', `a trailer: ${JSON.stringify(trailer)}`);
    this.complete = true;
  }
  async body() {
    const parts = [];
    for await (const piece of this.pieces()) parts.push(piece);
    return Buffer.concat(parts);
  }
  async drain() { for await (const piece of this.pieces()) void piece; }

  // True when the kernel has taken it; false: the peer is gone.
  write(bytes) {
    this.answered = true;
    return new Promise((resolve) => {
      if (this.socket.destroyed) return resolve(false);
      this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes, (error) => resolve(!error));
    });
  }
  headOf(status, headers = []) {
    return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Odd'}\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
  }
  async respond(status, headers = [], body = '') {
    const bytes = Buffer.from(body);
    const bodiless = status === 204 || status === 304;
    const framing = bodiless ? [] : [['Content-Length', bytes.length]];
    this.status = status;
    await this.write(Buffer.concat([Buffer.from(this.headOf(status, [...headers, ...framing]), 'latin1'),
      this.method === 'HEAD' || bodiless ? Buffer.alloc(0) : bytes]));
  }
  json(status, document, headers = []) { return this.respond(status, [['Content-Type', 'application/json'], ...headers], JSON.stringify(document)); }
  end() { this.keep = false; this.socket.end(); }
  reset() { this.keep = false; this.connection.server.reset(this.socket); }
  // The connection ends without TLS's farewell, as when somebody cuts the cable.
  cutCable() { this.keep = false; this.connection.server.cut(this.socket); }
}

// Calls `serve(exchange)` for each request. `violations` collects what was not proper HTTP; `accepted` counts
// connections. With `tls` ({key, cert}) under TLS.
export class WireServer {
  violations = [];
  accepted = 0;
  failedHandshakes = 0;
  sockets = new Set();
  #cables = new Map();  // under TLS: port of the inner end -> both ends

  static async listen(serve, { tls } = {}) {
    const server = new WireServer();
    const options = { allowHalfOpen: true, noDelay: true };
    const accept = (socket) => server.#connection(socket, serve);
    server.servers = [createTcpServer(options, accept)];
    if (tls) {
      // TLS ends at an inner listener, so that what carries it can be cut.
      const inner = createTlsServer({ ...tls, ...options, ALPNProtocols: ['http/1.1'] }, accept);
      inner.on('tlsClientError', () => (server.failedHandshakes += 1));
      server.servers = [createTcpServer(options, (outer) => server.#cable(outer, inner.address().port)), inner];
    }
    for (const one of server.servers) await new Promise((resolve, reject) => one.once('error', reject).listen(0, '127.0.0.1', resolve));
    server.port = server.servers[0].address().port;
    return server;
  }
  #cable(outer, port) {
    const inner = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true }, () => this.#cables.set(inner.localPort, { inner, outer }));
    outer.pipe(inner).pipe(outer);
    outer.on('error', () => inner.destroy());
    inner.on('error', () => outer.destroy());
    outer.on('close', () => inner.destroy());
  }
  cut(socket) {
    const { inner, outer } = this.#cables.get(socket.remotePort);
    inner.unpipe(outer);
    outer.end();
    inner.destroy();
  }
  reset(socket) { (this.#cables.get(socket.remotePort)?.outer ?? socket).resetAndDestroy(); }

  async #connection(socket, serve) {
    const connection = { server: this, socket, id: ++this.accepted, requests: 0 };
    this.sockets.add(socket);
    connection.gone = new Promise((resolve) => socket.once('end', resolve).once('close', resolve));  // the other side has left
    socket.once('close', () => this.sockets.delete(socket));
    socket.on('error', () => {});
    connection.source = new Source(socket);
    try {
      for (;;) {
        const head = await connection.source.until('\r\n\r\n');
        if (head === undefined) break;
        connection.requests += 1;
        const exchange = new Exchange(connection, head);
        await serve(exchange);
        if (!exchange.keep) return;
        await exchange.drain();
        if (!exchange.complete || exchange.header('connection')?.toLowerCase() === 'close') break;
      }
      if (connection.source.held.length > 0) throw new Violation(`ends inside a head: ${JSON.stringify(connection.source.held.toString('latin1').slice(0, 200))}`);
    } catch (error) {
      this.violations.push(error instanceof Violation ? error.message : `the double broke: ${error.stack}`);
      socket.write('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    }
    socket.end();
  }

  showCertificate(tls) { this.servers[1].setSecureContext(tls); }  // to those who connect from now on
  // Ends every connection, not the listener: keep-alive connections that the client thinks are good are not.
  dropConnections({ reset = false } = {}) {
    for (const socket of this.sockets) reset ? this.reset(socket) : socket.end();
  }
  close() {
    for (const socket of this.sockets) socket.destroy();
    for (const { outer } of this.#cables.values()) outer.destroy();
    return Promise.all(this.servers.map((one) => new Promise((resolve) => one.close(resolve))));
  }
}
