import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Result } from '../../src/pipeline/workload.js';
import { scan } from '../../src/scan/scan.js';
import { Spillway } from '../../src/spillway.js';
import type { PhotosOptions } from '../../src/workloads/photo-options.js';
import { photos } from '../../src/workloads/photos.js';
import { type MeanColourOptions, meanColourGraph } from '../support/graphs.js';

/** Pictures of one colour, and what their pixels are. */
const COLOURS = {
  red: [255, 0, 0],
  teal: [0, 102, 102],
  sand: [204, 153, 51],
  black: [0, 0, 0],
} as const;
type Colour = keyof typeof COLOURS;
const NAMES = Object.keys(COLOURS) as Colour[];

let dir: string;
/** One for all runs that store nothing, so that the engine starts once. */
let shared: Spillway;
const at = (...names: string[]) => path.join(dir, ...names);
let graphs = 0;
const graph = (options?: MeanColourOptions): string => {
  const file = at(`graph-${graphs++}.onnx`);
  writeFileSync(file, meanColourGraph(options));
  return file;
};

beforeAll(async () => {
  shared = await Spillway.open();
  dir = mkdtempSync(path.join(os.tmpdir(), 'spillway-photo-model-'));
  mkdirSync(at('photos'));
  for (const name of NAMES) {
    const [r, g, b] = COLOURS[name];
    const image = sharp({ create: { width: 40, height: 30, channels: 3, background: { r, g, b } } });
    await image.png().toFile(at('photos', `${name}.png`));
  }
});
afterAll(async () => {
  await shared.close();
  rmSync(dir, { recursive: true });
});

interface Data {
  readonly embedding?: readonly number[];
  readonly dimension?: number;
  readonly classes?: readonly { readonly index: number; readonly label?: string; readonly score: number }[];
}

async function run(options: PhotosOptions, { spillway = shared, source = at('photos') }: Where = {}) {
  const running = spillway.run(scan(source, { stat: true }), photos(options), { workers: 2 });
  const results: Result[] = [];
  for await (const result of running) results.push(result);
  const data = new Map(
    results.map((result) => [
      path.basename(result.path, '.png'),
      'data' in result ? (result.data as Data) : result.error,
    ]),
  );
  return { data: data as Map<string, Data>, results, stats: running.stats() };
}

interface Where {
  spillway?: Spillway;
  source?: string | string[];
}

/** Each colour's embedding is its pixels, made into values by `toValue`. */
function expectMeans(
  data: Map<string, Data>,
  toValue: (level: number, channel: number) => number,
  digits = 5,
): void {
  for (const name of NAMES) {
    const { embedding, dimension } = data.get(name) as Data;
    expect(dimension).toBe(3);
    for (const [i, level] of COLOURS[name].entries())
      expect(embedding?.[i], `${name} ${i}`).toBeCloseTo(toValue(level, i), digits);
  }
}

const unit = (level: number) => level / 255;

