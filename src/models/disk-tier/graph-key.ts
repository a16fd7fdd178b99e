// What an optimised graph depends on, as the name it is kept by.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import type { LoadPlan } from '../../contract/index.js';
import { native } from '../../native/load.js';
import type { Engine } from '../engine/engine.js';

/** Raised whenever a change of ours makes optimised graphs that lie on a disk unfit. */
const VERSION = 1;

/** What the kernel tells of a processor that stays the same: not its clock, nor its bugs. x86, then ARM. */
const PROCESSOR_FIELDS = new Set([
  ...['vendor_id', 'cpu family', 'model', 'model name', 'stepping', 'flags'],
  ...['CPU implementer', 'CPU architecture', 'CPU variant', 'CPU part', 'Features'],
]);

/**
 * The key of a graph, named by its content, as this engine optimises it with this plan. How many threads run it makes no
 * difference to a graph; fixed dimensions and custom operators do.
 *
 * The processor is part of it because layouts of weights are chosen for its instructions: "if model has layout optimized
 * for AVX2, the offline model would require CPUs that support AVX2", and a graph is to be optimised with "the exact same
 * options (e.g., execution providers, optimization level) and hardware" it runs on
 * (https://onnxruntime.ai/docs/performance/model-optimizations/graph-optimizations.html).
 */
export function graphKey(
  { name, version }: Pick<Engine, 'name' | 'version'>,
  content: string,
  plan: LoadPlan,
) {
  const { device, freeDimensions, operatorLibraries } = plan;
  const libraries = operatorLibraries.map(({ sha256 }) => sha256);
  const hardware = [process.arch, processor(), ...(device === 'cpu' ? [] : graphicsProcessors())];
  const parts = [VERSION, content, name, version, device, freeDimensions, libraries, hardware];
  return `model-graph ${createHash('sha256').update(JSON.stringify(parts)).digest('hex')}`;
}

/** What `/proc/cpuinfo` says of the first processor. */
export function processorOf(cpuinfo: string): string {
  const [first = ''] = cpuinfo.split('\n\n');
  return first
    .split('\n')
    .map((line) => line.split(':').map((part) => part.trim()))
    .filter(([field = '']) => PROCESSOR_FIELDS.has(field))
    .map(([field, value]) => `${field}: ${value}`)
    .join('\n');
}

let known: string | undefined;

function processor(): string {
  known ??= processorOf(cpuinfo()) || (cpus()[0]?.model ?? '');
  return known;
}

function cpuinfo(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    return ''; // a container may hide it: then the model's name has to do
  }
}

function graphicsProcessors(): string[] {
  const { devices = [] } = native().gpu?.devices() ?? {};
  return devices.map(({ name, computeCapability }) => `${name} ${computeCapability}`);
}
