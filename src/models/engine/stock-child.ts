// The child process of the stock engine: onnxruntime-node, whose runs block the thread that asks for them, and
// which aborts its process when that thread is ended in mid-run. Here both are harmless.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { InferenceSession, OnnxValue, Tensor as StockTensor } from 'onnxruntime-node';
import type { LoadPlan, Tensor, ValueInfo } from '../../contract/index.js';
import { messageOf } from '../../util/errors.js';
import { isTensorType } from '../tensors.js';
import type { Failure, Feed, Greeting, LoadedGraph, Reply, Request } from './protocol.js';

type Stock = typeof import('onnxruntime-node');

/** Vetted graphs are complete: ONNX Runtime refuses to look for data below what is no folder. */
const NO_FOLDER = '/dev/null';

/** How ONNX Runtime and the C++ library say that the system has no more memory. */
const NO_MEMORY = /bad.?alloc|failed to allocate memory|cannot allocate memory/i;

interface LoadedSession {
  readonly session: InferenceSession;
  /** How the path of its profile begins; `''` where there is none, or none any more. */
  profile: string;
}

const sessions = new Map<number, LoadedSession>();
let lastSession = 0;

/** Thrown on purpose, with the code the caller will see. */
class Refusal extends Error {
  constructor(readonly failure: Failure) {
    super(failure.message);
  }
}

// Ctrl-C reaches the whole group; when to end is the parent's decision.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit());
start();

function start(): void {
  const stock = loadStock();
  if (!stock) return;
  // One after another: the binding starts a run in a later turn, and a release would overtake it.
  let last = Promise.resolve();
  process.on('message', (request: Request) => {
    last = last.then(() => answer(stock, request));
  });
}

function loadStock(): Stock | undefined {
  try {
    const require = createRequire(import.meta.url);
    const stock = require('onnxruntime-node') as Stock;
    stock.env.logLevel = 'fatal';
    const { version } = require('onnxruntime-node/package.json') as { version: string };
    send({ version });
    return stock;
  } catch (error) {
    send({ failure: { code: 'ERR_ENGINE', message: oneLine(error) } });
    return undefined;
  }
}

async function answer(stock: Stock, request: Request): Promise<void> {
  const { id } = request;
  try {
    if (request.kind === 'load') send({ id, value: await load(stock, request.model, request.plan) });
    else if (request.kind === 'run')
      send({ id, value: await run(stock, request.session, request.feeds, request.outputs) });
    else if (request.kind === 'end-profile') send({ id, value: endProfile(request.session) });
    else if (request.kind === 'software-vulkan') send({ id, value: await softwareVulkan() });
    else send({ id, value: await release(request.session) });
  } catch (error) {
    const failure: Failure =
      error instanceof Refusal ? error.failure : { code: 'ERR_ENGINE', message: oneLine(error) };
    send({ id, failure });
  }
}

/** Only the addon can tell. */
async function softwareVulkan(): Promise<string> {
  const { native } = await import('../../native/load.js');
  const devices = native().gpu?.vulkanDevices().devices ?? [];
  return devices.every(({ software }) => software) ? devices.map(({ name }) => name).join(', ') : '';
}

async function load(stock: Stock, model: Uint8Array, plan: LoadPlan): Promise<LoadedGraph> {
  const before = residentBytes();
  const session = await create(stock, model, plan);
  const number = ++lastSession;
  sessions.set(number, { session, profile: plan.profile });
  return {
    session: number,
    inputs: session.inputMetadata.map(describe),
    outputs: session.outputMetadata.map(describe),
    // Pages that an earlier graph left to the heap do not show; its weights are there all the same.
    bytes: Math.max(model.length, residentBytes() - before),
  };
}

