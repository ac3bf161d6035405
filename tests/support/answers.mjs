// SPDX-License-Identifier: Apache-2.0
// What a workspace may answer, as handlers for the workspace double: good, slow, broken, hostile. Error bodies as
// Databricks writes them (databricks-facts 3.4 to 3.6).
import { sleep } from './brickgate.mjs';
import { patternPiece } from './pattern.mjs';

// Each request gets the next; the last stays.
export function sequence(...handlers) {
  let at = 0;
  return (x) => handlers[Math.min(at++, handlers.length - 1)](x);
}

// What came, told back.
export const echo = async (x) => {
  await x.drain();
  if (!x.complete) return;
  await x.json(200, { method: x.method, target: x.target, head: x.head, headers: x.headers, body_size: x.bodySize, body_sha256: x.bodyHash });
};

// Takes an upload of any size; `pauseMs` after each piece makes a slow reader.
export const upload = ({ pauseMs = 0 } = {}) => async (x) => {
  for await (const piece of x.pieces()) if (pauseMs > 0 && piece.length > 0) await sleep(pauseMs);
  if (x.complete) await x.json(200, { body_size: x.bodySize, body_sha256: x.bodyHash });
};

const etag = '"brickgate-1"';
const modified = 'Tue, 01 Sep 2026 12:00:00 GMT';

// [from, to) of a single range; null when it cannot be had.
function rangeOf(header, size) {
  const parts = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (!parts || (parts[1] === '' && parts[2] === '')) return undefined;
  const from = parts[1] === '' ? Math.max(0, size - Number(parts[2])) : Number(parts[1]);
  const to = parts[1] === '' || parts[2] === '' ? size : Math.min(size, Number(parts[2]) + 1);
  return from < to ? [from, to] : null;
}

// The pattern (pattern.mjs), `size` bytes or ?size=. Framing: length | chunked | close. `x.sent` counts what went out.
export const download = ({ size = 0, framing = 'length', piece = 1 << 18, pauseMs = 0, headers = [] } = {}) => async (x) => {
  const total = Number(x.query.get('size') ?? size);
  const kind = x.query.get('framing') ?? framing;
  const common = [['Content-Type', 'application/octet-stream'], ['ETag', etag], ['Last-Modified', modified], ...headers];
  await x.drain();
  if (x.header('if-none-match') === etag) return x.respond(304, common);
  const range = rangeOf(x.header('range'), total);
  if (range === null) return x.respond(416, [...common, ['Content-Range', `bytes */${total}`]]);
  const [from, to] = range ?? [0, total];
  const how = { length: [['Content-Length', to - from]], chunked: [['Transfer-Encoding', 'chunked']], close: [['Connection', 'close']] }[kind];
  x.status = range ? 206 : 200;
  await x.write(x.headOf(x.status, [...common, ['Accept-Ranges', 'bytes'], ...(range ? [['Content-Range', `bytes ${from}-${to - 1}/${total}`]] : []), ...how]));
  x.sent = 0;
  if (x.method === 'HEAD') return;
  while (x.sent < to - from) {
    const bytes = patternPiece(from + x.sent, Math.min(piece, to - from - x.sent));
    const framed = kind === 'chunked' ? Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]) : bytes;
    if (!(await x.write(framed))) return void (x.keep = false);
    x.sent += bytes.length;
    if (pauseMs > 0) await sleep(pauseMs);
  }
  if (kind === 'chunked') await x.write('0\r\n\r\n');
  if (kind === 'close') x.end();
};

// Server-sent events, each with the time at which it left.
export const events = ({ ticks = 5, everyMs = 200 } = {}) => async (x) => {
  await x.drain();
  await x.write(x.headOf(200, [['Content-Type', 'text/event-stream'], ['Cache-Control', 'no-cache'], ['Transfer-Encoding', 'chunked']]));
  for (let tick = 0; tick < ticks; ++tick) {
    const text = `data: ${JSON.stringify({ tick, sent_at: Date.now() })}\n\n`;
    if (!(await x.write(`${text.length.toString(16)}\r\n${text}\r\n`))) return void (x.keep = false);
    if (tick + 1 < ticks) await sleep(everyMs);
  }
  await x.write('0\r\n\r\n');
};

// Exactly these bytes, then: keep | end | reset | hold (the connection stays and nothing follows).
export const wire = (bytes, then = 'end') => async (x) => {
  await x.drain();
  await x.write(bytes);
  if (then === 'end') x.end();
  if (then === 'reset') x.reset();
  if (then === 'hold') await x.connection.gone;
};

