// SPDX-License-Identifier: Apache-2.0
// Whether HTTP/2 towards a workspace would be cheaper than HTTP/1.1 (docs/adr/0014): one client, h2load, speaks both to one nginx
// over TLS, in turn, and its own CPU per request is what counts: it stands where our upstream side stands.
import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../tests/support/brickgate.mjs';
import { median, spread } from './measure.mjs';
import { certificate, listening, nginx } from './proxy.mjs';

const run = promisify(execFile);

// As many calls in flight each time, on connections of their own or on few.
const ways = [
  { name: 'one call on each connection', h1: 64, h2: [64, 1] },
  { name: '16 calls at once on each connection', h1: 64, h2: [4, 16] },
];

async function cpuPerRequest(url, requests, args) {
  const { stdout, stderr } = await run('/usr/bin/time', ['-f', 'cpu %U %S', 'h2load', '-t1', `-n${requests}`, ...args, url]);
  const succeeded = Number(/(\d+) succeeded/.exec(stdout)?.[1]);
  if (succeeded !== requests) throw new Error(`h2load: ${stdout}`);
  const [, user, system] = /cpu ([\d.]+) ([\d.]+)/.exec(stderr);
  return ((Number(user) + Number(system)) * 1e6) / requests;
}

export async function http2({ work, rounds, quick, row, progress }) {
  const pem = await certificate(work);
  const port = await freePort();
  const files = join(work, 'http2-files');
  mkdirSync(files, { recursive: true });
  const sizes = { '1 KiB': [1024, 40000], '100 KiB': [102400, 4000] };
  for (const [bytes] of Object.values(sizes)) await run('sh', ['-c', `head -c ${bytes} /dev/zero | tr '\\0' x > ${join(files, String(bytes))}`]);
  const server = await nginx(work, 'http2', `server { listen 127.0.0.1:${port} ssl http2; ssl_certificate ${pem.cert}; ssl_certificate_key ${pem.key};
    ssl_protocols TLSv1.3; root ${files}; }`);
  await listening(port);
  const bearer = ['-H', `authorization: Bearer ${'x'.repeat(1000)}`];
  for (const [size, [bytes, all]] of Object.entries(sizes)) {
    const requests = quick ? all / 10 : all;
    const url = `https://localhost:${port}/${bytes}`;
    for (const { name, h1, h2 } of ways) {
      const ratios = [];
      const seen = { h1: [], h2: [] };
      for (let round = 1; round <= rounds; ++round) {
        seen.h1.push(await cpuPerRequest(url, requests, ['--h1', `-c${h1}`, ...bearer]));
        seen.h2.push(await cpuPerRequest(url, requests, [`-c${h2[0]}`, `-m${h2[1]}`, ...bearer]));
        ratios.push(seen.h1.at(-1) / seen.h2.at(-1));
        progress(`${round}/${rounds}: ${seen.h1.at(-1).toFixed(1)} and ${seen.h2.at(-1).toFixed(1)} us of CPU`);
      }
      row(`HTTP/2, ${size}, ${name}: HTTP/1.1's CPU over its`, `${median(ratios).toFixed(2)} (${spread(ratios)})`,
        `a client's CPU a request over TLS, 64 in flight: ${median(seen.h2).toFixed(1)} against ${median(seen.h1).toFixed(1)} us`);
    }
  }
  await server.stop();
}
