import { describe, expect, it } from 'vitest';
import { writeTiff } from '../../scripts/measure-decoders/writers/tiff.mjs';
import { readTiff } from '../../src/extract/tiff.js';

const size = { width: 300, height: 2000 };
const read = (layout: object) => readTiff(writeTiff({ ...size, ...layout }), size);

describe('readTiff', () => {
  it.each([false, true])('counts rows of strips, and of planes once each; BigTIFF: %s', (big) => {
    expect(read({ rows: 16, big }).extraRows).toBe(32);
    expect(read({ rows: 16, planes: true, big }).extraRows).toBeCloseTo(20.8);
    expect(read({ planes: true, big }).extraRows).toBeCloseTo(2600);
  });

  it('knows which long strips are read line by line', () => {
    expect(read({ rows: 500 }).extraRows).toBe(0);
    expect(read({ compression: 'none' })).toMatchObject({ extraRows: 0, codedBytes: 0 });
    const chroma = { photometric: 6, subsampling: [2, 2], compression: 'packbits' };
    expect(read({ ...chroma, rows: 500 }).extraRows).toBeCloseTo(550);
    expect(read({ ...chroma, compression: 'jpeg', rows: 500 }).extraRows).toBe(1000);
  });

  it('counts tiles that reach beyond the image', () => {
    expect(read({ tile: [256, 256] }).extraRows).toBeCloseTo((256 * 256) / 300 + 512 - 600);
    expect(read({ tile: [3840, 3840] }).extraRows).toBeCloseTo((3840 * 3840) / 300 + 2000 - 600);
  });

  it('tells the largest piece of the file, and how it is compressed', () => {
    expect(read({ rows: 150, compression: 'packbits' })).toMatchObject({
      codedBytes: 150 * (2 * 7 + 2 * 4),
      compression: 32773,
    });
  });

  it('takes for one strip what cannot be read', () => {
    const broken = { extraRows: 4000, compression: undefined };
    expect(readTiff(Buffer.from('II*\0\xff\xff\xff\x7f\0\0\0\0\0\0\0\0', 'latin1'), size)).toMatchObject(
      broken,
    );
    expect(readTiff(Buffer.from('II+\0', 'latin1'), size)).toMatchObject(broken);
    const cut = writeTiff({ ...size, rows: 16 });
    expect(readTiff(cut.subarray(0, cut.length - 30), size).extraRows).toBe(32);
  });
});