describe('photos with a model', () => {
  it('says what the header says, and what the graph says', async () => {
    const { results, stats } = await run({ model: graph() });
    const sand = results.find((result) => result.path.endsWith('sand.png'));
    expect(sand).toMatchObject({
      kind: 'photo',
      data: {
        format: 'png',
        width: 40,
        height: 30,
        orientation: 1,
        dimension: 3,
        embedding: [0.8, 0.6, 0.2],
      },
    });
    expect(sand).not.toHaveProperty('data.phash');
    expect(stats.extra).toEqual({});
    expect(stats.served).toMatchObject({ device: 'cpu' });
  });

  it.each([
    ['nchw float32, free', {}, unit, 5],
    ['nhwc float32, free', { layout: 'nhwc' }, unit, 5],
    [
      'nhwc uint8, fixed',
      { layout: 'nhwc', type: 'uint8', dims: ['n', 16, 24, 3] },
      (level: number) => level,
      3,
    ],
    ['nchw uint8, free', { type: 'uint8' }, (level: number) => level, 3],
    ['nchw float16, fixed', { type: 'float16', dims: ['n', 3, 24, 16], outputType: 'float16' }, unit, 2],
    ['nchw float64, one by one', { type: 'float64', dims: [1, 3, 8, 8], outputType: 'float64' }, unit, 5],
    ['nchw float32, by fours', { dims: [4, 3, 8, 8] }, unit, 5],
    ['nchw float32, one by one by its output', { batch: 1 }, unit, 5],
  ] as [string, MeanColourOptions, (level: number) => number, number][])(
    'feeds %s',
    async (_, options, toValue, digits) => {
      const { data } = await run({ model: graph(options) });
      expectMeans(data, toValue, digits);
    },
  );

  it.each([
    ['-1..1', (level: number) => level / 127.5 - 1],
    ['0..255', (level: number) => level],
    [
      'imagenet',
      (level: number, i: number) =>
        (level / 255 - ([0.485, 0.456, 0.406][i] ?? 0)) / ([0.229, 0.224, 0.225][i] ?? 1),
    ],
  ] as const)('feeds values from %s', async (range, toValue) => {
    const { data } = await run({ model: graph(), range, size: 32 });
    expectMeans(data, toValue, 3);
  });

  it('turns the colours round, and makes grey of them', async () => {
    const { data } = await run({ model: graph(), channels: 'bgr' });
    expect(data.get('sand')?.embedding).toEqual([0.2, 0.6, 0.8]);
    const grey = await run({ model: graph({ dims: ['n', 1, 28, 28], weights: [[1]] }), range: '0..255' });
    expect(grey.data.get('sand')?.embedding).toEqual([157]);
    expect(grey.data.get('red')?.embedding).toEqual([76]);
  });

  it('names the likeliest class by its label', async () => {
    writeFileSync(at('labels.txt'), 'reddish\ngreenish\nbluish\n');
    const weights = [
      [20, 0, 0],
      [0, 20, 0],
      [0, 0, 20],
    ];
    for (const softmax of [false, true]) {
      const model = graph({ weights, softmax });
      const { data } = await run({ model, labels: at('labels.txt'), top: 2 });
      expect(data.get('red')?.classes).toEqual([
        { index: 0, label: 'reddish', score: 1 },
        { index: 1, label: 'greenish', score: 0 },
      ]);
      expect(data.get('sand')?.classes?.[0]).toMatchObject({
        label: 'reddish',
        score: expect.closeTo(0.982, 3),
      });
      expect(data.get('black')?.classes?.map(({ score }) => score)).toEqual([0.333333, 0.333333]);
    }
  });

  it('takes the output asked for', async () => {
    const model = graph({ weights: [[2], [0], [0]] });
    expect((await run({ model })).data.get('red')?.embedding).toEqual([2]);
    expect((await run({ model, output: 'means' })).data.get('red')?.embedding).toEqual([1, 0, 0]);
  });

  it('cuts the middle out, shows all, or distorts', async () => {
    // Left half red, right half black, twice as wide as high; and the same turned by its orientation.
    const half = { create: { width: 40, height: 40, channels: 3 as const, background: '#f00' } };
    const wide = await sharp({ create: { width: 80, height: 40, channels: 3, background: '#000' } })
      .composite([{ input: await sharp(half).png().toBuffer(), left: 0, top: 0 }])
      .png()
      .toBuffer();
    mkdirSync(at('halves'), { recursive: true });
    writeFileSync(at('halves/wide.png'), wide);
    await sharp(wide).withMetadata({ orientation: 6 }).png().toFile(at('halves/tall.png'));
    for (const [fit, red] of [
      ['cover', 0.5],
      ['contain', 0.25],
      ['fill', 0.5],
    ] as const) {
      const { data } = await run({ model: graph(), size: 32, fit }, { source: at('halves') });
      for (const name of ['wide', 'tall'])
        expect(data.get(name)?.embedding?.[0], `${fit} ${name}`).toBeCloseTo(red, 1);
    }
    // Of the upper half of a tall photo, a wide graph sees none but the middle.
    const wideGraph = graph({ dims: ['n', 3, 8, 32] });
    const { data } = await run({ model: wideGraph }, { source: at('halves/tall.png') });
    expect(data.get('tall')?.embedding?.[0]).toBeCloseTo(0.5, 1);
  });

  it('keeps results apart by graph, options and labels, and loads no graph for what it has', async () => {
    await using spillway = await Spillway.open({ cacheDir: at('cache') });
    const model = graph();
    // Files that have not changed for seconds are known by their times.
    const source = ['lake.jpg', 'grey.jpg'].map((name) =>
      path.join(import.meta.dirname, '../../samples', name),
    );
    const cached = async (options: PhotosOptions) => (await run(options, { spillway, source })).stats;
    expect((await cached({ model })).cached).toBe(0);
    const again = await cached({ model, maxBatch: 3 });
    expect(again).toMatchObject({ cached: 2, served: undefined });
    expect((await cached({ model: graph() })).cached).toBe(2);
    expect((await cached({ model, range: '0..255' })).cached).toBe(0);
    expect((await cached({ model, fit: 'fill' })).cached).toBe(0);
    expect((await cached({ model: graph({ weights: [[1], [2], [3]] }) })).cached).toBe(0);
    writeFileSync(at('l.txt'), 'a\nb\nc\n');
    expect((await cached({ model, labels: at('l.txt') })).cached).toBe(0);
    writeFileSync(at('l.txt'), 'a\nb\nd\n');
    expect((await cached({ model, labels: at('l.txt') })).cached).toBe(0);
  });

  it('gives back what the rows that fill up a batch took', async () => {
    await run({ model: graph({ dims: [16, 3, 64, 64] }) });
    const { accounts } = shared.memory.snapshot();
    expect(accounts.batch).toMatchObject({ bytes: 0, reserved: 0 });
    expect(accounts.batch?.peak).toBeGreaterThanOrEqual(15 * 64 * 64 * 3 * 4);
  });

  it.each([
    ['ERR_INVALID_ARGUMENT', { size: 9 }, { dims: ['n', 3, 8, 8] }],
    ['ERR_MODEL_REJECTED', {}, { dims: ['n', 5, 8, 8] }],
    ['ERR_INVALID_ARGUMENT', { output: 'other' }, {}],
  ] as [string, PhotosOptions, MeanColourOptions][])(
    'ends the run with %s for %j',
    async (code, options, shape) => {
      await expect(run({ ...options, model: graph(shape) })).rejects.toMatchObject({ code });
    },
  );

  it('ends the run where the files it needs are missing or wrong', async () => {
    await expect(run({ model: at('none.onnx') })).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(run({ model: graph(), labels: at('none.txt') })).rejects.toMatchObject({ code: 'ENOENT' });
    writeFileSync(at('empty.txt'), '');
    await expect(run({ model: graph(), labels: at('empty.txt') })).rejects.toThrow(/a label on each line/);
    writeFileSync(at('two.txt'), 'a\nb');
    await expect(run({ model: graph(), labels: at('two.txt') })).rejects.toThrow(/3 labels.*received 2/);
    writeFileSync(at('text.onnx'), readFileSync(at('empty.txt')));
    await expect(run({ model: at('text.onnx') })).rejects.toMatchObject({ code: 'ERR_MODEL_REJECTED' });
  });

  it('fails photos whose numbers are none, and goes on with the others', async () => {
    // 10^38 times level 204 and above is more than a float32 holds; 0 is not.
    const weights = [[1e38], [1e38], [1e38]];
    const { data, stats } = await run({ model: graph({ weights }), range: '0..255' });
    expect(data.get('sand')).toMatchObject({ code: 'ERR_NOT_FINITE' });
    expect(data.get('black')).toMatchObject({ embedding: [0] });
    expect(stats).toMatchObject({ files: NAMES.length });
  });
});
