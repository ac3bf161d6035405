// SPDX-License-Identifier: Apache-2.0
// What our C++ wrote opens in the second reader (tests/support/vault_reader.mjs), and what that one wrote in our C++
// (tests/unit/vault/format_vectors_test.cpp): records, data keys under their root, spool segments.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { xchacha20poly1305 } from '@noble/ciphers/chacha';
import { blake2b } from '@noble/hashes/blake2b';
import { answerPayload, bytes, commitment, crc32c, dataKeyPlace, derive, field, hex, notePayload, open, readSegment, ringMac, rootId, rowPlace, seal, spoolPlace, writeFrame } from '../support/vault_reader.mjs';

const read = (name) => JSON.parse(readFileSync(new URL(`../vectors/${name}`, import.meta.url)));
const { long_fields: longFields, facts: withFacts, key_ring: ring, spool } = read('vault_formats.json');

// A long text stands in the file as {repeat, times}.
const whole = (value) => (value?.times ? value.repeat.repeat(value.times) : value);
const identityOf = (vector) => Object.fromEntries(Object.entries(vector.identity).map(([name, value]) => [name, whole(value)]));

test('the 24 fixed records open to what they were sealed from', () => {
  const { records } = read('vault_records.json');
  assert.equal(records.length, 24);
  for (const vector of records) {
    const { keyId, kind, plain } = open(bytes(vector.record), bytes(vector.key), rowPlace(vector.identity));
    assert.equal(keyId, vector.key_id, vector.name);
    assert.equal(kind, vector.kind, vector.name);
    assert.equal(hex(plain), vector.plain, vector.name);
  }
});

test('a record opens nowhere but in its place', () => {
  const { records } = read('vault_records.json');
  for (const vector of records) {
    const elsewhere = { ...vector.identity, generation: vector.identity.generation + 1 };
    assert.throws(() => open(bytes(vector.record), bytes(vector.key), rowPlace(elsewhere)), vector.name);
  }
});

test('an absent field and a hashed one are like no other', () => {
  assert.equal(hex(field(undefined)), 'ffff');
  assert.equal(hex(field('')), '0000');
  assert.equal(hex(field('x'.repeat(0xFFFD)).subarray(0, 3)), 'fffd78');
  assert.match(hex(field('x'.repeat(0xFFFE))), /^fffe[0-9a-f]{64}$/);
  const kinds = longFields.map((vector) => hex(field(identityOf(vector).issuer).subarray(0, 2)));
  assert.deepEqual(kinds, ['fffd', 'fffe', 'fffe']);
  for (const vector of longFields) {
    const opened = open(bytes(vector.record), bytes(vector.key), rowPlace(identityOf(vector)));
    assert.deepEqual([opened.keyId, opened.kind, hex(opened.plain)], [vector.key_id, vector.kind, vector.plain], vector.name);
    assert.throws(() => open(bytes(vector.record), bytes(vector.key), rowPlace({ ...identityOf(vector), issuer: `${identityOf(vector).issuer}y` })));
  }
});

test('a record with facts of its row opens with these alone, in their order', () => {
  assert.equal(withFacts.length, 2);
  for (const { identity, record, key, plain } of withFacts) {
    const opens = (facts) => hex(open(bytes(record), bytes(key), rowPlace({ ...identity, facts })).plain);
    assert.equal(opens(identity.facts), plain);
    for (let i = 0; i < identity.facts.length; ++i) assert.throws(() => opens(identity.facts.with(i, 'else')), `${i}`);
    for (const facts of [[], identity.facts.slice(1), [...identity.facts, ''], identity.facts.toReversed()]) assert.throws(() => opens(facts));
  }
});

