import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../src/contract/index.js';
import { toFloat16 } from '../../src/util/float16.js';
import { parseLabels, type ReadingPlan, readOutput } from '../../src/workloads/photo-classes.js';

const row = (values: readonly number[]): Tensor => ({
  type: 'float32',
  dims: [1, values.length],
  data: Float32Array.from(values),
});
const read = (tensor: Tensor, plan: Partial<ReadingPlan> = {}) =>
  readOutput(tensor, { output: 'said', result: 'auto', labels: undefined, top: 5, ...plan });

describe('readOutput', () => {
  it('takes 1000 or 1001 numbers, or any with labels, for classes, and others for an embedding', () => {
    expect(read(row(new Array(1000).fill(0)))).toHaveProperty('classes.length', 5);
    expect(read(row(new Array(1001).fill(0)))).toHaveProperty('classes.length', 5);
    expect(read(row([1, 2]), { labels: ['a', 'b'] })).toHaveProperty('classes.length', 2);
    expect(read(row(new Array(999).fill(0)))).toHaveProperty('dimension', 999);
    expect(read(row([1, 2]), { result: 'classes' })).toHaveProperty('classes.length', 2);
    expect(read(row(new Array(1000).fill(0)), { result: 'embedding' })).toHaveProperty('dimension', 1000);
  });

  it('leaves probabilities as they are', () => {
    expect(read(row([0.1, 0.7, 0.2]), { result: 'classes', top: 2 })).toEqual({
      classes: [
        { index: 1, score: 0.7 },
        { index: 2, score: 0.2 },
      ],
    });
  });

  it('makes probabilities of anything else, however large', () => {
    const { classes } = read(row([1000, 1001, -5]), { result: 'classes' }) as {
      classes: { index: number; score: number }[];
    };
    expect(classes).toEqual([
      { index: 1, score: 0.731059 },
      { index: 0, score: 0.268941 },
      { index: 2, score: 0 },
    ]);
    expect(read(row([0.5, 0.9]), { result: 'classes' })).toEqual({
      classes: [
        { index: 1, score: 0.598688 },
        { index: 0, score: 0.401312 },
      ],
    });
  });

  it('names equal scores in order of their index, with their labels', () => {
    expect(read(row([0.25, 0.25, 0.25, 0.25]), { labels: ['a', 'b', 'c', 'd'], top: 3 })).toEqual({
      classes: [
        { index: 0, label: 'a', score: 0.25 },
        { index: 1, label: 'b', score: 0.25 },
        { index: 2, label: 'c', score: 0.25 },
      ],
    });
  });

  it('rounds an embedding to six significant digits', () => {
    expect(read(row([1 / 3, -2e-7 / 3, 12345678]))).toEqual({
      dimension: 3,
      embedding: [0.333333, -6.66667e-8, 12345700],
    });
  });

  it('reads halves', () => {
    const half: Tensor = {
      type: 'float16',
      dims: [1, 2],
      data: Uint16Array.of(toFloat16(0.5), toFloat16(-3)),
    };
    expect(read(half)).toEqual({ dimension: 2, embedding: [0.5, -3] });
  });

  it('refuses labels that are not as many, an output without end, and numbers that are none', () => {
    const refuses = (code: string, message: RegExp, tensor: Tensor, plan: Partial<ReadingPlan> = {}) => {
      expect(() => read(tensor, plan)).toThrow(expect.objectContaining({ code }));
      expect(() => read(tensor, plan)).toThrow(message);
    };
    refuses('ERR_INVALID_ARGUMENT', /3 labels.*received 2/, row([1, 2, 3]), { labels: ['a', 'b'] });
    refuses('ERR_MODEL_REJECTED', /said.*holds 70000/, row(new Array(70_000).fill(0)));
    refuses('ERR_MODEL_REJECTED', /holds 0/, row([]));
    refuses('ERR_NOT_FINITE', /finite/, row([1, Number.NaN]));
    refuses('ERR_NOT_FINITE', /finite/, row([1, Number.POSITIVE_INFINITY]));
  });
});

describe('parseLabels', () => {
  it('takes a line for a label, whatever ends it', () => {
    expect(parseLabels('\uFEFFcat\r\ndog \n\nbird\n')).toEqual(['cat', 'dog', '', 'bird']);
    expect(parseLabels('cat')).toEqual(['cat']);
    expect(parseLabels('')).toEqual([]);
  });
});
