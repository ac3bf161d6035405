// SPDX-License-Identifier: Apache-2.0
// A workspace that tests write the answers of: it stands in front of the sandbox, which keeps the grants and stays the
// judge of tokens, and answers the other API paths itself, from scripted routes. It logs every call with the exact
// bytes of its head. In this process, so a test may look into it and steer it at any moment.
import { request as httpRequest } from 'node:http';
import { answer, echo, refusals } from './answers.mjs';
import { Sandbox } from './brickgate.mjs';
import { WireServer } from './http_wire.mjs';

const ofSandbox = /^\/(?:oidc|\.well-known|_sandbox|oauth2)\/|^\/api\/2\.0\/(?:preview\/scim\/|tokens\/introspect$)/;
const ofConnection = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'expect']);

export class WorkspaceDouble {
  calls = [];          // exchanges (http_wire.mjs) of API paths, oldest first
  forwarded = [];      // those of the sandbox
  good = new Set();    // tokens that the sandbox calls good
  rejected = new Set();
  checkTokens = true;
  refuse = refusals.expired;  // how a token that is not good is answered
  #routes = [];

  // tls: {key, cert} of certificates.mjs.
  static async start({ tls, sandboxArgs = [] } = {}) {
    const double = new WorkspaceDouble();
    double.wire = await WireServer.listen((x) => double.#serve(x), { tls });
    double.port = double.wire.port;
    double.origin = tls ? `https://localhost:${double.port}` : `http://127.0.0.1:${double.port}`;
    double.sandbox = await Sandbox.start({ args: ['--origin', double.origin, ...sandboxArgs] });
    return double;
  }

  get violations() { return this.wire.violations; }

  // `path`: exact, without the query, or an expression. The newest that fits answers. `any`: whatever the token.
  on(path, handler, { method, any = false } = {}) {
    this.#routes.unshift({ fits: (x) => (typeof path === 'string' ? x.path === path : path.test(x.path)) && (!method || x.method === method), handler, any });
    return this;
  }
  // Nothing is scripted, logged or rejected any more.
  reset() {
    this.#routes = [];
    this.calls = [];
    this.wire.violations.length = 0;
    this.rejected.clear();
    this.checkTokens = true;
    this.refuse = refusals.expired;
  }
  at(path) { return this.calls.filter((x) => x.path === path); }
  // Tokens that were good until now are not, for the APIs; refreshing gives another.
  rejectTokens() {
    this.good.forEach((token) => this.rejected.add(token));
    this.good.clear();
  }

  async #serve(x) {
    if (ofSandbox.test(x.path)) {
      this.forwarded.push(x);
      return this.#forward(x);
    }
    this.calls.push(x);
    const route = this.#routes.find((known) => known.fits(x));
    x.tokenGood = await this.#isGood(x.bearer);
    if (this.checkTokens && !route?.any && !x.tokenGood) return x.bearer === undefined ? refusals.noCredential(x) : this.refuse(x);
    if (route) return route.handler(x);
    if (x.path.startsWith('/api/2.0/echo')) return echo(x);
    return answer(404, { error_code: 'ENDPOINT_NOT_FOUND', message: `No API found for '${x.method} ${x.path}'` })(x);
  }

  async #isGood(token) {
    if (token === undefined || this.rejected.has(token)) return false;
    if (!this.good.has(token)) {
      const told = await fetch(`${this.sandbox.origin}/api/2.0/tokens/introspect`, { headers: { authorization: `Bearer ${token}` } });
      await told.arrayBuffer();
      if (!told.ok || this.rejected.has(token)) return false;
      this.good.add(token);
    }
    return true;
  }

  async #forward(x) {
    const body = await x.body();
    if (!x.complete) return;
    const headers = x.headers.filter(([name]) => !ofConnection.has(name.toLowerCase())).flat();
    const answered = await new Promise((resolve, reject) => {
      const request = httpRequest({
        host: '127.0.0.1', port: this.sandbox.port, method: x.method, path: x.target,
        headers: [...headers, ...(body.length || x.method === 'POST' ? ['Content-Length', String(body.length)] : [])],
      }, resolve);
      request.on('error', reject).end(body);
    }).catch(() => undefined);  // a fault of the sandbox: it hung up
    if (!answered) return x.reset();
    const parts = [];
    try {
      for await (const piece of answered) parts.push(piece);
    } catch {
      return x.reset();
    }
    const pairs = [];
    for (let at = 0; at < answered.rawHeaders.length; at += 2) pairs.push([answered.rawHeaders[at], answered.rawHeaders[at + 1]]);
    await x.respond(answered.statusCode, pairs.filter(([name]) => !ofConnection.has(name.toLowerCase())), Buffer.concat(parts));
  }

  async stop() {
    await this.wire.close();
    await this.sandbox.stop();
  }
}