// An answer that ends after `at` of its bytes.
export const cut = (text, at, then = 'end') => wire(text.slice(0, at), then);
// The request is read whole, and then there is nothing.
export const drop = (then = 'reset') => wire('', then);
// Only the head is read before the connection ends.
export const dropEarly = async (x) => x.reset();

export const answer = (status, document, headers = []) => async (x) => {
  await x.drain();
  await x.json(status, document, headers);
};

const frontDoor = (status, message, headers = []) => answer(status, { error_code: status, message }, [['x-databricks-reason-phrase', message], ...headers]);

export const refusals = {
  expired: frontDoor(401, 'Token is expired'),
  noCredential: frontDoor(401, 'Credential was not sent or was of an unsupported type for this API.', [['WWW-Authenticate', 'Bearer realm="DatabricksRealm"']]),
  invalidToken: frontDoor(403, 'Invalid access token. [ReqId: 7b1c6d0e-6f0a-4a52-8f5d-3d0f5a2f4a11]'),
  expiringSoon: frontDoor(403, 'Token is expiring within 30 seconds. (token expired)'),
  permissionDenied: answer(403, { error_code: 'PERMISSION_DENIED', message: 'User does not have CAN_MANAGE on cluster 0101-000000-practice.' }),
  scopes: frontDoor(403, 'Provided OAuth token does not have required scopes: sql'),
  ipAcl: frontDoor(403, 'Source IP address: 192.0.2.7 is blocked by Databricks IP ACL for workspace: 1234567890123456 [ReqId: 0d3f]'),
  tooMany: (headers = []) => answer(429, { error_code: 'REQUEST_LIMIT_EXCEEDED', message: 'Your request was rejected since your organization has exceeded the rate limit.' }, headers),
  tooManyWithRetryInfo: (delay) => answer(429, {
    error_code: 'REQUEST_LIMIT_EXCEEDED', message: 'RPC token bucket limit has been exceeded.',
    details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retry_delay: delay }],
  }),
  unavailable: (headers = []) => answer(503, { error_code: 'TEMPORARILY_UNAVAILABLE', message: 'The service is temporarily unavailable.' }, headers),
  badGateway: answer(502, { error_code: 'BAD_GATEWAY', message: 'upstream' }),
  gatewayTimeout: answer(504, { error_code: 'DEADLINE_EXCEEDED', message: 'deadline exceeded' }),
};

// What must not reach a browser through another origin (T44), and what may.
export const hostileHeaders = [
  ['Set-Cookie', 'session=stolen; Path=/'], ['Set-Cookie', 'second=1'], ['Set-Cookie2', 'old=1'],
  ['Access-Control-Allow-Origin', '*'], ['Access-Control-Allow-Credentials', 'true'], ['Access-Control-Expose-Headers', '*'],
  ['Strict-Transport-Security', 'max-age=31536000; includeSubDomains'], ['Alt-Svc', 'h3=":443"; ma=86400'], ['Clear-Site-Data', '"*"'],
  ['Refresh', '0; url=https://evil.test/'], ['Public-Key-Pins', 'pin-sha256="x"; max-age=1'], ['Service-Worker-Allowed', '/'],
  ['Content-Security-Policy', "default-src *; script-src * 'unsafe-inline'"], ['Content-Security-Policy-Report-Only', 'default-src *'],
  ['Link', '</x.js>; rel=preload; as=script'], ['Proxy-Authenticate', 'Basic realm="x"'], ['Keep-Alive', 'timeout=5'],
  ['Connection', 'X-Nominated'], ['X-Nominated', 'by Connection'], ['Upgrade', 'h2c'], ['Trailer', 'X-After'],
];
export const harmlessHeaders = [
  ['x-databricks-org-id', '1234567890123456'], ['x-request-id', '5d1c7a52-0000-4000-8000-2f5f3f3a1e11'], ['x-databricks-reason-phrase', 'none'],
  ['ETag', '"brickgate-1"'], ['Content-Disposition', 'attachment; filename="x.html"'], ['X-Thriftserver-Error-Message', 'none'],
];
export const hostile = async (x) => {
  await x.drain();
  await x.respond(200, [['Content-Type', 'text/html'], ...hostileHeaders, ...harmlessHeaders], '<script>document.title = "ran"</script>');
};

// A statement whose result lies behind presigned links (databricks-facts 9).
export const externalLinks = (link) => answer(200, {
  statement_id: '01ef0000-0000-4000-8000-000000000001',
  status: { state: 'SUCCEEDED' },
  result: { external_links: [{ chunk_index: 0, row_count: 1, byte_count: 12, external_link: link, expiration: '2026-12-01T00:00:00.000Z' }] },
});