async function create(stock: Stock, model: Uint8Array, plan: LoadPlan): Promise<InferenceSession> {
  try {
    return await stock.InferenceSession.create(model, {
      executionProviders: [plan.device],
      executionMode: 'sequential',
      graphOptimizationLevel: plan.optimise ? 'all' : 'disabled',
      ...(plan.optimisedPath && { optimizedModelFilePath: plan.optimisedPath }),
      intraOpNumThreads: plan.threads,
      interOpNumThreads: 1,
      enableCpuMemArena: false,
      enableMemPattern: false,
      logSeverityLevel: 4,
      ...(plan.profile && { enableProfiling: true, profileFilePrefix: plan.profile }),
      extra: {
        session: {
          model_external_initializers_file_folder_path: NO_FOLDER,
          intra_op: { allow_spinning: '0' },
        },
      },
    });
  } catch (error) {
    const message = oneLine(error);
    const graph = plan.device === 'cpu' || /protobuf|invalid.?graph|no.?such.?file/i.test(message);
    const otherwise = graph ? 'ERR_MODEL_REJECTED' : 'ERR_DEVICE_UNAVAILABLE';
    throw new Refusal({ code: NO_MEMORY.test(message) ? 'ERR_OUT_OF_MEMORY' : otherwise, message });
  }
}

async function run(
  stock: Stock,
  number: number,
  feeds: readonly Feed[],
  outputs: readonly string[],
): Promise<Tensor[]> {
  const { session } = loaded(number);
  const values: Record<string, OnnxValue> = {};
  for (const { name, tensor } of feeds) values[name] = toStock(stock, tensor);
  const results = await session.run(values, [...outputs], { logSeverityLevel: 4 }).catch((error: unknown) => {
    const message = oneLine(error);
    const argument = /invalid.?argument|invalid dimensions|invalid rank|unexpected input/i.test(message);
    const otherwise = argument ? 'ERR_INVALID_ARGUMENT' : 'ERR_ENGINE';
    throw new Refusal({ code: NO_MEMORY.test(message) ? 'ERR_OUT_OF_MEMORY' : otherwise, message });
  });
  return outputs.map((name) => fromStock(name, results[name]));
}

/** The binding does not say where the profile is, but nothing else in its folder has this name. */
function endProfile(number: number): string {
  const graph = loaded(number);
  const folder = path.dirname(graph.profile);
  if (graph.profile === '')
    throw new Refusal({
      code: 'ERR_INVALID_ARGUMENT',
      message: 'expected a session with a profile that has not been ended',
    });
  const begin = path.basename(graph.profile);
  graph.profile = '';
  graph.session.endProfiling();
  const name = readdirSync(folder).find((entry) => entry.startsWith(begin));
  if (name !== undefined) return path.join(folder, name);
  throw new Refusal({ code: 'ERR_ENGINE', message: `the profile could not be written to ${folder}` });
}

async function release(number: number): Promise<null> {
  const graph = sessions.get(number);
  sessions.delete(number);
  await graph?.session.release();
  return null;
}

function loaded(number: number): LoadedSession {
  const graph = sessions.get(number);
  if (!graph) throw new Refusal({ code: 'ERR_CLOSED', message: 'the session has been released' });
  return graph;
}

function toStock(stock: Stock, { type, data, dims }: Tensor): StockTensor {
  // The union of element types is checked against `type` before it is sent.
  return new stock.Tensor(type as 'float32', data as Float32Array, dims);
}

function fromStock(name: string, value: OnnxValue | undefined): Tensor {
  const tensor = value as StockTensor | undefined;
  if (!tensor || !isTensorType(tensor.type))
    throw new Refusal({
      code: 'ERR_INVALID_ARGUMENT',
      message: `expected a tensor in output '${name}' but the graph made a sequence, a map or nothing`,
    });
  const data = tensor.type === 'float16' ? float16Bits(tensor.data as Uint16Array) : tensor.data;
  return { type: tensor.type, dims: tensor.dims, data: data as Tensor['data'] };
}

/** Where JavaScript has Float16Array the stock binding returns one; the contract is the bits. */
function float16Bits(data: Uint16Array): Uint16Array {
  return new Uint16Array(data.buffer, data.byteOffset, data.length);
}

function describe(value: InferenceSession.ValueMetadata): ValueInfo {
  if (!value.isTensor) return { name: value.name, type: undefined, dims: [] };
  const dims = value.shape.map((size) => (typeof size === 'number' && size < 0 ? '' : size));
  return { name: value.name, type: isTensorType(value.type) ? value.type : undefined, dims };
}

function residentBytes(): number {
  const kilobytes = /^VmRSS:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return Number(kilobytes ?? 0) * 1024;
}

function oneLine(error: unknown): string {
  return messageOf(error).replaceAll(/\s+/g, ' ').trim();
}

function send(message: Greeting | Reply): void {
  process.send?.(message);
}
