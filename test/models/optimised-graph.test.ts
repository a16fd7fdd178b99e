// The addon's part in keeping graphs as ONNX Runtime optimised them: writing one, and loading it as it is.
import { open } from 'node:fs/promises';
import { devNull, tmpdir } from 'node:os';
import { beforeAll, describe, expect, it } from 'vitest';
import { attention, convolutions, mlp } from '../../scripts/make-model/test-graphs.mjs';
import type { InferSession, Tensor } from '../../src/contract/index.js';
import { UnnamedFile } from '../../src/models/disk-tier/unnamed-file.js';
import { onnxruntimeLibrary } from '../../src/models/engine/onnxruntime.js';
import { DEFAULT_DOMAINS } from '../../src/models/vetting/operators.js';
import { ModelVetting } from '../../src/models/vetting/vetting.js';
import { native } from '../../src/native/load.js';
import { CPU_PLAN } from '../support/load-plan.js';
import { overNative } from '../support/paths.js';

const inference = () => {
  const { infer } = native();
  if (!infer) throw new Error('the addon offers no inference');
  return infer;
};

/** The graph as ONNX Runtime writes it. */
async function optimised(graph: Uint8Array): Promise<Buffer> {
  await using file = await UnnamedFile.make(tmpdir());
  (await inference().load(graph, { ...CPU_PLAN, optimisedPath: file.path })).release();
  const { size } = await file.handle.stat();
  const { buffer } = await file.handle.read(Buffer.alloc(size), 0, size, 0);
  return buffer;
}

function tensor(dims: readonly number[]): Tensor {
  const data = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i));
  return { type: 'float32', dims, data };
}

const outputOf = async (session: InferSession, x: Tensor) =>
  (await session.run(1, [{ name: 'x', tensor: x }], ['y']))[0];

describe.runIf(overNative)('an optimised graph', () => {
  beforeAll(() => {
    inference().open(onnxruntimeLibrary());
  });

  it.each([
    ['dense layers', mlp({ layers: 3, width: 64 }), [5, 64]],
    ['convolutions', convolutions({ layers: 3, channels: 32, side: 14 }), [2, 3, 14, 14]],
    ['attention', attention({ length: 16, width: 32, masked: false }), [2, 16, 32]],
  ])('%s: is what was loaded, to the bit, and passes the vetting', async (_, graph, dims) => {
    const bytes = await optimised(graph);
    expect(Buffer.compare(bytes, graph)).not.toBe(0);
    const vetting = new ModelVetting(bytes.length, []);
    vetting.push(bytes);
    expect(vetting.end().external).toEqual([]);
    const plain = await inference().load(graph, CPU_PLAN);
    const loaded = await inference().load(bytes, { ...CPU_PLAN, optimise: false });
    expect(loaded.inputs).toEqual(plain.inputs);
    expect(loaded.outputs).toEqual(plain.outputs);
    expect(await outputOf(loaded, tensor(dims))).toEqual(await outputOf(plain, tensor(dims)));
    plain.release();
    loaded.release();
  });

  it('is not optimised again', async () => {
    await using file = await UnnamedFile.make(tmpdir());
    const graph = mlp({ layers: 3, width: 64 });
    (await inference().load(graph, { ...CPU_PLAN, optimise: false, optimisedPath: file.path })).release();
    const { size } = await file.handle.stat();
    // As it was but for names of the writer: Gemm and Relu have not become one node of another domain.
    const { buffer } = await file.handle.read(Buffer.alloc(size), 0, size, 0);
    expect(buffer.includes('FusedGemm')).toBe(false);
    expect((await optimised(graph)).includes('FusedGemm')).toBe(true);
    expect(DEFAULT_DOMAINS).toContain('com.microsoft');
  });

  it('that cannot be written fails the load', async () => {
    const load = inference().load(mlp(), { ...CPU_PLAN, optimisedPath: `${devNull}/none` });
    await expect(load).rejects.toMatchObject({ code: 'ERR_MODEL_REJECTED' });
  });
});

describe('a file without a name', () => {
  it('is written to by its path and leaves nothing behind', async () => {
    const file = await UnnamedFile.make(tmpdir());
    const { path } = file;
    const other = await open(path, 'w');
    await other.write('abc');
    await other.close();
    expect((await file.handle.stat()).nlink).toBe(0);
    expect((await file.handle.stat()).size).toBe(3);
    await file[Symbol.asyncDispose]();
    await expect(open(path, 'r')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
