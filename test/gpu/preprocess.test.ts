import { describe, expect, it } from 'vitest';
import { gpu, type PreprocessOptions } from '../../src/gpu/gpu.js';
import { fromFloat16 } from '../../src/util/float16.js';
import { overNative } from '../support/paths.js';
import { doubled, useDouble, withDouble } from './double.js';

/** The plain definition, in doubles: the triangle filter at half-pixel centres, weights of taps outside left out. */
function resample(
  data: Uint8Array,
  [width, height, channels]: number[],
  [outWidth, outHeight]: number[],
  antialias: boolean,
) {
  const weights = (from: number, to: number, at: number) => {
    const scale = from / to;
    const support = antialias ? Math.max(scale, 1) : 1;
    const all = Array.from({ length: from }, (_, tap) =>
      Math.max(0, 1 - Math.abs(tap + 0.5 - (at + 0.5) * scale) / support),
    );
    const sum = all.reduce((a, b) => a + b, 0);
    return all.map((weight) => weight / sum);
  };
  return (x: number, y: number, channel: number) => {
    let sum = 0;
    for (const [row, down] of weights(height as number, outHeight as number, y).entries())
      for (const [column, across] of weights(width as number, outWidth as number, x).entries())
        sum +=
          down *
          across *
          (data[(row * (width as number) + column) * (channels as number) + channel] as number);
    return sum;
  };
}

const noise = (length: number) => Uint8Array.from({ length }, (_, i) => Math.imul(i + 1, 2654435761) >>> 24);

describe.runIf(overNative)('preprocessing on the CPU', () => {
  const cases: [string, number[], number[], boolean][] = [
    ['reduced', [23, 17, 3], [7, 5], true],
    ['reduced without antialiasing', [23, 17, 3], [7, 5], false],
    ['enlarged', [3, 4, 4], [9, 7], true],
    ['grey, one way up, one way down', [9, 20, 1], [18, 4], true],
    ['as it was', [6, 6, 3], [6, 6], true],
    ['of a single pixel', [1, 1, 3], [4, 3], true],
  ];
  it.each(cases)('is the triangle filter: %s', async (_, from, to, antialias) => {
    const [width = 0, height = 0, channels = 0] = from;
    const [outWidth = 0, outHeight = 0] = to;
    const data = noise(width * height * channels);
    const samples = channels === 1 ? 1 : 3;
    const pixel = resample(data, from, to, antialias);
    const common = {
      device: 'cpu',
      channels,
      width: outWidth,
      height: outHeight,
      antialias,
    } as PreprocessOptions;
    const planar = await gpu.preprocess([{ data, width, height }], common);
    const interleaved = await gpu.preprocess([{ data, width, height }], { ...common, layout: 'nhwc' });
    expect(planar.dims).toEqual([1, samples, outHeight, outWidth]);
    expect(interleaved.dims).toEqual([1, outHeight, outWidth, samples]);
    for (let y = 0; y < outHeight; y++)
      for (let x = 0; x < outWidth; x++)
        for (let channel = 0; channel < samples; channel++) {
          const value = pixel(x, y, channel) / 255;
          // Weights are whole numbers of 1/32768.
          expect(planar.data[(channel * outHeight + y) * outWidth + x]).toBeCloseTo(value, 3);
          expect(interleaved.data[(y * outWidth + x) * samples + channel]).toBeCloseTo(value, 3);
        }
  });

  it('normalises by channel, and rounds to half precision', async () => {
    const data = Uint8Array.from([0, 51, 255]);
    const options: PreprocessOptions = {
      device: 'cpu',
      width: 1,
      height: 1,
      mean: [0.5, 0.2, 0],
      deviation: [0.5, 0.1, 2],
    };
    const single = await gpu.preprocess([{ data, width: 1, height: 1 }], options);
    const expected = [-1, 0, 0.5];
    for (const [i, value] of expected.entries()) expect(single.data[i]).toBeCloseTo(value, 6);
    const half = await gpu.preprocess([{ data, width: 1, height: 1 }], { ...options, type: 'float16' });
    expect(half.data).toBeInstanceOf(Uint16Array);
    for (const [i, value] of expected.entries())
      expect(fromFloat16(half.data[i] as number)).toBeCloseTo(value, 3);
  });

  it('takes rows with padding and images of different sizes', async () => {
    const padded = Uint8Array.from([10, 99, 99, 20]);
    const images = [
      { data: padded, width: 1, height: 2, rowBytes: 3 },
      { data: Uint8Array.of(30), width: 1, height: 1 },
    ];
    const { data } = await gpu.preprocess(images, { device: 'cpu', channels: 1, width: 1, height: 2 });
    expect([...data].map((value) => Math.round(value * 255))).toEqual([10, 20, 30, 30]);
  });

  it.each<[string, object]>([
    ['no size', { width: 0, height: 1 }],
    ['two channels', { width: 1, height: 1, channels: 2 }],
    ['a deviation of 0', { width: 1, height: 1, deviation: [1, 0, 1] }],
    ['two means', { width: 1, height: 1, mean: [1, 2] }],
    ['no device', { width: 1, height: 1, device: -1 }],
  ])('refuses %s', async (_, options) => {
    const image = { data: new Uint8Array(3), width: 1, height: 1 };
    const work = gpu.preprocess([image], { device: 'cpu', ...options } as PreprocessOptions);
    await expect(work).rejects.toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' }));
  });

  it('refuses an image whose bytes do not fill its rows', async () => {
    const work = gpu.preprocess([{ data: new Uint8Array(11), width: 2, height: 2 }], {
      device: 'cpu',
      width: 1,
      height: 1,
    });
    await expect(work).rejects.toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' }));
  });
});

