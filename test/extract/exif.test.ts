import sharp, { type Sharp } from 'sharp';
import { describe, expect, it } from 'vitest';
import { readExif } from '../../src/extract/exif.js';

type Tags = NonNullable<Parameters<Sharp['withExif']>[0]>;

async function exifBlock(tags: Tags): Promise<Buffer> {
  const image = sharp({ create: { width: 8, height: 8, channels: 3, background: 'grey' } });
  const { exif } = await sharp(await image.withExif(tags).jpeg().toBuffer()).metadata();
  return exif as Buffer;
}

async function read(tags: Tags) {
  const warnings: string[] = [];
  return { exif: readExif(await exifBlock(tags), warnings), warnings };
}

const GPS = { GPSLatitude: '10/1 30/1 0/1', GPSLongitude: '20/1 15/1 36/1' };

describe('readExif', () => {
  it('gives the date without a zone unless the camera wrote one', async () => {
    const date = { DateTimeOriginal: '2024:02:29 23:59:58' };
    expect((await read({ IFD2: date })).exif).toEqual({ date: '2024-02-29T23:59:58' });
    const zoned = { ...date, OffsetTimeOriginal: '-05:30' };
    expect((await read({ IFD2: zoned })).exif).toEqual({ date: '2024-02-29T23:59:58-05:30' });
  });

  it('gives south and west, and depths, as negative', async () => {
    const tags = {
      ...GPS,
      GPSLatitudeRef: 'S',
      GPSLongitudeRef: 'W',
      GPSAltitude: '255/10',
      GPSAltitudeRef: '0',
    };
    const block = await exifBlock({ IFD3: tags });
    // GPSAltitudeRef is one BYTE, which sharp writes as 0 only.
    const altitudeRef = block.indexOf(Buffer.of(5, 0, 1, 0, 1, 0, 0, 0));
    block[altitudeRef + 8] = 1;
    expect(readExif(block, [])).toEqual({ gps: { latitude: -10.5, longitude: -20.26, altitude: -25.5 } });
  });

  it('warns of a position out of range, and keeps the rest', async () => {
    const tags = { ...GPS, GPSLatitude: '91/1 0/1 0/1', GPSLatitudeRef: 'N', GPSLongitudeRef: 'E' };
    const { exif, warnings } = await read({ IFD0: { Make: 'Maker' }, IFD3: tags });
    expect(exif).toEqual({ camera: { make: 'Maker' } });
    expect(warnings).toEqual([expect.stringContaining('position')]);
  });

  it('is undefined where nothing of interest is said', async () => {
    expect(await read({ IFD0: { Software: 'none' } })).toEqual({ exif: undefined, warnings: [] });
  });

  it('never throws, whatever byte is broken or missing', async () => {
    const block = await exifBlock({ IFD0: { Make: 'M', Model: 'N' }, IFD2: { LensModel: 'L' }, IFD3: GPS });
    for (let length = 0; length < block.length; length++) readExif(block.subarray(0, length), []);
    for (let i = 0; i < block.length; i++) {
      const broken = Buffer.from(block);
      broken[i] = (broken[i] as number) ^ 0xff;
      readExif(broken, []);
    }
    const warnings: string[] = [];
    expect(readExif(Buffer.from('Exif\0\0no tiff'), warnings)).toBeUndefined();
    expect(warnings).toEqual([expect.stringMatching(/^EXIF cannot be read: /)]);
  });
});
