import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { sha256Hex } from '../../src/util/sha256.js';

it.each([0, 1, 32 * 1024, 32 * 1024 + 1, 1 << 20, (1 << 20) + 1, 5_000_003])(
  'hashes %i bytes as Node does, whichever way it takes',
  async (length) => {
    const bytes = Buffer.alloc(length).map((_, i) => i % 251);
    expect(await sha256Hex(bytes)).toBe(createHash('sha256').update(bytes).digest('hex'));
  },
);