describe.runIf(doubled)('preprocessing on a device', () => {
  useDouble();
  const kernels = overNative && gpu.kernelBytes > 0;

  it.runIf(kernels)(
    'copies the batch there, launches the kernel of its format, and brings the inputs back',
    () => {
      const { said, calls } = withDouble(`
      const image = (width, height, channels, rowBytes = width * channels) => ({ width, height, rowBytes,
        data: Uint8Array.from({ length: rowBytes * height }, (_, i) => Math.imul(i + 1, 2654435761) >>> 24) });
      for (const [channels, type, layout] of [[3, 'float32', 'nchw'], [4, 'float16', 'nhwc'], [1, 'float32', 'nhwc']]) {
        const images = [image(40, 30, channels), image(16, 9, channels, 16 * channels + 5), image(3, 50, channels), image(1200, 1100, channels)];
        const options = { channels, type, layout, width: 20, height: 10, mean: channels === 1 ? [0.5] : [0.4, 0.5, 0.6] };
        const ours = await gpu.preprocess(images, { device: 0, ...options });
        const twin = await gpu.preprocess(images, { device: 'cpu', ...options });
        say([ours.kernelMs, Buffer.compare(new Uint8Array(ours.data.buffer), new Uint8Array(twin.data.buffer))]);
      }
      say(gpu.pool(0).stats());`);
      const same = [1.5, 0];
      expect(said.slice(0, 3)).toEqual([same, same, same]);
      expect(said[3]).toMatchObject({ usedBytes: 0, allocations: 0 });
      const launches = calls.filter((call) => call.startsWith('cuLaunchKernel'));
      expect(launches.map((call) => call.split(' ')[1])).toEqual([
        'spillway_preprocess_rgb_float32_nchw',
        'spillway_preprocess_rgba_float16_nhwc',
        'spillway_preprocess_grey_float32_nhwc',
      ]);
      for (const launch of launches) expect(launch).toMatch(/x4$/);
      expect(calls.filter((call) => call === 'cuModuleLoadData')).toHaveLength(1);
    },
  );

  it.runIf(kernels)(
    'gives device memory back when the launch fails, and refuses what is too large for a block',
    () => {
      const { said } = withDouble(
        `const image = { data: new Uint8Array(12), width: 2, height: 2 };
       say(await failure(gpu.preprocess([image], { device: 0, width: 1, height: 1 })));
       say(gpu.pool(0).stats());
       const wide = { data: new Uint8Array(9000), width: 3000, height: 1 };
       say(await failure(gpu.preprocess([wide], { device: 0, width: 1, height: 1 })));`,
        { FAKE_GPU_FAIL: 'cuLaunchKernel=700' },
      );
      expect(said[0]).toMatchObject({ code: 'ERR_DEVICE_LOST' });
      expect(said[1]).toMatchObject({ usedBytes: 0, allocations: 0 });
      expect(said[2]).toMatchObject({ code: 'ERR_TOO_LARGE' });
    },
  );

  it.runIf(!kernels)('says that the addon carries no kernels', () => {
    const { said } = withDouble(`
      const image = { data: new Uint8Array(12), width: 2, height: 2 };
      say(await failure(gpu.preprocess([image], { device: 0, width: 1, height: 1 })));`);
    expect(said[0]).toMatchObject({ code: 'ERR_NATIVE_UNAVAILABLE' });
  });
});
