// gpu.infer: graphs through ModelCache and Batcher on a GPU, against one by one and the best fixed batch of a sweep; how
// busy that keeps the GPU, and how far its answers are from the CPU's. The graphs and the other sides are those of
// bench/cases/infer-batch.mjs. With SPILLWAY_GPU_CHECK_DEVICE it is a dry run over few items, on the device that is named.
import { shapes } from '../../bench/cases/infer-batch.mjs';
import { bestOf, itemsOf, oneByOne, throughBatcher } from '../../bench/harness/batching.mjs';
import { lineName, makeLine } from '../../bench/harness/line.mjs';
import { median } from '../../bench/harness/statistics.mjs';
import { ABOUT, forcedDevice, library, requireAddon, SkippedError } from './machine.js';

const SHAPES = ['mlp', 'conv'];
const RUNS = 5;
const SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];
/** The management library averages over up to a second: what it says in the first one is partly of before. */
const SETTLES_MS = 1000;
const WATCHED_MS = 4000;
const DRY = { items: 24, sizes: [1, 8], runs: 2 };
/** Items whose answers are compared with the CPU's. */
const COMPARED = 64;

export async function checkInfer() {
  const { devices, rejected } = await devicesToTry();
  const lines = [];
  for (const device of devices) lines.push(...(await checkDevice(device, rejected)));
  if (lines.length === 0)
    throw new SkippedError(rejected.map(({ device, reason }) => `${device}: ${reason}`).join('; '));
  const skipped = rejected.map(({ device, reason }) => ({ case: `gpu.infer.${device}`, skipped: reason }));
  return [...lines, ...skipped];
}

async function devicesToTry() {
  if (forcedDevice) return { devices: [forcedDevice], rejected: [] };
  await requireAddon();
  const { deviceCandidates } = await library('models/detect.js');
  const { checkDevice } = await library('models/probe-device.js');
  const { candidates, rejected } = look(deviceCandidates);
  const tried = { devices: [], rejected: [...rejected] };
  for (const device of candidates.filter((candidate) => candidate !== 'cpu'))
    await checkDevice(device, false).then(
      () => tried.devices.push(device),
      ({ message }) => tried.rejected.push({ device, reason: message }),
    );
  return tried;
}

function look(deviceCandidates) {
  try {
    return deviceCandidates('auto');
  } catch (error) {
    if (error.code === 'ERR_MISSING_DEPENDENCY') throw new SkippedError(error.message);
    throw error;
  }
}

/** Its lines; none, and a reason among `rejected`, where the device is there and does not compute. */
async function checkDevice(device, rejected) {
  const { ModelCache } = await library('index.js');
  const cache = new ModelCache({ device });
  try {
    const lines = [];
    for (const name of SHAPES) lines.push(...(await checkShape(cache, device, name)));
    return lines;
  } catch (error) {
    if (error.code !== 'ERR_DEVICE_UNAVAILABLE') throw error;
    rejected.push({ device, reason: error.message });
    return [];
  } finally {
    await cache.close();
  }
}

async function checkShape(cache, device, name) {
  const load = await loadOf(name);
  const model = await cache.acquire(load.model);
  try {
    const items = itemsOf(model, load);
    const batched = await throughBatcher({ maxBatch: Math.max(...load.sizes) })(model, items);
    const sides = {
      ours: batched,
      'one-by-one': oneByOne,
      'best-fixed': await bestOf(load.sizes)(model, items),
    };
    const samples = await ratesOf(sides, model, items, load.runs);
    const about = { ...ABOUT, data: `${items.length} items, ${load.label}, on ${model.device}` };
    const line = (rest, ours, others) => makeLine('gpu.infer', rest, { ours, ...others }, about);
    const target = { atLeast: { 'one-by-one': 3, 'best-fixed': 0.95 } };
    const { ours, ...others } = samples;
    return [
      line({ name: `${device}.${name}`, metric: 'items/s', better: 'higher', target }, ours, others),
      await utilisationLine(line, `${device}.${name}.utilisation`, () => batched(model, items)),
      parityLine(line, `${device}.${name}.parity`, await batched(model, items), await onCpu(load, items)),
    ];
  } finally {
    model[Symbol.dispose]();
  }
}

async function loadOf(name) {
  const shape = shapes.find((candidate) => candidate.name === name);
  const load = await shape.load(forcedDevice !== undefined);
  const full = { sizes: SIZES, runs: RUNS, label: shape.label };
  return forcedDevice
    ? { ...load, ...full, ...DRY, label: `${shape.label}, a dry run` }
    : { ...load, ...full };
}

/** Items a second of each side, by turns, after a run of each that counts for nothing. */
async function ratesOf(sides, model, items, runs) {
  const names = Object.keys(sides);
  const rates = Object.fromEntries(names.map((name) => [name, []]));
  for (const name of names) await sides[name](model, items);
  for (let run = 0; run < runs; run++)
    for (const [i] of names.entries()) {
      const name = names[(i + run) % names.length];
      const start = performance.now();
      await sides[name](model, items);
      rates[name].push(items.length / ((performance.now() - start) / 1000));
    }
  return rates;
}

/** How busy the first GPU is while `work` goes on, again and again. */
async function utilisationLine(line, name, work) {
  const skip = (skipped) => ({ case: lineName('gpu.infer', { name }), skipped });
  if (forcedDevice) return skip('a dry run keeps no GPU busy');
  const { gpu } = await library('gpu/gpu.js');
  const percent = () => gpu.query().devices.find(({ cudaId }) => cudaId === 0)?.utilisationPercent;
  if (percent() === undefined) return skip('the first device does not tell how busy it is');
  const seen = [];
  const start = performance.now();
  const elapsed = () => performance.now() - start;
  const timer = setInterval(() => elapsed() > SETTLES_MS && seen.push(percent()), 100);
  while (elapsed() < SETTLES_MS + WATCHED_MS) await work();
  clearInterval(timer);
  const target = { atLeast: { least: 1 } };
  return line({ name, metric: 'percent', better: 'higher', target }, [median(seen)], { least: [60] });
}

/** The largest difference of an item's answer, as a share of the largest figure in it. */
function parityLine(line, name, ours, expected) {
  const differences = expected.map((values, item) => {
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const apart = values.reduce((most, value, i) => Math.max(most, Math.abs(value - ours[item][i])), 0);
    return apart / largest;
  });
  const measure = {
    name,
    metric: 'relative-difference',
    better: 'lower',
    target: { limit: { name: 'one-percent', value: 0.01 } },
  };
  return line(measure, [Math.max(...differences)], {});
}

async function onCpu({ model: file }, items) {
  const { ModelCache } = await library('index.js');
  const cache = new ModelCache({ device: 'cpu' });
  try {
    const model = await cache.acquire(file);
    const said = await oneByOne(model, items.slice(0, COMPARED));
    model[Symbol.dispose]();
    return said;
  } finally {
    await cache.close();
  }
}
