// Data in files beside a graph: read once, below its folder only, and put into the graph itself.
import { execFileSync } from 'node:child_process';
import { link, mkdir, mkdtemp, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ModelCache } from '../../src/models/model-cache.js';
import { fromFile } from '../../src/models/model-source.js';
import { native } from '../../src/native/load.js';
import { overNative } from '../support/paths.js';
import {
  addGraph,
  body,
  constant,
  domain,
  external,
  func,
  graph,
  integer,
  message,
  model,
  node,
  tensor,
  text,
} from '../support/proto-model.js';

const longAgo = new Date('2020-01-01');
const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
const x = { type: 'float32' as const, dims: [2], data: Float32Array.of(1, 2) };
/** `y = x + w`, with `w` at `entries`. */
const over = (entries: Record<string, string>) => model(addGraph(tensor({}, external(entries))));

/** Imports version 1 of the operators of the domain `own`. */
const ownOperators = message(8, Buffer.concat([text(1, 'own'), integer(2, 1)]));

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'spillway-vetting-'));
  await mkdir(path.join(folder, 'model'));
});
afterEach(() => rm(folder, { recursive: true }));

const at = (name: string) => path.join(folder, 'model', name);
async function write(name: string, bytes: Uint8Array): Promise<string> {
  await writeFile(at(name), bytes);
  await utimes(at(name), longAgo, longAgo);
  return at(name);
}
const charged = () => native().ledger.held(native().ledger.account('models', 0));

describe.each(overNative ? (['native', 'stock'] as const) : (['stock'] as const))('through %s', (engine) => {
  const cache = new ModelCache({ engine, device: 'cpu', threads: 1 });
  afterEach(() => cache.clear());
  afterAll(() => cache.close());

  async function sum(file: string): Promise<number[]> {
    using loaded = await cache.acquire(file);
    return Array.from((await loaded.run({ x })).y?.data as Float32Array);
  }

  it('finds data below folders, and at offsets in one file', async () => {
    await mkdir(at('deep/er'), { recursive: true });
    await write('deep/er/w.bin', floats(0, 10, 20, 30));
    const place = { location: './deep//er/w.bin', length: '8' };
    const nodes = [node('Add', ['x', 'a'], ['t']), node('Add', ['t', 'b'], ['y'])];
    const initialisers = [
      tensor({ name: 'a' }, external({ ...place, offset: '4' })),
      tensor({ name: 'b' }, external({ ...place, offset: '8' })),
    ];
    const file = await write('m.onnx', model(graph({ nodes, initialisers })));
    expect(await sum(file)).toEqual([1 + 10 + 20, 2 + 20 + 30]);
  });

  it('finds data of constants, in bodies and functions too', async () => {
    await write('w.bin', floats(10, 20));
    const add = (output: string) => [
      node('Constant', [], ['w'], constant(tensor({}, external({ location: 'w.bin' })))),
      node('Add', ['x', 'w'], [output]),
    ];
    const branch = graph({ inputs: [], nodes: add('chosen'), outputs: ['chosen'] });
    const condition = tensor({ name: 'true', dims: [], type: 9, raw: 1 });
    const choice = node('If', ['true'], ['t'], body('then_branch', branch), body('else_branch', branch));
    const own = node('Own', ['t'], ['y'], domain('own'));
    const file = await write(
      'm.onnx',
      model(graph({ nodes: [choice, own], initialisers: [condition] }), func('Own', add('y')), ownOperators),
    );
    expect(await sum(file)).toEqual([21, 42]);
  });

  it('notices that the data has changed, and knows equal data by its content', async () => {
    const file = await write('m.onnx', over({ location: 'w.bin' }));
    await write('w.bin', floats(1, 1));
    expect(await sum(file)).toEqual([2, 3]);
    const { loads } = cache.stats();
    expect(await sum(file)).toEqual([2, 3]);
    await mkdir(at('copy'));
    await write('copy/w.bin', floats(1, 1));
    expect(await sum(await write('copy/m.onnx', over({ location: 'w.bin' })))).toEqual([2, 3]);
    expect(cache.stats().loads).toBe(loads);
    await write('w.bin', floats(5, 5));
    expect(await sum(file)).toEqual([6, 7]);
  });
});

