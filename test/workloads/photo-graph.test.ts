import { describe, expect, it } from 'vitest';
import type { TensorType, ValueInfo } from '../../src/contract/index.js';
import { readGraph } from '../../src/workloads/photo-graph.js';
import {
  checkPhotosOptions,
  type PhotoModelOptions,
  type PhotosOptions,
} from '../../src/workloads/photo-options.js';

const value = (dims: ValueInfo['dims'], type: TensorType = 'float32', name = 'image'): ValueInfo => ({
  name,
  type,
  dims,
});
const SAID = value(['n', 10], 'float32', 'said');
const graphFor = (inputs: ValueInfo[], options: PhotosOptions = {}, outputs = [SAID]) =>
  readGraph({ inputs, outputs }, checkPhotosOptions({ model: 'm.onnx', ...options }) as PhotoModelOptions);

describe('readGraph', () => {
  it.each([
    [['n', 3, 224, 224], 'nchw', 3, 224, 224],
    [['n', 224, 200, 3], 'nhwc', 3, 200, 224],
    [[1, 1, 28, 28], 'nchw', 1, 28, 28],
    [[1, 28, 28, 1], 'nhwc', 1, 28, 28],
    [['', 3, '', ''], 'nchw', 3, 224, 224],
    [['', '', '', 3], 'nhwc', 3, 224, 224],
    [['', '', '', ''], 'nchw', 3, 224, 224],
    [['', 299, 299, ''], 'nhwc', 3, 299, 299],
    [['n', 3, 3, 3], 'nchw', 3, 3, 3],
  ] as const)('finds layout, channels and size of %j', (dims, layout, channels, width, height) => {
    expect(graphFor([value(dims)])).toMatchObject({
      format: { layout, channels, width, height },
      target: { width, height, fit: 'cover' },
    });
  });

  it('gives free dimensions the size asked for', () => {
    expect(graphFor([value(['n', 3, 'h', 'w'])], { size: 64 }).target).toEqual({
      width: 64,
      height: 64,
      fit: 'cover',
    });
    expect(graphFor([value(['n', 3, 64, 'w'])], { size: 64 }).format).toMatchObject({
      width: 64,
      height: 64,
    });
  });

  it('takes levels for bytes, and 0 to 1 for numbers, unless told', () => {
    expect(graphFor([value(['n', 3, 8, 8], 'uint8')]).format.range).toBe('0..255');
    expect(graphFor([value(['n', 3, 8, 8], 'float16')]).format.range).toBe('0..1');
    expect(graphFor([value(['n', 3, 8, 8])], { range: 'imagenet' }).format.range).toBe('imagenet');
  });

  it('honours a fixed batch, also one that only the output shows', () => {
    expect(graphFor([value([4, 3, 8, 8])]).fixedBatch).toBe(4);
    expect(graphFor([value(['n', 3, 8, 8])], {}, [value([1, 10])]).fixedBatch).toBe(1);
    expect(graphFor([value(['n', 3, 8, 8])]).fixedBatch).toBeUndefined();
  });

  it('takes the first output, or the one asked for', () => {
    const outputs = [SAID, value(['n', 5], 'float16', 'features')];
    expect(graphFor([value(['n', 3, 8, 8])], {}, outputs).output).toBe('said');
    expect(graphFor([value(['n', 3, 8, 8])], { output: 'features' }, outputs).output).toBe('features');
  });

  it.each([
    ['ERR_MODEL_REJECTED', /inputs are none/, []],
    ['ERR_MODEL_REJECTED', /ids int64 \[n, 77\]/, [value(['n', 77], 'int64', 'ids')]],
    ['ERR_MODEL_REJECTED', /image float32 .*; mask/, [value(['n', 3, 8, 8]), value([1], 'float32', 'mask')]],
    ['ERR_MODEL_REJECTED', /image int8 \[n, 3, 8, 8\]/, [value(['n', 3, 8, 8], 'int8')]],
    ['ERR_MODEL_REJECTED', /3 or 1 channels.*\[n, 4, 8, 8\]/, [value(['n', 4, 8, 8])]],
  ] as const)('refuses a graph that takes no image: %s %s', (code, message, inputs) => {
    expect(() => graphFor([...inputs])).toThrow(expect.objectContaining({ code }));
    expect(() => graphFor([...inputs])).toThrow(message);
  });

  it.each([
    [{ size: 300 }, /224, which the graph fixes.*image float32 \[n, 3, 224, 224\].*received 300/, 'float32'],
    [{ layout: 'nhwc' }, /photos\.layout/, 'float32'],
    [{ range: '0..1' }, /photos\.range/, 'uint8'],
    [{ output: 'nothing' }, /said float32 \[n, 10\].*photos\.output/, 'float32'],
  ] as const)('refuses %j, which the graph cannot follow', (options, message, type) => {
    expect(() => graphFor([value(['n', 3, 224, 224], type)], options)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', message: expect.stringMatching(message) }),
    );
  });

  it('refuses the colours of ImageNet for grey, and outputs that hold no numbers', () => {
    expect(() => graphFor([value(['n', 1, 8, 8])], { range: 'imagenet' })).toThrow(/colours/);
    expect(() => graphFor([value(['n', 3, 8, 8])], {}, [value(['n'], 'int64', 'label')])).toThrow(
      /label int64 \[n\]/,
    );
  });
});

describe('checkPhotosOptions', () => {
  it.each([
    [{ size: 64 }, /photos\.size/],
    [{ top: 5 }, /photos\.top/],
    [{ labels: 'l.txt' }, /photos\.labels/],
    [{ model: 'm', result: 'embedding', labels: 'l.txt' }, /photos\.labels/],
    [{ model: 'm', size: 0 }, /photos\.size/],
    [{ model: 'm', size: 1e6 }, /photos\.size/],
    [{ model: 'm', range: 'huge' }, /photos\.range/],
    [{ model: 'm', colour: 'rgb' }, /photos\.colour/],
    [{ maxBatch: 0 }, /photos\.maxBatch/],
  ])('refuses %j', (options, message) => {
    expect(() => checkPhotosOptions(options as PhotosOptions)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', message: expect.stringMatching(message) }),
    );
  });
});
