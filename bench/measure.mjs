// SPDX-License-Identifier: Apache-2.0
// What is measured, and how: CPU of one process from the kernel's own account, load from wrk.
import { execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';

const run = promisify(execFile);
const tick = 1e6 / 100;   // USER_HZ, microseconds

// User and system time of a process and all its threads, in microseconds.
export function cpuOf(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) * tick;
}

export function residentOf(pid) {   // MiB
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
}

export const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
export const spread = (list) => `${Math.min(...list).toFixed(2)} to ${Math.max(...list).toFixed(2)}`;

// One bout of load. `script` is a Lua file, `env` what it reads. CPU per request counts the server alone.
export async function bout({ url, pid, script, env, seconds, connections = 64 }) {
  const before = cpuOf(pid);
  const { stdout } = await run('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, '-s', script, '--latency', url],
    { env: { ...process.env, ...env }, maxBuffer: 1 << 20 });
  const cpu = cpuOf(pid) - before;
  const requests = Number(/(\d+) requests in/.exec(stdout)[1]);
  if (/Non-2xx/.test(stdout) || /Socket errors/.test(stdout)) throw new Error(`errors under load:\n${stdout}`);
  return { requests, perSecond: requests / seconds, cpuPerRequest: cpu / requests, p50: /50%\s+(\S+)/.exec(stdout)[1], p99: /99%\s+(\S+)/.exec(stdout)[1] };
}

// Bouts of A and B in turn; the ratio is B's CPU per request over A's: above 1, A is cheaper.
export async function inTurn(a, b, rounds, progress) {
  const out = { a: [], b: [], ratios: [] };
  for (let round = 1; round <= rounds; ++round) {
    out.a.push(await a());
    out.b.push(await b());
    out.ratios.push(out.b.at(-1).cpuPerRequest / out.a.at(-1).cpuPerRequest);
    progress(`${round}/${rounds}: ${out.a.at(-1).cpuPerRequest.toFixed(2)} and ${out.b.at(-1).cpuPerRequest.toFixed(2)} us of CPU`);
  }
  return out;
}

export function start(command, args, options) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  child.ended = new Promise((resolve) => child.once('exit', resolve));
  return child;
}

export function instructionsIn(file) {   // callgrind's total
  return Number(/^(?:summary|totals): (\d+)/m.exec(readFileSync(file, 'utf8'))[1]);
}
