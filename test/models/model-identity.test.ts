import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { encodeModel } from '../../scripts/make-model/encoder.mjs';
import { identifyModel } from '../../src/models/model-identity.js';
import { identityGraph } from '../support/graphs.js';

const dir = mkdtempSync(path.join(os.tmpdir(), 'spillway-identity-'));
afterAll(() => rmSync(dir, { recursive: true }));
const at = (name: string) => path.join(dir, name);

/** `y = x + w`, with `w` in a file of its own; before it as many bytes of weights of its own as asked for. */
function externalGraph(location: string, inner = 1): Uint8Array {
  return encodeModel({
    name: 'external',
    inputs: [{ name: 'x', type: 'float32', dims: [2] }],
    outputs: [{ name: 'y', type: 'float32', dims: [2] }],
    nodes: [{ op: 'Add', inputs: ['x', 'w'], outputs: ['y'] }],
    constants: {
      big: { type: 'uint8', dims: [inner], data: new Uint8Array(inner) },
      w: { type: 'float32', dims: [2], data: [1, 2], external: location },
    },
  });
}

describe('identifyModel', () => {
  it('knows a graph by the hash of its file', async () => {
    const bytes = identityGraph('float32');
    writeFileSync(at('plain.onnx'), bytes);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    expect(await identifyModel(at('plain.onnx'))).toEqual({ sha256, key: sha256, bytes: bytes.length });
  });

  // Around the end of the first piece that is read, so that the name is cut there.
  it.each([1, 2 ** 20 - 120, 2 ** 20 - 90, 2 ** 20 - 60, 2 ** 20, 3 * 2 ** 20])(
    'knows its external data by content, after %i bytes of weights',
    async (inner) => {
      mkdirSync(at('weights'), { recursive: true });
      writeFileSync(at('external.onnx'), externalGraph('weights/w.bin', inner));
      writeFileSync(at('weights/w.bin'), 'one');
      const one = await identifyModel(at('external.onnx'));
      writeFileSync(at('weights/w.bin'), 'two');
      const two = await identifyModel(at('external.onnx'));
      expect(two.sha256).toBe(one.sha256);
      expect(two.key).not.toBe(one.key);
      expect(two.key).toContain(createHash('sha256').update('two').digest('hex'));
    },
  );

  it('follows no location out of the folder, or to what is no file', async () => {
    for (const location of ['/dev/zero', '../../../../dev/zero', 'missing.bin', '.', 'a\0b']) {
      writeFileSync(at('odd.onnx'), externalGraph(location));
      const { sha256, key } = await identifyModel(at('odd.onnx'));
      expect(key, location).toBe(sha256);
    }
  });

  it('refuses what is no file', async () => {
    await expect(identifyModel(dir)).rejects.toMatchObject({ code: 'ERR_NOT_A_FILE' });
    await expect(identifyModel(at('nothing.onnx'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
