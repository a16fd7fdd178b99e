// Measures again what `src/extract/decoder-cost.ts` promises: some kinds of image always, all of them at every size with
// SPILLWAY_DECODERS=all (half an hour).
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kinds, makeImage } from '../../scripts/measure-decoders/images.mjs';
import { measureDecodes } from '../../scripts/measure-decoders/measure.mjs';

type Sample = readonly [kind: string, width: number, height: number, side: number];

const SOME: readonly Sample[] = [
  ['jpeg baseline', 320, 240, 1024],
  ['jpeg progressive 4:2:2', 1600, 1200, 256],
  ['png alpha', 1000, 700, 256],
  ['webp lossless', 900, 600, 512],
  ['gif small frame', 1000, 700, 256],
  ['tiff planes in one strip', 1200, 900, 256],
  ['avif, noise', 900, 600, 256],
];
const SIZES = [
  [160, 120],
  [2000, 1500],
  [8000, 500],
  [500, 8000],
  [4000, 3000],
  [6000, 4000],
] as const;
const ALL = kinds.flatMap((kind) => SIZES.map(([width, height]): Sample => [kind, width, height, 256]));
const isWhole = process.env.SPILLWAY_DECODERS === 'all';

/** A base that a small image does not use aside, the estimate is no wild guess either. */
const mostFor = (peakBytes: number) => 1.8 * peakBytes + 8e6;

const isWithin = ({ peakBytes, costBytes }: { peakBytes: number; costBytes: number }) =>
  peakBytes <= costBytes && costBytes <= mostFor(peakBytes);

// The peak is read from /proc.
describe.runIf(process.platform === 'linux')('what decoding really takes', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'decoder-cost-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each(isWhole ? ALL : SOME)(
    'stays within the estimate: %s %i×%i to %i',
    async (kind, width, height, side) => {
      const file = join(folder, 'image');
      writeFileSync(file, await makeImage(kind, width, height));
      const target = { width: side, height: side, fit: side === 256 ? 'fill' : 'cover' } as const;
      let measured = await measureDecodes([file], { runs: 1, target });
      // A mode that is refused takes nothing; which ones are, test/extract/image.test.ts says.
      if ('refused' in measured) return expect(measured.refused).toMatch(/^ERR_DECODE: /);
      // A garbage collection meanwhile counts in the process, but not in the decoder: what it frees may hide the peak.
      if (!isWithin(measured)) measured = await measureDecodes([file], { runs: 3, target });
      if ('refused' in measured) throw new Error(measured.refused);
      expect(measured.peakBytes).toBeLessThanOrEqual(measured.costBytes);
      expect(measured.costBytes).toBeLessThanOrEqual(mostFor(measured.peakBytes));
    },
    isWhole ? 300_000 : 30_000,
  );
});
