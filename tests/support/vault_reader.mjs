// SPDX-License-Identifier: Apache-2.0
// A second reader of what the vault keeps (records, key ring, spool), written from the specification alone and sharing
// no code with the gateway: what it opens is what the format says, not what our C++ happens to do.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { xchacha20poly1305 } from '@noble/ciphers/chacha';
import { blake2b } from '@noble/hashes/blake2b';

export const bytes = (hex) => new Uint8Array(Buffer.from(hex, 'hex'));
export const hex = (data) => Buffer.from(data).toString('hex');

function number(value, size) {
  const out = Buffer.alloc(8);
  out.writeBigUInt64BE(BigInt(value));
  return out.subarray(8 - size);
}

// A field of associated data: u16 length and bytes; 0xFFFF alone is an absent one; 0xFFFE and the SHA-256 stand for one
// that is too long for the length.
export function field(value) {
  if (value === undefined) return number(0xFFFF, 2);
  const data = Buffer.from(value);
  if (data.length >= 0xFFFE) return Buffer.concat([number(0xFFFE, 2), createHash('sha256').update(data).digest()]);
  return Buffer.concat([number(data.length, 2), data]);
}
const u64 = (value) => field(number(value, 8));

// Ids of ours carry 16 bytes as hex behind a prefix; other names are hashed to as many.
function sixteen(id) {
  const own = /^[^_]*_([0-9a-f]{32})$/.exec(id);
  return own ? Buffer.from(own[1], 'hex') : blake2b(Buffer.from(id), { dkLen: 16 });
}

export const rowPlace = (identity) => ['brickgate/v1', [
  field(identity.table), field(identity.column), field(sixteen(identity.tenant)), field(sixteen(identity.row)),
  field(sixteen(identity.registration)), field(identity.issuer), field(identity.api_host), u64(identity.generation),
  ...(identity.facts ?? []).map(field)]];
export const dataKeyPlace = (row) => ['brickgate/dek/v1', [u64(row.id), field(undefined), field(row.purpose), u64(row.created_at_ms), u64(row.root_id)]];
export const spoolPlace = (node, entry) => ['brickgate/spool/v1', [
  field(node), u64(entry.kind), field(entry.connection), u64(entry.family), u64(entry.generation), field(entry.attempt), u64(entry.received_at_ms)]];

const associated = (header, [magic, fields]) => Buffer.concat([Buffer.from(magic), header, ...fields]);

// Record format version 1.
export function open(record, key, place) {
  const header = Buffer.from(record.subarray(0, 6));
  assert.equal(header[0], 1, 'version');
  assert.equal(header[1], 1, 'algorithm');
  const cipher = xchacha20poly1305(key, record.subarray(6, 30), associated(header, place));
  const padded = Buffer.from(cipher.decrypt(record.subarray(30)));
  assert.equal(padded.length % 64, 0, 'padded to a multiple of 64');
  const end = 5 + padded.readUInt32BE(1);
  assert.ok(padded.subarray(end).every((byte) => byte === 0), 'padding is zero');
  return { keyId: header.readUInt32BE(2), kind: padded[0], plain: padded.subarray(5, end) };
}

export function seal(kind, plain, keyId, key, nonce, place) {
  const header = Buffer.concat([Buffer.from([1, 1]), number(keyId, 4)]);
  const padded = Buffer.alloc(Math.ceil((5 + plain.length) / 64) * 64);
  padded[0] = kind;
  padded.writeUInt32BE(plain.length, 1);
  padded.set(plain, 5);
  return Buffer.concat([header, nonce, xchacha20poly1305(key, nonce, associated(header, place)).encrypt(padded)]);
}

// libsodium's crypto_kdf, subkey 1.
export function derive(root, context) {
  const salt = Buffer.alloc(16);
  salt[0] = 1;
  const personalization = Buffer.alloc(16);
  personalization.write(context);
  return blake2b(new Uint8Array(), { key: root, salt, personalization, dkLen: 32 });
}

export function keyedHash(key, parts, size) {
  const all = parts.map((part) => Buffer.from(part)).flatMap((part) => [number(part.length, 8), part]);
  return blake2b(Buffer.concat(all), { key, dkLen: size });
}

export const rootId = (root) => Buffer.from(blake2b(Buffer.from('brickgate-root-id'), { key: root, dkLen: 16 })).readUInt32BE(0);
export const commitment = (dataKey, id) => keyedHash(derive(dataKey, 'bgcommit'), ['brickgate/commit/v1', hex(number(id, 4))], 32);
export function ringMac(root, version, rows) {
  const one = (row) => Buffer.concat([Buffer.from('row'), u64(row.id), field(row.purpose), field(row.state), u64(row.root_id),
    field(bytes(row.wrapped)), field(bytes(row.commitment)), u64(row.created_at_ms)]);
  return keyedHash(derive(root, 'bgring__'), [version, Buffer.concat([Buffer.from(String(rows.length)), ...rows.map(one)])], 32);
}

// CRC-32C (Castagnoli), bit by bit.
export function crc32c(data) {
  let crc = 0xFFFFFFFF;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; ++bit) crc = crc & 1 ? (crc >>> 1) ^ 0x82F63B78 : crc >>> 1;
  }
  return (crc ^ 0xFFFFFFFF) >>> 0;
}

export function writeFrame(seq, payload) {
  return Buffer.concat([number(payload.length, 4), number(seq, 8), number(crc32c(Buffer.concat([number(seq, 8), payload])), 4), payload]);
}

const text = (value) => Buffer.concat([number(Buffer.from(value).length, 4), Buffer.from(value)]);
export const answerPayload = (entry, record) => Buffer.concat([Buffer.from([1, entry.kind]), text(entry.connection), number(entry.family, 8),
  number(entry.generation, 8), text(entry.attempt), number(entry.received_at_ms, 8), text(record)]);
export const notePayload = (committed) => Buffer.concat([Buffer.from([2]), number(committed, 8)]);

// The frames of a segment, until its zeros begin.
export function readSegment(segment) {
  const data = Buffer.from(segment);
  const frames = [];
  let at = 0;
  while (at + 16 <= data.length && data.readUInt32BE(at) > 0) {
    const size = data.readUInt32BE(at);
    const seq = Number(data.readBigUInt64BE(at + 4));
    const payload = data.subarray(at + 16, at + 16 + size);
    assert.equal(crc32c(Buffer.concat([data.subarray(at + 4, at + 12), payload])), data.readUInt32BE(at + 12), 'checksum');
    frames.push({ seq, ...readPayload(payload) });
    at += 16 + size;
  }
  assert.ok(data.subarray(at).every((byte) => byte === 0), 'zeros after the last frame');
  return frames;
}

function readPayload(payload) {
  let at = 1;
  const take = (size) => payload.subarray(at, (at += size));
  const u = (size) => Number(BigInt(`0x${hex(take(size))}`));
  if (payload[0] === 2) return { committed: u(8) };
  assert.equal(payload[0], 1, 'type of a frame');
  const entry = { kind: u(1), connection: take(u(4)).toString(), family: u(8), generation: u(8), attempt: take(u(4)).toString(), received_at_ms: u(8) };
  const record = take(u(4));
  assert.equal(at, payload.length, 'the payload is used up');
  return { entry, record };
}
