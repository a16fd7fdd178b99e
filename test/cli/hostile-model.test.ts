// Models made to harm whoever loads them: the command says what is wrong and where, and ends as it should.
import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeModel } from '../../scripts/make-model/encoder.mjs';
import { spillway } from '../support/cli.js';
import { meanColourGraph } from '../support/graphs.js';
import { external, plain, relu, withTensor } from '../support/proto-model.js';

let dir: string;
const at = (name: string) => path.join(dir, name);

/** `y = x + w` in which `w` is of another type than `x`. */
const mistyped = () =>
  encodeModel({
    name: 'mistyped',
    inputs: [{ name: 'x', type: 'float32', dims: [2] }],
    outputs: [{ name: 'y', type: 'float32', dims: [2] }],
    nodes: [{ op: 'Add', inputs: ['x', 'w'], outputs: ['y'] }],
    constants: { w: { type: 'int32', dims: [2], data: [1, 2] } },
  });

const GRAPHS: Record<string, () => Uint8Array> = {
  truncated: () => meanColourGraph().subarray(0, 200),
  oversized: () => withTensor({ dims: [2 ** 32, 2 ** 32], raw: 0 }),
  cyclic: () => plain(relu('y', 'y')),
  mistyped,
  outside: () => withTensor({}, external({ location: '../secret.bin' })),
  absolute: () => withTensor({}, external({ location: '/etc/passwd' })),
  linked: () => withTensor({}, external({ location: 'symbolic.bin' })),
  'hard-linked': () => withTensor({}, external({ location: 'hard.bin' })),
  piped: () => withTensor({}, external({ location: 'pipe' })),
};

beforeAll(async () => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'spillway-cli-hostile-'));
  mkdirSync(at('models'));
  mkdirSync(at('photos'));
  const picture = sharp({ create: { width: 8, height: 8, channels: 3, background: '#f00' } });
  await picture.png().toFile(at('photos/red.png'));
  for (const [name, graph] of Object.entries(GRAPHS)) writeFileSync(at(`models/${name}.onnx`), graph());
  writeFileSync(at('secret.bin'), new Uint8Array(8));
  symlinkSync(at('secret.bin'), at('models/symbolic.bin'));
  linkSync(at('secret.bin'), at('models/hard.bin'));
  execFileSync('mkfifo', [at('models/pipe')]);
  writeFileSync(at('models/huge.onnx'), GRAPHS.cyclic?.() ?? '');
  truncateSync(at('models/huge.onnx'), 3 * 2 ** 30);
});
afterAll(() => rmSync(dir, { recursive: true }));

describe('a hostile model', () => {
  it.each([
    ['truncated.onnx', 'ERR_MODEL_REJECTED', /byte \d+: .*damaged/],
    ['oversized.onnx', 'ERR_MODEL_REJECTED', /graph.*'w': .*out of range/],
    ['cyclic.onnx', 'ERR_MODEL_REJECTED', /graph: 'y' is used by node 'make_y'.*cyclic/],
    ['mistyped.onnx', 'ERR_MODEL_REJECTED', /Type Error.*Add_0/],
    [
      'outside.onnx',
      'ERR_MODEL_REJECTED',
      /'w': external data at "\.\.\/secret\.bin" leads out of the model's/,
    ],
    ['absolute.onnx', 'ERR_MODEL_REJECTED', /'w': external data at "\/etc\/passwd" is an absolute path/],
    ['linked.onnx', 'ERR_MODEL_REJECTED', /'w': external data at "symbolic\.bin" is behind a link/],
    ['hard-linked.onnx', 'ERR_MODEL_REJECTED', /'w': external data at "hard\.bin" has 2 names/],
    ['piped.onnx', 'ERR_MODEL_REJECTED', /'w': external data at "pipe" is no plain file/],
    ['pipe', 'ERR_NOT_A_FILE', /expected a file for the model/],
    ['huge.onnx', 'ERR_TOO_LARGE', /at most 2147483647 bytes.* but it has 3221225472/],
  ])('%s ends the run with exit code 2 and %s', async (name, error, where) => {
    const args = ['run', at('photos'), '--no-cache', '--model', at(`models/${name}`)];
    const { code, signal, stdout, stderr } = await spillway(args);
    expect({ code, signal, stdout }, stderr).toEqual({ code: 2, signal: null, stdout: '' });
    expect(stderr).toContain(error);
    expect(stderr).toMatch(where);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});
