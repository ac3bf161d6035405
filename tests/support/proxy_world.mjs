// SPDX-License-Identifier: Apache-2.0
// A gateway with one connection to a workspace double, a capability for it and an API key with the right `proxy`.
import { request as httpRequest } from 'node:http';
import { approve, begin, Gateway, Jar, until } from './brickgate.mjs';
import { Authority } from './certificates.mjs';
import { call, open } from './http_call.mjs';
import { WorkspaceDouble } from './workspace.mjs';

export class ProxyWorld {
  // upstreamTls, gatewayTls: with certificates of an authority of its own. `env`: the gateway's.
  static async start({ upstreamTls = false, gatewayTls = false, env = {}, sandboxArgs = [] } = {}) {
    const world = new ProxyWorld();
    try {
      await world.#start({ upstreamTls, gatewayTls, env, sandboxArgs });
    } catch (error) {
      await world.stop();
      throw error;
    }
    return world;
  }
  async #start({ upstreamTls, gatewayTls, env, sandboxArgs }) {
    if (upstreamTls || gatewayTls) this.authority = new Authority();
    this.double = await WorkspaceDouble.start({ tls: upstreamTls ? this.authority.issue() : undefined, sandboxArgs });
    this.sandbox = this.double.sandbox;
    this.gateway = await Gateway.start({ sandbox: this.double, env: { ...(upstreamTls && { BRICKGATE_TLS_CA_FILE: this.authority.file }), ...env } });
    await this.sandbox.control('POST', 'apps', { client_id: 'brickgate-demo', client_secret: 'brickgate-demo-secret', redirect_uris: [`${this.gateway.url}/callback`] });
    this.id = await this.connect();
    this.capability = (await this.makeCapability()).capability;
    this.key = await this.gateway.key('proxy');
    this.origin = this.gateway.url;
    if (gatewayTls) await this.speakTls();
  }

  async speakTls() {
    const { certFile, keyFile } = this.authority.issue();
    await this.gateway.process.stop();
    this.tlsFiles = { BRICKGATE_TLS_CERT_FILE: certFile, BRICKGATE_TLS_KEY_FILE: keyFile };
    await this.gateway.restart(this.tlsFiles);
    this.origin = `https://localhost:${this.gateway.port}`;
  }

  get port() { return this.gateway.port; }
  get host() { return `localhost:${this.gateway.port}`; }

  // A person's connection; `subject` tells several apart.
  async connect(subject = 'proxy', email = 'ada@example.com') {
    const jar = new Jar();
    const authorize = await begin(this.gateway, jar, `?subject=${subject}`);
    const callback = await approve(authorize.replace(this.double.origin, this.sandbox.origin), { email });
    const back = await jar.get(callback);
    const page = await jar.get(this.gateway.url + back.location);
    const id = /con_[0-9a-f]{32}/.exec(page.text)?.[0];
    if (!id) throw new Error(`no connection: ${page.status} ${page.text.slice(0, 2000)}`);
    return id;
  }

  async makeCapability(wish = {}) {
    const made = await this.gateway.api('POST', '/v1/capabilities', { connection: this.id, ...wish });
    if (made.status !== 201) throw new Error(`no capability: ${made.status} ${JSON.stringify(made.body)}`);
    return made.body;
  }

  bearer(token = this.capability) { return { Authorization: `Bearer ${token}` }; }
  #with(options = {}) { return { ca: this.authority?.pem, ...options, headers: { ...this.bearer(options.as), ...options.headers } }; }

  // The transparent form, as an SDK calls it. options.as: another bearer than the capability.
  call(target, options) { return call(this.origin, target, this.#with(options)); }
  open(target, options) { return open(this.origin, target, this.#with(options)); }
  // The same below the connection, with the API key.
  via(target, options = {}) { return call(this.origin, `/v1/connections/${this.id}/proxy${target}`, this.#with({ as: this.key, ...options })); }

  // Heads for raw sockets.
  head(method, target, lines = []) {
    return [`${method} ${target} HTTP/1.1`, `Host: ${this.host}`, `Authorization: Bearer ${this.capability}`, ...lines, '', ''].join('\r\n');
  }

  async refreshCount() { return (await this.sandbox.refreshes()).length; }
  generation() { return this.gateway.api('GET', `/v1/connections/${this.id}`).then((row) => row.body.generation); }
  // A refresh of ours, so that the next token counts as new.
  async freshToken() {
    await this.gateway.api('POST', `/v1/connections/${this.id}/refresh`);
    return (await this.gateway.token(this.id)).body;
  }
  untilCalls(path, count, ms) { return until(() => this.double.at(path).length >= count, `${count} calls of ${path}`, ms); }

  async stop() {
    try {
      await this.gateway?.stop();
    } finally {
      await this.double?.stop();
    }
  }
}

export const codeOf = (answer) => { try { return JSON.parse(answer.body).error.code; } catch { return undefined; } };

// Names of header lines, lower case, in order.
export const namesOf = (pairs) => pairs.map(([name]) => name.toLowerCase());

// Resolves when the server says to go on, and then sends `body`. {continued, status, body}
export function withExpectation(world, target, { method = 'PUT', body, headers = {} }) {
  const { hostname, port } = new URL(world.origin);
  return new Promise((resolve, reject) => {
    let continued = false;
    const request = httpRequest({ host: hostname, port, method, path: target, headers: { ...world.bearer(), Expect: '100-continue', 'Content-Length': body.length, ...headers } });
    request.on('continue', () => { continued = true; request.end(body); });
    request.on('response', async (message) => {
      const parts = [];
      for await (const piece of message) parts.push(piece);
      resolve({ continued, status: message.statusCode, body: Buffer.concat(parts).toString() });
      request.destroy();
    });
    request.on('error', reject);
    request.flushHeaders();
  });
}
