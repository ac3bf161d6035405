// SPDX-License-Identifier: Apache-2.0
// A second reader of the vault's record format, written from the specification alone and sharing no
// code with the gateway: what it opens is what the format says, not what our C++ happens to do.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { xchacha20poly1305 } from '@noble/ciphers/chacha';
import { blake2b } from '@noble/hashes/blake2b';

const read = (name) => JSON.parse(readFileSync(new URL(`../vectors/${name}`, import.meta.url)));
const bytes = (hex) => new Uint8Array(Buffer.from(hex, 'hex'));
const hex = (data) => Buffer.from(data).toString('hex');

// Ids of ours carry 16 bytes as hex behind a prefix; other names are hashed to as many.
function sixteen(id) {
  const own = /^[^_]*_([0-9a-f]{32})$/.exec(id);
  return own ? Buffer.from(own[1], 'hex') : blake2b(Buffer.from(id), { dkLen: 16 });
}

function field(value) {
  const data = Buffer.from(value);
  const size = Buffer.alloc(2);
  size.writeUInt16BE(data.length);
  return Buffer.concat([size, data]);
}

function associatedData(header, place) {
  const generation = Buffer.alloc(8);
  generation.writeBigUInt64BE(BigInt(place.generation));
  return Buffer.concat([
    Buffer.from('brickgate/v1'), header,
    field(place.table), field(place.column), field(sixteen(place.tenant)), field(sixteen(place.row)),
    field(sixteen(place.registration)), field(place.issuer), field(place.api_host), field(generation),
  ]);
}

function open(record, key, place) {
  const header = record.subarray(0, 6);
  const head = Buffer.from(header);
  assert.equal(head[0], 1, 'version');
  assert.equal(head[1], 1, 'algorithm');
  const cipher = xchacha20poly1305(key, record.subarray(6, 30), associatedData(header, place));
  const padded = Buffer.from(cipher.decrypt(record.subarray(30)));
  assert.equal(padded.length % 64, 0, 'padded to a multiple of 64');
  const end = 5 + padded.readUInt32BE(1);
  assert.ok(padded.subarray(end).every((byte) => byte === 0), 'padding is zero');
  return { keyId: head.readUInt32BE(2), kind: padded[0], plain: padded.subarray(5, end) };
}

test('the 24 fixed records open to what they were sealed from', () => {
  const { records } = read('vault_records.json');
  assert.equal(records.length, 24);
  for (const vector of records) {
    const { keyId, kind, plain } = open(bytes(vector.record), bytes(vector.key), vector.identity);
    assert.equal(keyId, vector.key_id, vector.name);
    assert.equal(kind, vector.kind, vector.name);
    assert.equal(hex(plain), vector.plain, vector.name);
  }
});

test('a record opens nowhere but in its place', () => {
  const { records } = read('vault_records.json');
  for (const vector of records) {
    const elsewhere = { ...vector.identity, generation: vector.identity.generation + 1 };
    assert.throws(() => open(bytes(vector.record), bytes(vector.key), elsewhere), vector.name);
  }
});

test('the published vectors hold here too', () => {
  const { xchacha20_poly1305: aead, blake2b: hashes } = read('published_crypto.json');
  const cipher = xchacha20poly1305(bytes(aead.key), bytes(aead.nonce), bytes(aead.aad));
  assert.equal(hex(cipher.encrypt(bytes(aead.plain))), aead.sealed);
  for (const { key, in: input, out } of hashes) {
    assert.equal(hex(blake2b(bytes(input), key ? { key: bytes(key) } : {})), out);
  }
});
