import { createHash } from 'node:crypto';
import { appendFileSync, chmodSync, statSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type ChunkOptions, type FileChunk, openChunks } from '../../src/read/chunks.js';
import {
  account,
  charged,
  code,
  gathered,
  noise,
  openBelow,
  temporaryFolder,
  untilEqual,
} from './support.js';

const dir = temporaryFolder();
const at = (name: string) => path.join(dir, name);
const content = noise(1_000_003);
writeFileSync(at('file'), content);

describe('chunks of a file', () => {
  it('are its bytes in order, all of the size asked for but the last', async () => {
    const { bytes, lengths, stat } = await gathered(at('file'), { chunkBytes: '100kB' });
    expect(bytes.equals(content)).toBe(true);
    expect(lengths).toEqual([...Array(10).fill(100_000), 3]);
    const { dev, ino, mtimeNs, ctimeNs } = statSync(at('file'), { bigint: true });
    expect(stat).toEqual({ dev, ino, size: content.length, mtimeNs, ctimeNs });
  });

  it('come by path, raw bytes, URL or record, and through a link', async () => {
    const url = pathToFileURL(at('file'));
    for (const file of [at('file'), Buffer.from(at('file')), url, { pathBytes: Buffer.from(at('file')) }])
      expect((await gathered(file)).bytes.equals(content)).toBe(true);
  });

  it('cover a range, clamped to the file', async () => {
    const ranges = [
      [0, 0],
      [0, 1],
      [5, 5],
      [99_999, 300_001],
      [1_000_000, 2_000_000],
      [3_000_000, 4_000_000],
    ] as const;
    for (const [start, end] of ranges) {
      const { bytes } = await gathered(at('file'), { start, end, chunkBytes: 65_536 });
      expect(bytes.equals(content.subarray(start, end))).toBe(true);
    }
    expect((await gathered(at('file'), { start: 7 })).bytes.equals(content.subarray(7))).toBe(true);
  });

  it('are none where the file is empty', async () => {
    writeFileSync(at('empty'), '');
    const { lengths, stat, sha256 } = await gathered(at('empty'), { sha256: true });
    expect(lengths).toEqual([]);
    expect(stat?.size).toBe(0);
    expect(sha256).toBe(createHash('sha256').digest('hex'));
  });

  it('carry the digest of what was delivered, known at the end only', async () => {
    for (const options of [{ chunkBytes: 4093 }, { start: 12_345, end: 654_321, chunkBytes: 100_000 }]) {
      const { sha256, bytes } = await gathered(at('file'), { ...options, sha256: true });
      expect(sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
    }
    const early = openChunks(at('file'), { chunkBytes: 1000, sha256: true });
    for await (const _ of early) break;
    expect([early.sha256, early.stat]).toEqual([undefined, undefined]);
    expect((await gathered(at('file'))).sha256).toBeUndefined();
  });

  it('may be read sparse', async () => {
    writeFileSync(at('sparse'), 'begin');
    truncateSync(at('sparse'), 20e6);
    appendFileSync(at('sparse'), 'end');
    const { bytes } = await gathered(at('sparse'));
    expect(bytes.length).toBe(20e6 + 3);
    expect(bytes.toString('latin1', 0, 6)).toBe('begin\0');
    expect(bytes.toString('latin1', 20e6)).toBe('end');
    expect(bytes.subarray(5, 20e6).every((byte) => byte === 0)).toBe(true);
  });

  it('can be looped over once', async () => {
    const chunks = openChunks(at('file'));
    for await (const _ of chunks);
    await expect(chunks[Symbol.asyncIterator]().next()).rejects.toThrow(code('ERR_CLOSED'));
  });
});

describe('a chunk and the turn of the loop', () => {
  it('is valid within the turn and of length 0 after it', async () => {
    const kept: FileChunk[] = [];
    const views: Uint8Array[] = [];
    for await (const chunk of openChunks(at('file'), { chunkBytes: 100_000 })) {
      for (const old of kept) expect([old.bytes.length, old.length > 0]).toEqual([0, true]);
      await setImmediate();
      expect(
        Buffer.from(chunk.bytes).equals(content.subarray(chunk.offset, chunk.offset + chunk.length)),
      ).toBe(true);
      kept.push(chunk);
      views.push(chunk.bytes.subarray(1, 2));
    }
    expect(kept).toHaveLength(11);
    for (const view of [...views, ...kept.map(({ bytes }) => bytes)]) expect(view.length).toBe(0);
    expect(() => kept[0]?.retain()).toThrow(code('ERR_CLOSED'));
  });

  it('stays valid when retained, across turns and beyond the end, until released', async () => {
    const { id, held } = account();
    const kept: FileChunk[] = [];
    for await (const chunk of openChunks(at('file'), { chunkBytes: 50_000, account: id }))
      kept.push(chunk.retain());
    await untilEqual(held, 21 * charged(50_000));
    const read = Buffer.concat(kept.map(({ bytes }) => bytes));
    expect(read.equals(content)).toBe(true);
    for (const chunk of kept) {
      chunk.release();
      expect(chunk.bytes.length).toBe(0);
      chunk.release();
    }
    expect(held()).toBe(0);
  });

  it('goes back to the ring when a retained one is released in the loop', async () => {
    const { id, peak } = account();
    let previous: FileChunk | undefined;
    for await (const chunk of openChunks(at('file'), { chunkBytes: 10_000, account: id })) {
      previous?.release();
      previous = chunk.retain();
    }
    previous?.release();
    expect(peak()).toBeLessThanOrEqual(5 * charged(10_000));
  });

  it('is given back by using', async () => {
    const { id, held } = account();
    for await (const chunk of openChunks(at('file'), { chunkBytes: 500_000, account: id })) {
      using kept = chunk.retain();
      expect(kept.bytes.length).toBeGreaterThan(0);
    }
    await untilEqual(held, 0);
  });
});

describe('the account of a chunk ring', () => {
  it('holds a few chunks however large the file, and nothing after the end', async () => {
    const { id, held, peak } = account();
    for await (const _ of openChunks(at('file'), { chunkBytes: 10_000, account: id }))
      expect(held()).toBeLessThanOrEqual(3 * charged(10_000));
    expect(held()).toBe(0);
    expect(peak()).toBeGreaterThanOrEqual(10_000);
  });

  it('holds no more than the file needs', async () => {
    const { id, peak } = account();
    writeFileSync(at('tiny'), 'tiny');
    expect((await gathered(at('tiny'), { account: id })).bytes.toString()).toBe('tiny');
    expect(peak()).toBe(charged(4));
  });

  it('makes do with what the budget leaves, down to a single chunk', async () => {
    for (const slots of [1, 2]) {
      const { id, peak } = account(slots * charged(10_000));
      expect((await gathered(at('file'), { chunkBytes: 10_000, account: id })).bytes.equals(content)).toBe(
        true,
      );
      expect(peak()).toBeLessThanOrEqual(slots * charged(10_000));
    }
  });

  it('refuses where not even one fits, also because all are retained', async () => {
    const none = account(9_999);
    await expect(gathered(at('file'), { chunkBytes: 10_000, account: none.id })).rejects.toThrow(
      code('ERR_BUDGET_EXCEEDED'),
    );
    const two = account(2 * charged(10_000));
    const kept: FileChunk[] = [];
    const hoard = async () => {
      for await (const chunk of openChunks(at('file'), { chunkBytes: 10_000, account: two.id }))
        kept.push(chunk.retain());
    };
    await expect(hoard()).rejects.toThrow(code('ERR_BUDGET_EXCEEDED'));
    expect(kept).toHaveLength(2);
    for (const chunk of kept) chunk.release();
  });

  it('is empty, and the file closed, after a break, a throw and an abort', async () => {
    const { id, held } = account();
    const options = { chunkBytes: 10_000, account: id };
    for (let turn = 0; turn < 20; turn++) for await (const _ of openChunks(at('file'), options)) break;
    const throwing = async () => {
      for await (const _ of openChunks(at('file'), options)) throw new Error('on purpose');
    };
    await expect(throwing()).rejects.toThrow('on purpose');
    await untilEqual(held, 0);
    await untilEqual(() => openBelow(dir), 0);
  });
});

describe('the signal of chunks', () => {
  it('ends the loop with its reason: before, between and during', async () => {
    const reason = new Error('enough');
    const { id } = account();
    await expect(gathered(at('file'), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const between = new AbortController();
    const loop = async () => {
      const options = { signal: between.signal, chunkBytes: 10_000, account: id };
      for await (const _ of openChunks(at('file'), options)) between.abort(reason);
    };
    await expect(loop()).rejects.toBe(reason);
    const during = new AbortController();
    const pending = gathered(at('file'), { signal: during.signal, account: id });
    during.abort(reason);
    await expect(pending).rejects.toBe(reason);
    await untilEqual(() => openBelow(dir), 0);
  });
});

describe('a file that does not stay as it is', () => {
  const change = async (name: string, alter: () => void) => {
    writeFileSync(at(name), content);
    let turns = 0;
    for await (const chunk of openChunks(at(name), { chunkBytes: 10_000 })) {
      expect(
        Buffer.from(chunk.bytes).equals(content.subarray(chunk.offset, chunk.offset + chunk.length)),
      ).toBe(true);
      if (turns++ === 2) alter();
    }
  };

  it('is named when it shrinks', async () => {
    // Which of the two depends on how far it was read ahead.
    await expect(change('shrinks', () => truncateSync(at('shrinks'), 5))).rejects.toThrow(
      code(expect.stringMatching(/^ERR_(TRUNCATED|FILE_CHANGED)$/)),
    );
  });

  it.each([
    ['grows', () => appendFileSync(at('grows'), 'x')],
    ['is overwritten', () => writeFileSync(at('is overwritten'), content, { flag: 'r+' })],
    ['is removed', () => unlinkSync(at('is removed'))],
    ['gets other rights', () => chmodSync(at('gets other rights'), 0o600)],
  ])('is named when it %s', async (name, alter) => {
    await expect(change(name, alter)).rejects.toThrow(code('ERR_FILE_CHANGED'));
  });
});

describe('wrong arguments for chunks', () => {
  it('throw at once', () => {
    const wrong: [unknown, unknown?][] = [
      [42],
      ['a\0b'],
      [Buffer.of(0x61, 0)],
      [new URL('http://example.com/')],
      [{}],
      ['a', { chunkBytes: 0 }],
      ['a', { chunkBytes: '2GB' }],
      ['a', { start: -1 }],
      ['a', { start: 2, end: 1 }],
      ['a', { account: 0.5 }],
      ['a', { signal: {} }],
      ['a', { chunkSize: 1 }],
    ];
    for (const [file, options] of wrong)
      expect(() => openChunks(file as string, options as ChunkOptions)).toThrow(code('ERR_INVALID_ARGUMENT'));
  });
});
