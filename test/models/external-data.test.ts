// Weights in files beside the graph: found in its folder, and nowhere else.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeModel } from '../../scripts/make-model/encoder.mjs';
import { ModelCache } from '../../src/models/model-cache.js';
import { overNative } from '../support/paths.js';

const SIZE = 64;
const weights = (value: number) => new Uint8Array(new Float32Array(SIZE).fill(value).buffer);
const x = { type: 'float32' as const, dims: [SIZE], data: new Float32Array(SIZE).fill(1) };

/** `y = x + w`, with `w` in the file `location`. */
function graphOver(location: string): Uint8Array {
  const value = (name: string) => ({ name, type: 'float32' as const, dims: [SIZE] });
  return encodeModel({
    name: 'external',
    inputs: [value('x')],
    outputs: [value('y')],
    nodes: [{ op: 'Add', inputs: ['x', 'w'], outputs: ['y'] }],
    constants: { w: { ...value('w'), dims: [SIZE], data: new Float32Array(SIZE), external: location } },
  });
}

describe.each(overNative ? (['native', 'stock'] as const) : (['stock'] as const))(
  'external data: %s',
  (engine) => {
    const cache = new ModelCache({ engine, device: 'cpu', threads: 1 });
    let folder: string;
    beforeEach(async () => {
      folder = await mkdtemp(path.join(tmpdir(), 'spillway-external-'));
      for (const name of ['a', 'b']) await mkdir(path.join(folder, name));
    });
    afterEach(async () => {
      cache.clear();
      await rm(folder, { recursive: true });
    });
    afterAll(() => cache.close());

    it('belongs to the graph: equal graphs in two folders are two models', async () => {
      for (const [name, value] of [
        ['a', 1],
        ['b', 2],
      ] as const) {
        const graph = path.join(folder, name, 'graph.onnx');
        await writeFile(graph, graphOver('weights.bin'));
        await writeFile(path.join(folder, name, 'weights.bin'), weights(value));
        using model = await cache.acquire(graph);
        expect((await model.run({ x })).y?.data[0]).toBe(1 + value);
      }
    });

    it.each(['../weights.bin', 'missing.bin'])('rejects a graph over %s', async (location) => {
      await writeFile(path.join(folder, 'weights.bin'), weights(1));
      const graph = path.join(folder, 'a', 'graph.onnx');
      await writeFile(graph, graphOver(location));
      await expect(cache.acquire(graph)).rejects.toMatchObject({ code: 'ERR_MODEL_REJECTED' });
    });

    it('rejects a graph given as bytes, which has no folder', async () => {
      await expect(cache.acquire(graphOver('weights.bin'))).rejects.toMatchObject({
        code: 'ERR_MODEL_REJECTED',
      });
    });
  },
);
