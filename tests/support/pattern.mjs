// SPDX-License-Identifier: Apache-2.0
// Bodies of any length whose every byte is known by its place: what is lost, doubled or shifted shows.
import { createHash } from 'node:crypto';

// A prime length, so that no buffer size in between hides a shift.
const period = 65521;
const copies = 17;
const block = (() => {
  const one = Buffer.alloc(period);
  for (let at = 0, word = 0x9e3779b9; at < period; ++at) {
    word = (Math.imul(word, 1664525) + 1013904223) >>> 0;
    one[at] = word >>> 24;
  }
  return Buffer.concat(Array.from({ length: copies }, () => one));
})();

export const pieceMax = block.length - period;

// The bytes from `at`, at most `size` and at most pieceMax. A view: do not write to it.
export function patternPiece(at, size) {
  const from = at % period;
  return block.subarray(from, from + Math.min(size, pieceMax));
}

export function patternBytes(size, at = 0) {
  const parts = [];
  for (let done = 0; done < size;) {
    parts.push(patternPiece(at + done, size - done));
    done += parts.at(-1).length;
  }
  return Buffer.concat(parts);
}

export function patternHash(size) {
  const hash = createHash('sha256');
  for (let at = 0; at < size;) {
    const piece = patternPiece(at, size - at);
    hash.update(piece);
    at += piece.length;
  }
  return hash.digest('hex');
}

// Compares what arrives with the pattern; `wrongAt` is the first byte that differs.
export class PatternCheck {
  wrongAt = undefined;

  constructor(at = 0) {
    this.start = at;
    this.size = 0;
  }
  update(bytes) {
    for (let done = 0; done < bytes.length && this.wrongAt === undefined;) {
      const want = patternPiece(this.start + this.size + done, bytes.length - done);
      if (bytes.compare(want, 0, want.length, done, done + want.length) !== 0) {
        let at = 0;
        while (bytes[done + at] === want[at]) ++at;
        this.wrongAt = this.size + done + at;
      }
      done += want.length;
    }
    this.size += bytes.length;
  }
}
