// SPDX-License-Identifier: Apache-2.0
// HTTP as tests need it: a browser without a window that keeps cookies and follows nothing by itself, and a raw socket
// for requests that no client library would send.
import { connect } from 'node:net';

export class Browser {
  #jar = new Map();  // host name -> Map(name -> value); browsers do not separate cookies by port

  // Resolves with {status, headers, text, location}: location is absolute.
  async request(method, url, { headers = {}, body } = {}) {
    const cookies = [...(this.#jar.get(new URL(url).hostname) ?? [])].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, {
      method, body, redirect: 'manual', headers: { ...(cookies && { cookie: cookies }), ...headers },
    });
    this.#keep(new URL(url).hostname, response.headers.getSetCookie());
    const location = response.headers.get('location');
    return {
      status: response.status, headers: response.headers, text: await response.text(),
      location: location === null ? undefined : new URL(location, url).href,
    };
  }
  get(url, headers) { return this.request('GET', url, { headers }); }
  post(url, fields, headers) { return this.request('POST', url, { headers, body: new URLSearchParams(fields) }); }

  // Follows redirects as long as they stay on `url`'s origin; resolves with the last answer and the way.
  async follow(url, limit = 10) {
    const origin = new URL(url).origin;
    const way = [];
    let answer;
    do {
      way.push(url);
      answer = await this.get(url);
      url = answer.location;
    } while (url && new URL(url).origin === origin && way.length < limit);
    return { ...answer, way };
  }

  cookies(host = 'localhost') { return Object.fromEntries(this.#jar.get(host) ?? []); }
  setCookie(name, value, host = 'localhost') { this.#keep(host, [`${name}=${value}`]); }
  forget() { this.#jar.clear(); }

  #keep(host, lines) {
    const jar = this.#jar.get(host) ?? new Map();
    this.#jar.set(host, jar);
    for (const line of lines) {
      const [pair, ...attributes] = line.split(';').map((part) => part.trim());
      const [name, value] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)];
      const gone = attributes.some((attribute) => /^max-age=(0|-\d+)$/i.test(attribute)) || value === '';
      if (gone) jar.delete(name);
      else jar.set(name, value);
    }
  }
}

// Sends bytes, resolves with everything that came back until the peer closed or `quiet` ms passed without a byte.
export function raw(port, bytes, { host = '127.0.0.1', quiet = 2000 } = {}) {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host);
    const parts = [];
    const done = () => { socket.destroy(); resolve(Buffer.concat(parts).toString('latin1')); };
    socket.setTimeout(quiet, done);
    socket.on('data', (part) => parts.push(part));
    socket.on('end', done);
    socket.on('error', (error) => (parts.length > 0 || error.code === 'ECONNRESET' || error.code === 'EPIPE' ? done() : reject(error)));
    socket.on('connect', () => socket.write(bytes));
  });
}
