import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { isSrgbProfile } from '../../src/extract/icc.js';

async function profile(name: string): Promise<Buffer> {
  const image = sharp({ create: { width: 8, height: 8, channels: 3, background: 'grey' } });
  const { icc } = await sharp(await image.withIccProfile(name).png().toBuffer()).metadata();
  return icc as Buffer;
}

describe('isSrgbProfile', () => {
  it('knows sRGB from Display P3', async () => {
    expect(isSrgbProfile(await profile('srgb'))).toBe(true);
    expect(isSrgbProfile(await profile('p3'))).toBe(false);
  });

  it('leaves malformed profiles to the decoder', async () => {
    const srgb = await profile('srgb');
    for (let length = 0; length < srgb.length - 1; length += 7)
      expect(typeof isSrgbProfile(srgb.subarray(0, length))).toBe('boolean');
    expect(isSrgbProfile(srgb.subarray(0, 200))).toBe(false);
    const curve = Buffer.from(srgb);
    curve.fill(0, 200);
    expect(isSrgbProfile(curve)).toBe(false);
  });
});
