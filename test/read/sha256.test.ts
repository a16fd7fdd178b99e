import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { native } from '../../src/native/load.js';
import { noise } from './support.js';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

it.each([true, false])('SHA-256 equals that of node:crypto at every length (portable: %s)', (portable) => {
  const bytes = noise(70_000);
  const lengths = [...Array(300).keys(), 1000, 4095, 4096, 4097, 65_535, 65_536, 69_000];
  for (const length of lengths)
    for (const from of [0, 1]) {
      const part = bytes.subarray(from, from + length);
      expect(hex(native().sha256(part, portable))).toBe(createHash('sha256').update(part).digest('hex'));
    }
});
