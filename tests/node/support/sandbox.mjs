// SPDX-License-Identifier: Apache-2.0
// The practice Databricks as a test sees it: its knobs, its request log (the judge), and a person who signs in there.
import assert from 'node:assert/strict';
import { Browser } from './http.mjs';

const unescape = (text) => text.replaceAll('&amp;', '&').replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&lt;', '<').replaceAll('&gt;', '>');
const field = (html, name) => {
  const found = new RegExp(`name="${name}" value="([^"]*)"`).exec(html);
  assert.ok(found, `the page has no field ${name}:\n${html.slice(0, 2000)}`);
  return unescape(found[1]);
};

export class Sandbox {
  constructor(origin, program) {
    this.origin = origin;
    this.program = program;
  }

  async #control(method, path, body) {
    const response = await fetch(this.origin + path, { method, body: body === undefined ? undefined : JSON.stringify(body) });
    const answer = await response.json();
    assert.equal(response.status, 200, JSON.stringify(answer));
    return answer;
  }

  register(app) { return this.#control('POST', '/_sandbox/apps', app); }
  settings() { return this.#control('GET', '/_sandbox/settings'); }
  set(settings) { return this.#control('PUT', '/_sandbox/settings', settings); }
  fault(fault) { return this.#control('POST', '/_sandbox/faults', fault); }
  clearFaults() { return this.#control('DELETE', '/_sandbox/faults'); }
  release() { return this.#control('POST', '/_sandbox/release'); }
  expire() { return this.#control('POST', '/_sandbox/expire'); }
  revoke(family) { return this.#control('POST', '/_sandbox/revoke', { family }); }
  rotateKey() { return this.#control('POST', '/_sandbox/rotate-key'); }
  clearLog() { return this.#control('DELETE', '/_sandbox/log'); }
  async families() { return (await this.#control('GET', '/_sandbox/families')).families; }
  async log(since = 0) { return (await this.#control('GET', `/_sandbox/log?since=${since}`)).requests; }
  // Presentations at the token endpoint, of one grant type: what "exactly once" is judged by.
  async grants(type) {
    return (await this.log()).filter((line) => line.method === 'POST' && new URLSearchParams(line.body).get('grant_type') === type);
  }
  stop() { return this.program.stop(); }
}

// One person's way through a gateway and its sandbox, by plain HTTP: /auth, sign in, approve (or deny), back, result.
// Resolves with {browser, callback (address), page (the last answer)}; `upTo` ends the way at 'authorize', 'consent' or 'callback'.
export async function signIn(gateway, { browser = new Browser(), query = '', email, answer = 'approve', upTo } = {}) {
  const start = await browser.get(`${gateway.public}/auth${query}`);
  assert.equal(start.status, 302, start.text);
  const way = { browser, authorize: start.location };
  if (upTo === 'authorize') return way;
  const form = await browser.get(start.location);
  assert.equal(form.status, 200, form.text);
  const origin = new URL(start.location).origin;
  const person = email ?? field(form.text, 'email');
  const consent = await browser.post(`${origin}/_sandbox/sign-in`, { ticket: field(form.text, 'ticket'), email: person });
  assert.equal(consent.status, 200, consent.text);
  if (upTo === 'consent') return { ...way, consent };
  const back = await browser.post(`${origin}/_sandbox/consent`, { ticket: field(consent.text, 'ticket'), answer });
  assert.ok(back.location, back.text);
  way.callback = back.location;
  if (upTo === 'callback') return way;
  way.answer = await browser.get(back.location);
  way.page = way.answer.location?.startsWith(gateway.public) ? await browser.get(way.answer.location) : way.answer;
  return way;
}
