// SPDX-License-Identifier: Apache-2.0
// Five gibibytes down and up through the gateway, every byte accounted for at the far end, and the most memory it held meanwhile.
import { readFileSync, writeFileSync } from 'node:fs';
import { download, echo, upload } from '../tests/support/answers.mjs';
import { PatternCheck, patternHash, patternPiece } from '../tests/support/pattern.mjs';
import { ProxyWorld } from '../tests/support/proxy_world.mjs';

const file = '/api/2.0/fs/files/Volumes/main/default/v/whole';

// The kernel's own high-water mark, set back before and read after: no sampling could miss a peak.
const forgetPeak = (pid) => writeFileSync(`/proc/${pid}/clear_refs`, '5');
const peakOf = (pid) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

async function grown(pid, work) {
  forgetPeak(pid);
  const before = peakOf(pid);
  const since = performance.now();
  await work();
  return { growth: peakOf(pid) - before, seconds: (performance.now() - since) / 1000 };
}

async function* pattern(bytes) {
  for (let at = 0; at < bytes;) {
    const piece = patternPiece(at, bytes - at);
    yield piece;
    at += piece.length;
  }
}

async function down(world, bytes) {
  const check = new PatternCheck();
  const { message } = await world.open(`${file}?size=${bytes}`);
  for await (const piece of message) check.update(piece);
  if (check.size !== bytes || check.wrongAt !== undefined) throw new Error(`${check.size} of ${bytes} bytes came down, the first wrong one at ${check.wrongAt}`);
}

async function up(world, bytes, hash) {
  const answer = await world.call(file, { method: 'PUT', body: pattern(bytes), headers: { 'Content-Length': bytes } });
  const got = answer.json();
  if (got.body_size !== bytes || got.body_sha256 !== hash) throw new Error(`${got.body_size} of ${bytes} bytes went up, or others than were sent`);
}

export async function whole({ bytes, row }) {
  const hash = patternHash(bytes);
  for (const upstreamTls of [false, true]) {
    const world = await ProxyWorld.start({ upstreamTls });
    const { pid } = world.gateway.process.child;
    world.double.on('/api/2.0/echo', echo).on(file, download()).on(file, upload(), { method: 'PUT' });
    try {
      await world.call('/api/2.0/echo');
      for (const [way, work] of [['down', down], ['up', up]]) {
        const { growth, seconds } = await grown(pid, () => work(world, bytes, hash));
        row(`${bytes / 2 ** 30} GiB ${way}, ${upstreamTls ? 'TLS' : 'plain'} upstream: growth of peak memory`, `${growth.toFixed(1)} MiB`,
          `goal 32; every byte compared; ${Math.round(bytes / 1e6 / seconds)} MB/s with Node at both ends`);
      }
    } finally {
      await world.stop();
    }
  }
}