test('data keys open under their root, keep to their commitment, and the ring\'s seal fits', () => {
  const root = bytes(ring.root);
  const wrap = derive(root, 'bgwrap__');
  assert.equal(rootId(root), ring.keys[0].root_id);
  for (const row of ring.keys) {
    const { keyId, kind, plain } = open(bytes(row.wrapped), wrap, dataKeyPlace(row));
    assert.deepEqual([keyId, kind, hex(plain)], [row.root_id, 9, row.data_key], row.purpose);
    assert.equal(hex(commitment(plain, row.id)), row.commitment);
    assert.throws(() => open(bytes(row.wrapped), wrap, dataKeyPlace({ ...row, purpose: `${row.purpose}s` })));
    assert.throws(() => open(bytes(row.wrapped), derive(root, 'bgring__'), dataKeyPlace(row)));
  }
  assert.equal(hex(ringMac(root, ring.version, ring.keys)), ring.mac);
  assert.notEqual(hex(ringMac(root, ring.version, ring.keys.slice(1))), ring.mac);
  const swapped = ring.keys.map((row, i) => ({ ...row, commitment: ring.keys[1 - i].commitment }));
  assert.equal(hex(ringMac(root, ring.version, swapped)), ring.mac_of_swapped_commitments);
  const { record, place, plain } = ring.sealed;
  assert.equal(open(bytes(record), bytes(ring.keys[0].data_key), rowPlace(place)).plain.toString(), plain);
});

test('a spool segment reads to its answers and notes, each sealed for its attempt', () => {
  assert.equal(crc32c(Buffer.from('123456789')), 0xE3069283);
  const frames = readSegment(bytes(spool.segment));
  assert.deepEqual(frames.map(({ seq }) => seq), spool.frames.map(({ seq }) => seq));
  frames.forEach((frame, i) => {
    const told = spool.frames[i];
    if (told.committed !== undefined) return assert.equal(frame.committed, told.committed);
    assert.deepEqual(frame.entry, told.entry);
    const { keyId, kind, plain } = open(frame.record, bytes(spool.key), spoolPlace(spool.node, frame.entry));
    assert.deepEqual([keyId, kind, plain.toString()], [0, 8, told.answer]);
    assert.throws(() => open(frame.record, bytes(spool.key), spoolPlace(spool.node, { ...frame.entry, attempt: 'another' })));
    return assert.throws(() => open(frame.record, bytes(spool.key), spoolPlace('another', frame.entry)));
  });
  assert.equal(hex(derive(bytes(ring.root), 'bgspool_')), spool.key, 'the spool hangs on the root too');
});

test('the second reader writes these bytes again', () => {
  for (const vector of longFields) {
    assert.equal(hex(seal(vector.kind, bytes(vector.plain), vector.key_id, bytes(vector.key), bytes(vector.nonce), rowPlace(identityOf(vector)))), vector.record);
  }
  const wrap = derive(bytes(ring.root), 'bgwrap__');
  for (const row of ring.keys) assert.equal(hex(seal(9, bytes(row.data_key), row.root_id, wrap, bytes(row.nonce), dataKeyPlace(row))), row.wrapped);
  const segment = spool.frames.map((frame) => writeFrame(frame.seq, frame.committed !== undefined ? notePayload(frame.committed)
    : answerPayload(frame.entry, seal(8, Buffer.from(frame.answer), 0, bytes(spool.key), bytes(frame.nonce), spoolPlace(spool.node, frame.entry)))));
  assert.equal(hex(Buffer.concat([...segment, Buffer.alloc(64)])), spool.segment);
});

test('the published vectors hold here too', () => {
  const { xchacha20_poly1305: aead, blake2b: hashes } = read('published_crypto.json');
  const cipher = xchacha20poly1305(bytes(aead.key), bytes(aead.nonce), bytes(aead.aad));
  assert.equal(hex(cipher.encrypt(bytes(aead.plain))), aead.sealed);
  for (const { key, in: input, out } of hashes) {
    assert.equal(hex(blake2b(bytes(input), key ? { key: bytes(key) } : {})), out);
  }
});
