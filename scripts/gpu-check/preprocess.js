// gpu.preprocess: the kernel's time against a copy within the device of the bytes it has to move at least, each source
// byte read once and each output written once. The first and last image must equal the CPU's.
import { randomFillSync } from 'node:crypto';
import { makeLine } from '../../bench/harness/line.mjs';
import { ABOUT, library, limits, SkippedError } from './machine.js';

const RUNS = 9;
const NORMALISATION = { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] };

const VARIANTS = {
  'same-size': { from: [224, 224], count: 1024 },
  'reduce-1.1': { from: [256, 256], count: 1024 },
  'reduce-2.3': { from: [512, 512], count: 512 },
  'reduce-2.3-plain': { from: [512, 512], count: 512, antialias: false },
  'reduce-2.3-float16-nhwc': { from: [512, 512], count: 512, type: 'float16', layout: 'nhwc' },
  'enlarge-1.8': { from: [128, 128], count: 1024 },
};

export async function checkPreprocess() {
  const { gpu } = await library('gpu/gpu.js');
  if (gpu.kernelBytes === 0)
    throw new SkippedError('the addon was built without nvcc and carries no kernels');
  const lines = [];
  for (const [name, variant] of Object.entries(VARIANTS)) lines.push(await checkVariant(gpu, name, variant));
  await gpu.trim();
  return lines;
}

async function checkVariant(gpu, name, { from: [width, height], count, ...variant }) {
  const bytes = randomFillSync(new Uint8Array(width * height * 3 * count));
  const each = width * height * 3;
  const images = Array.from({ length: count }, (_, i) => ({
    data: bytes.subarray(i * each, (i + 1) * each),
    width,
    height,
  }));
  const options = { width: 224, height: 224, ...NORMALISATION, ...variant };
  const times = [];
  let result;
  for (let run = 0; run < RUNS; run++) {
    result = await gpu.preprocess(images, { device: 0, ...options });
    times.push(result.kernelMs);
  }
  const twin = await gpu.preprocess([images[0], images[count - 1]], { device: 'cpu', ...options });
  await expectEqual(result.data, twin.data);
  const value = ((bytes.length + result.data.byteLength) / limits().deviceCopy) * 1e3;
  const target = { limit: { name: 'device-copy', value }, atMost: 1 / 0.8 };
  const data = `${count} images ${width}x${height} to 224x224, ${options.type ?? 'float32'} ${options.layout ?? 'nchw'}`;
  const measure = { name, metric: 'ms', better: 'lower', target };
  return makeLine('gpu.preprocess', measure, { ours: times.slice(2) }, { ...ABOUT, data });
}

// `both` are the first and the last of `all`. Within 1e-3, relative above 1.
async function expectEqual(all, both) {
  const { fromFloat16 } = await library('util/float16.js');
  const number = all instanceof Uint16Array ? fromFloat16 : (value) => value;
  const each = both.length / 2;
  for (const [start, theirs] of [
    [0, 0],
    [all.length - each, each],
  ])
    for (let i = 0; i < each; i++) {
      const ours = number(all[start + i]);
      const twin = number(both[theirs + i]);
      if (!(Math.abs(ours - twin) <= 1e-3 * Math.max(1, Math.abs(twin))))
        throw new Error(`expected ${twin} of the CPU at ${i} but the GPU gives ${ours}`);
    }
}
