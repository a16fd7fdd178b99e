// Whether a device really computes: a graph of one node over one element, loaded on it alone and run once. In a child
// process, because a driver may crash, hang, or write to standard error.
import type { Device, Tensor } from '../contract/index.js';
import { codeOf, messageOf, SpillwayError } from '../util/errors.js';
import { deviceFailure } from './device-failure.js';
import { StockChild } from './engine/child-process.js';
import type { LoadedGraph } from './engine/protocol.js';

/** `y = x + x` over one float32, in ONNX's format (IR version 8, operator set 17). */
const GRAPH = Buffer.from(
  'CAgSCHNwaWxsd2F5OkAKFQoBeAoBeBIBeRoFQWRkXzAiA0FkZBIFcHJvYmVaDwoBeBIKCggIARIECgIIAWIPCgF5EgoKCAgBEgQKAggBQgIQEQ==',
  'base64',
);
const PLAN = {
  threads: 1,
  concurrency: 1,
  freeDimensions: [],
  profile: '',
  operatorLibraries: [],
  optimise: true,
  optimisedPath: '',
  weightBytes: 0,
  structureBytes: 0,
};
/** A driver that compiles its first shader takes seconds; one that takes longer does not come back. */
const HANGS_MS = 60_000;

/** What came of trying a device. */
interface Trial {
  /** Why it does not compute here. */
  readonly problem?: string;
  /** What it computes with, where that is the CPU after all. */
  readonly software?: string;
}

const trials = new Map<Device, Promise<Trial>>();

/**
 * Whether the device computes at all, before a graph is blamed or a driver let into this process; and, where nobody
 * `asked` for it by its name, whether it is more than the CPU in disguise, which takes hundreds of times as long.
 */
export async function checkDevice(device: Device, asked: boolean): Promise<void> {
  if (device === 'cpu') return;
  const { problem, software } = await trialOf(device);
  if (problem !== undefined)
    throw new SpillwayError('ERR_DEVICE_UNAVAILABLE', `${device} does not compute: ${problem}`);
  if (software !== undefined && !asked)
    throw new SpillwayError(
      'ERR_DEVICE_UNAVAILABLE',
      `${device} would only compute on the CPU, as ${software}: it serves where it is asked for by its name`,
    );
}

/** Found out once. */
function trialOf(device: Device): Promise<Trial> {
  const trial = trials.get(device) ?? tryDevice(device);
  trials.set(device, trial);
  return trial;
}

/** Has a device tried anew: after it failed, what was found out before counts for nothing. */
export function forgetTrial(device: Device): void {
  trials.delete(device);
}

async function tryDevice(device: Device): Promise<Trial> {
  let child: StockChild | undefined;
  let timer: NodeJS.Timeout | undefined;
  try {
    child = await StockChild.start();
    timer = setTimeout(() => child?.kill('did not come back'), HANGS_MS).unref();
    const y = await addOnDevice(child, device);
    if (y !== 42) return { problem: `21 + 21 is ${y} on it` };
    const software = device === 'webgpu' && ((await child.ask({ kind: 'software-vulkan' })) as string);
    return software ? { software } : {};
  } catch (error) {
    if (codeOf(deviceFailure(error, device)) === 'ERR_OUT_OF_MEMORY') trials.delete(device); // another time it may do
    return { problem: [messageOf(error), child?.lastWords].filter(Boolean).join('; ') };
  } finally {
    clearTimeout(timer);
    child?.kill('has tried the device');
  }
}

async function addOnDevice(child: StockChild, device: Device): Promise<unknown> {
  const plan = { ...PLAN, device };
  const { session } = (await child.ask({ kind: 'load', model: GRAPH, plan })) as LoadedGraph;
  const tensor: Tensor = { type: 'float32', dims: [1], data: Float32Array.of(21) };
  const run = { kind: 'run', session, feeds: [{ name: 'x', tensor }], outputs: ['y'] } as const;
  const [y] = (await child.ask(run)) as Tensor[];
  return y?.data[0];
}
