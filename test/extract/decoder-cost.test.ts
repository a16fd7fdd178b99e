import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeImage } from '../../scripts/measure-decoders/images.mjs';
import { measureDecode } from '../../scripts/measure-decoders/measure.mjs';
import { type DecoderTraits, decoderCost } from '../../src/extract/decoder-cost.js';
import { rowsAtOnce } from '../../src/extract/tiff.js';

// The peak is read from /proc.
describe.runIf(process.platform === 'linux')('what decoding really takes', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'decoder-cost-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each([
    ['jpeg baseline', 1600, 1200, 256],
    ['jpeg progressive 4:4:4', 1600, 1200, 256],
    ['png alpha', 1000, 700, 256],
    ['png interlaced', 1600, 1200, 256],
    ['webp lossless', 900, 600, 256],
    ['gif', 1000, 700, 256],
    ['tiff strips', 3000, 300, 256],
    ['avif', 1200, 800, 256],
    ['avif 10-bit', 800, 600, 256],
    ['jpeg baseline', 1600, 1200, 512],
    ['jpeg baseline', 320, 240, 1024],
    ['png alpha', 1000, 700, 1024],
    ['webp lossless', 900, 600, 512],
    ['tiff strips', 3000, 300, 224],
  ] as const)('stays within the estimate: %s %i×%i to %i', async (kind, width, height, side) => {
    const file = join(folder, kind.replaceAll(/\W/g, '-'));
    writeFileSync(file, await makeImage(kind, width, height));
    const target = { width: side, height: side, fit: side === 256 ? 'fill' : 'cover' } as const;
    let { peakBytes, costBytes } = await measureDecode(file, 1, target);
    // A garbage collection meanwhile counts in the process, but not in the decoder.
    if (peakBytes > costBytes) ({ peakBytes, costBytes } = await measureDecode(file, 3, target));
    expect(peakBytes).toBeLessThanOrEqual(costBytes);
    // A base that a small image does not use aside, the estimate is no wild guess either.
    expect(costBytes).toBeLessThanOrEqual(2 * peakBytes + 8e6);
  });
});

describe('decoderCost', () => {
  const traits: DecoderTraits = {
    format: 'jpeg',
    width: 4000,
    height: 3000,
    channels: 3,
    sampleBytes: 1,
    progressive: false,
    subsampling: '4:2:0',
    lossless: false,
    rowsAtOnce: 0,
  };

  it('does not grow with the pixels of a baseline JPEG, which is shrunk while it is decoded', () => {
    const twice = decoderCost({ ...traits, width: 8000, height: 6000 });
    expect(twice).toBeLessThan(2 * decoderCost(traits));
  });

  it('grows with the target: fewer pixels are dropped while decoding, and more are kept', () => {
    const cost = (side: number) => decoderCost(traits, { width: side, height: side });
    expect(cost(256)).toBe(decoderCost(traits));
    expect(cost(224)).toBeLessThanOrEqual(cost(256));
    expect(cost(512)).toBeGreaterThan(cost(256));
    expect(cost(1024) - cost(512)).toBeGreaterThan((1024 ** 2 - 512 ** 2) * 3);
  });

  it('holds all coefficients of a progressive JPEG', () => {
    const extra = decoderCost({ ...traits, progressive: true }) - decoderCost(traits);
    expect(extra).toBeGreaterThanOrEqual(4000 * 3000 * 3);
  });

  it('takes unknown chroma for full', () => {
    const unknown = decoderCost({ ...traits, progressive: true, subsampling: undefined });
    expect(unknown).toBe(decoderCost({ ...traits, progressive: true, subsampling: '4:4:4' }));
  });
});

describe('rowsAtOnce', () => {
  /** A TIFF of one directory with the given tags, all LONG. */
  function tiff(tags: Record<number, number>): Uint8Array {
    const entries = Object.entries(tags);
    const bytes = Buffer.alloc(10 + 12 * entries.length);
    bytes.write('MM\0*', 'latin1');
    bytes.writeUInt32BE(8, 4);
    bytes.writeUInt16BE(entries.length, 8);
    entries.forEach(([tag, value], i) => {
      bytes.writeUInt16BE(Number(tag), 10 + 12 * i);
      bytes.writeUInt16BE(4, 12 + 12 * i);
      bytes.writeUInt32BE(1, 14 + 12 * i);
      bytes.writeUInt32BE(value, 18 + 12 * i);
    });
    return bytes;
  }

  it('is the height of a tile, or of a strip that cannot be read line by line', () => {
    expect(rowsAtOnce(tiff({ 323: 512 }), 3000)).toBe(512);
    expect(rowsAtOnce(tiff({ 278: 16 }), 3000)).toBe(16);
    expect(rowsAtOnce(tiff({ 278: 3000 }), 3000)).toBe(128);
    expect(rowsAtOnce(tiff({ 278: 2 ** 32 - 1, 284: 2 }), 3000)).toBe(3000);
    expect(rowsAtOnce(tiff({ 259: 7, 278: 1000 }), 3000)).toBe(1000);
  });

  it('is the whole height where the directory cannot be read', () => {
    expect(rowsAtOnce(Buffer.from('II*\0\xff\xff\xff\x7f', 'latin1'), 3000)).toBe(3000);
    expect(rowsAtOnce(Buffer.from('II+\0', 'latin1'), 3000)).toBe(3000);
  });
});
