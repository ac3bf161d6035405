// SPDX-License-Identifier: Apache-2.0
// How Databricks' own clients read tokens and wait, written down from their documented behaviour (databricks-facts 5.3,
// 5.4, 6 and 7.1), not their code: enough to hold a conversation with the gateway as they would. What a client would
// raise is an Error here. Times are Dates; the process's time zone is the client's.
import { sleep } from './brickgate.mjs';
import { call } from './http_call.mjs';

// Not by fetch(), which says Sec-Fetch-Mode as browsers do.
const metadata = (url, host) => call(new URL(url).origin, new URL(url).pathname, { headers: { 'X-Databricks-Metadata-Version': '1', 'X-Databricks-Host': host } });

const localWallClock = (text) => {
  const parts = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)$/.exec(text);
  if (!parts) throw new Error(`ValueError: time data '${text}'`);
  const [year, month, ...rest] = parts.slice(1).map(Number);
  return new Date(year, month - 1, ...rest);
};

export const python = {
  // Reads JSON whatever the status; an empty token and an end that is no number are errors.
  async metadataToken(url, host) {
    const { access_token, token_type, expires_on } = (await metadata(url, host)).json();
    if (!access_token) throw new Error('Metadata Service returned empty token');
    if (typeof expires_on !== 'number') throw new Error('TypeError: an integer is required');
    return { access_token, token_type, expiry: new Date(expires_on * 1000) };
  },
  // Cuts a trailing Z, then from the first dot on, and takes the rest as local.
  cliToken(text) {
    const { access_token, token_type, expiry } = JSON.parse(text);
    return { access_token, token_type, expiry: localWallClock(expiry.replace(/Z$/, '').split('.')[0]) };
  },
  isExpired: ({ expiry }, now = Date.now()) => expiry - 40_000 < now,
  // 429 and 503: whole seconds of Retry-After, 1 without; and up to one more.
  async call(ask, { limitMs = 300_000 } = {}) {
    for (const end = Date.now() + limitMs; ;) {
      const answer = await ask();
      if (![429, 503].includes(answer.status)) return answer;
      const told = answer.headers['retry-after'];
      const seconds = /^\d+$/.test(told ?? '') ? Number(told) : 1;
      if (Date.now() + seconds * 1000 > end) throw new Error('Timed out');
      await sleep(seconds * 1000 + Math.random() * 1000);
    }
  },
  versionProbe: ['version', '--output', 'json'],
  version(text) {
    const { Major, Minor, Patch } = JSON.parse(text);
    if (![Major, Minor, Patch].every(Number.isInteger)) throw new Error('no version');
    return [Major, Minor, Patch];
  },
};

export const go = {
  // Only plain loopback names; the status counts; a number or text of digits.
  async metadataToken(url, host) {
    if (!['localhost', '127.0.0.1'].includes(new URL(url).hostname)) throw new Error('invalid metadata service url');
    const answer = await metadata(url, host);
    if (answer.status !== 200) throw new Error(`metadata service: ${answer.status}`);
    const { access_token, token_type, expires_on } = answer.json();
    if (!/^\d+$/.test(String(expires_on))) throw new Error('expires_on');
    return { access_token, token_type, expiry: new Date(Number(expires_on) * 1000) };
  },
  // RFC 3339, or with a space and then UTC.
  cliToken(text) {
    const { access_token, token_type, expiry } = JSON.parse(text);
    const rfc = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(expiry);
    const spaced = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?$/.test(expiry);
    if (!rfc && !spaced) throw new Error(`cannot parse ${expiry}`);
    return { access_token, token_type, expiry: new Date(rfc ? expiry : `${expiry.replace(' ', 'T')}Z`) };
  },
  // 429 and 503: its own pace, whatever Retry-After says.
  async call(ask, { limitMs = 300_000 } = {}) {
    for (let attempt = 1, end = Date.now() + limitMs; ; ++attempt) {
      const answer = await ask();
      if (![429, 503].includes(answer.status)) return answer;
      if (Date.now() > end) throw new Error('timed out');
      await sleep(Math.min(attempt * 1000, 10_000) + 50 + Math.random() * 700);
    }
  },
  versionProbe: ['version'],
  version(text) {
    const parts = /Databricks CLI v(\d+)\.(\d+)\.(\d+)/.exec(text);
    if (!parts) throw new Error('no version');
    return parts.slice(1).map(Number);
  },
};

export const java = {
  cliToken(text) {
    const { access_token, token_type, expiry } = JSON.parse(text);
    const offset = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(expiry);
    return { access_token, token_type, expiry: offset ? new Date(expiry) : localWallClock(expiry.split('.')[0]) };
  },
  versionProbe: python.versionProbe,
  version: python.version,
};

export const javascript = {
  cliToken(text) {
    const { access_token, token_type, expiry } = JSON.parse(text);
    const time = new Date(expiry);
    if (Number.isNaN(time.getTime())) throw new Error('expiry');
    return { access_token, token_type, expiry: time };
  },
};

export const jdbc = {
  // Seconds of Retry-After, and an exception where there are none.
  waitOf(answer) {
    const told = answer.headers['retry-after'];
    if (told === undefined) throw new Error('Retry-After is missing');
    if (!/^\d+$/.test(told)) throw new Error(`NumberFormatException: ${told}`);
    return Number(told);
  },
};