describe('data of a model', () => {
  const rejects = (file: string, sentence: RegExp) =>
    expect(fromFile(file, [])).rejects.toMatchObject({
      code: 'ERR_MODEL_REJECTED',
      message: expect.stringMatching(sentence),
    });
  const place = (sentence: string) => new RegExp(`^graph, tensor 'w': external data at "w.bin" ${sentence}`);
  const inFolder = async () => write('m.onnx', over({ location: 'w.bin' }));

  it('is not read through a symbolic link, nor below one', async () => {
    await writeFile(path.join(folder, 'secret'), floats(1, 2));
    await symlink(path.join(folder, 'secret'), at('w.bin'));
    await rejects(await inFolder(), place('is behind a link'));
    await symlink(folder, at('link'));
    await rejects(await write('n.onnx', over({ location: 'link/secret' })), /is behind a link/);
  });

  it('is not read where it has a second name', async () => {
    await writeFile(path.join(folder, 'secret'), floats(1, 2));
    await link(path.join(folder, 'secret'), at('w.bin'));
    await rejects(await inFolder(), place('has 2 names'));
  });

  it('is not read from what is no plain file', async () => {
    await mkdir(at('w.bin'));
    await rejects(await inFolder(), place('is no plain file'));
    await rm(at('w.bin'), { recursive: true });
    execFileSync('mkfifo', [at('w.bin')]);
    await rejects(await inFolder(), place('is no plain file'));
  });

  it('must be there, as long as the tensor says', async () => {
    await rejects(await inFolder(), place('is not there'));
    await write('w.bin', floats(1));
    await rejects(await inFolder(), /^graph, tensor 'w': expected 8 bytes from 0 of "w.bin", which has 4/);
    await write('w.bin', floats(1, 2));
    await rejects(
      await write('n.onnx', over({ location: 'w.bin', offset: '1' })),
      /from 1 of "w.bin", which has 8/,
    );
    await rejects(
      await write('n.onnx', over({ location: 'w.bin', offset: String(Number.MAX_SAFE_INTEGER) })),
      /which has 8/,
    );
  });

  it('is looked for beside the file that a link to the graph leads to', async () => {
    await write('w.bin', floats(1, 2));
    await symlink(await inFolder(), path.join(folder, 'link.onnx'));
    using source = await fromFile(path.join(folder, 'link.onnx'), []);
    expect(source.stamps).toHaveLength(2);
  });
});

describe('the bytes of a model', () => {
  const limit = (bytes: number) => native().ledger.setLimit(native().ledger.account('models', 0), bytes);
  afterEach(() => limit(Number.POSITIVE_INFINITY));

  it('are charged while they are held, and given back at once', async () => {
    await write('w.bin', floats(1, 2));
    const before = charged();
    const source = await fromFile(await write('m.onnx', over({ location: 'w.bin' })), []);
    expect(charged() - before).toBe(source.bytes.length);
    source[Symbol.dispose]();
    source[Symbol.dispose]();
    expect(charged()).toBe(before);
    expect(source.bytes).toHaveLength(0);
  });

  it('are given back where the graph is rejected, or its data, or the load', async () => {
    const before = charged();
    for (const bytes of [Buffer.alloc(100_000), over({ location: 'w.bin' })])
      await expect(fromFile(await write('m.onnx', bytes), [])).rejects.toMatchObject({
        code: 'ERR_MODEL_REJECTED',
      });
    const cache = new ModelCache({ device: 'cpu', threads: 1 });
    const unknown = model(graph({ nodes: [node('NoSuchOperator', ['x'], ['y'])] }));
    await expect(cache.acquire(await write('m.onnx', unknown))).rejects.toMatchObject({
      code: 'ERR_MODEL_REJECTED',
    });
    expect(charged()).toBe(before);
    await cache.close();
  });

  it('are given back where the graph is loaded already', async () => {
    await using cache = new ModelCache({ device: 'cpu', threads: 1 });
    const bytes = model(addGraph(tensor()));
    using _first = await cache.acquire(await write('m.onnx', bytes));
    const before = charged();
    using _second = await cache.acquire(await write('n.onnx', bytes));
    expect(cache.stats().loads).toBe(1);
    expect(charged()).toBe(before);
  });

  it('are not read where they can never fit the budget', async () => {
    limit(100);
    const large = await write('m.onnx', model(addGraph(tensor({ dims: [100], raw: 400 }))));
    await expect(fromFile(large, [])).rejects.toMatchObject({
      code: 'ERR_BUDGET_EXCEEDED',
      message: expect.stringMatching(/^expected the model within \d+ bytes but it takes \d+$/),
    });
  });

  it('are refused where the weights cannot fit the budget, however few bytes the graph has', async () => {
    limit(100_000);
    const huge = await write(
      'm.onnx',
      model(addGraph(tensor({ dims: [2 ** 28] }, external({ location: 'w.bin' })))),
    );
    await expect(fromFile(huge, [])).rejects.toMatchObject({ code: 'ERR_BUDGET_EXCEEDED' });
  });

  it('are refused beyond what protobuf can hold', async () => {
    const huge = await write(
      'm.onnx',
      model(addGraph(tensor({ dims: [2 ** 40] }, external({ location: 'w.bin' })))),
    );
    await expect(fromFile(huge, [])).rejects.toMatchObject({ code: 'ERR_TOO_LARGE' });
  });

  it('are those of the file that was vetted, whatever has its name meanwhile', async () => {
    await write('w.bin', floats(1, 2));
    await write('other.bin', floats(9, 9));
    const file = await write('m.onnx', over({ location: 'w.bin' }));
    using source = await fromFile(file, []);
    await rename(at('other.bin'), at('w.bin'));
    expect(Buffer.from(source.bytes).includes(Buffer.from(floats(1, 2)))).toBe(true);
    expect(Buffer.from(source.bytes).includes('w.bin')).toBe(false);
  });
});
