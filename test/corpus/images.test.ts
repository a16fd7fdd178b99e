// Real images: each decodes within its estimate, or is refused by a code that says why.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { measureDecode } from '../../scripts/measure-decoders/measure.mjs';
import { openImage } from '../../src/extract/image.js';

const FOLDER = path.join(process.env.SPILLWAY_CORPUS ?? '', 'images');
/** Larger than the pixel limit when decoded. */
const HOSTILE = ['65536-uint32-limit.png', 'giant-image.jpg'];

describe('images of the corpus', () => {
  it.each(HOSTILE)('%s is refused by its header', async (name) => {
    await expect(openImage(readFileSync(path.join(FOLDER, name)))).rejects.toMatchObject({
      code: 'ERR_PIXEL_LIMIT',
    });
  });

  it.each(readdirSync(FOLDER).filter((name) => !HOSTILE.includes(name)))(
    '%s takes no more than its estimate',
    async (name) => {
      const { peakBytes, costBytes } = await measureDecode(path.join(FOLDER, name));
      expect(peakBytes).toBeLessThanOrEqual(costBytes);
      expect(costBytes).toBeLessThan(1.8 * peakBytes + 8e6);
    },
  );
});
