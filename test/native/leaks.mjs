// Uses what the addon offers, lets go of all of it and ends by itself, so that LeakSanitizer can look at what is left.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { ModelCache, nativeReport, scan } from '../../dist/index.js';
import { encodeModel } from '../../scripts/make-model/encoder.mjs';

const WIDTH = 256;
const LAYERS = 100;
const CYCLES = 3;
const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), 'spillway-leaks-'));
const graph = path.join(folder, 'chain.onnx');
const rows = (count) => ({
  type: 'float32',
  dims: [count, WIDTH],
  data: new Float32Array(count * WIDTH).fill(1),
});
const x = rows(WIDTH);
const many = rows(16 * WIDTH);

writeFileSync(
  graph,
  encodeModel({
    name: 'chain',
    inputs: [{ name: 'x', type: 'float32', dims: ['n', WIDTH] }],
    outputs: [{ name: 'y', type: 'float32', dims: ['n', WIDTH] }],
    nodes: Array.from({ length: LAYERS }, (_, layer) => ({
      op: 'MatMul',
      inputs: [layer === 0 ? 'x' : `h${layer}`, 'w'],
      outputs: [layer === LAYERS - 1 ? 'y' : `h${layer + 1}`],
    })),
    constants: { w: { type: 'float32', dims: [WIDTH, WIDTH], data: new Float32Array(WIDTH * WIDTH) } },
  }),
);

if (!nativeReport().loaded) throw new Error(nativeReport().reason);
for (let cycle = 0; cycle < CYCLES; cycle++) {
  await scanning();
  await inferring();
}
const worker = new Worker(
  `import('${new URL('../../dist/index.js', import.meta.url)}').then((m) => m.nativeReport())`,
  {
    eval: true,
  },
);
await new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject));
rmSync(folder, { recursive: true });

async function scanning() {
  let files = 0;
  for await (const batch of scan(path.join(root, 'src'), { stat: true })) files += batch.length;
  if (files === 0) throw new Error('nothing was scanned');
  for await (const _ of scan(root)) break; // left in the middle
  for await (const _ of scan(path.join(folder, 'nowhere')));
}

async function inferring() {
  const models = new ModelCache({ engine: 'native', device: 'cpu', threads: 2 });
  const rejected = await models.acquire(new Uint8Array([1, 2, 3])).catch((error) => error.code);
  if (rejected !== 'ERR_MODEL_REJECTED') throw new Error(`a broken graph gave ${rejected}`);
  const model = await models.acquire(graph);
  await Promise.all([model.run({ x }), model.run({ x })]);
  const aborted = await model
    .run({ x: many }, { signal: AbortSignal.timeout(5) })
    .catch((error) => error.name);
  if (aborted !== 'TimeoutError') throw new Error(`expected the run to be aborted, got ${aborted}`);
  const sharers = [1, 2].map((threads) => models.acquire(graph, { threads, shareWeights: true }));
  await Promise.all(sharers.map(async (sharer) => (await sharer).run({ x })));
  model[Symbol.dispose]();
  await models.close();
}
