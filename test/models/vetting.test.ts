// What makes a model unsound, found before ONNX Runtime sees it.
import { afterAll, describe, expect, it } from 'vitest';
import { ModelCache } from '../../src/models/model-cache.js';
import { ModelVetting, type VettedModel } from '../../src/models/vetting/vetting.js';
import { chainGraph, identityGraph, meanColourGraph } from '../support/graphs.js';
import {
  addGraph,
  body,
  domain,
  func,
  graph,
  integer,
  message,
  model,
  node,
  own,
  plain,
  relu,
  tensor,
  text,
  withTensor,
} from '../support/proto-model.js';
import { unsound } from '../support/unsound-models.js';

function vet(bytes: Uint8Array, { domains = [] as string[], step = bytes.length } = {}): VettedModel {
  const vetting = new ModelVetting(bytes.length, domains);
  for (let at = 0; at < bytes.length; at += step) vetting.push(bytes.subarray(at, at + step));
  return vetting.end();
}

const sound: Record<string, Uint8Array> = {
  'a pass-through': identityGraph('string'),
  'layers with weights': chainGraph({ layers: 3, width: 16, distinct: true }),
  'constants and attributes': meanColourGraph(),
  'an initialiser that is the default of an input': model(
    graph({ nodes: [node('Add', ['x', 'w'], ['y'])], inputs: ['x', 'w'], initialisers: [tensor()] }),
  ),
  'a body that uses names of the graph around it': plain(
    relu('x', 'a'),
    node('If', ['x'], ['y'], body('then_branch', graph({ inputs: [], nodes: [relu('a', 'y')] }))),
  ),
  'functions that call each other': model(
    graph({ nodes: [own('Twice', 'y')] }),
    func('Twice', [own('Once', 'a'), node('Once', ['a'], ['y'], domain('own'))]),
    func('Once', [relu('x', 'y')]),
  ),
  'inputs and outputs left out': plain(node('Clip', ['x', '', ''], ['y', ''])),
  'packed dimensions': model(
    addGraph(Buffer.concat([message(1, Uint8Array.of(1, 2)), tensor({ dims: [], raw: 8 })])),
  ),
  'numbers in their own field': withTensor({ type: 7, dims: [3] }, message(7, Uint8Array.of(1, 200, 1, 3))),
  'four bits an element': withTensor({ type: 22, dims: [5], raw: 3 }),
  'an empty tensor': withTensor({ dims: [0, 7], raw: 0 }),
  'fields that nobody knows': model(addGraph(tensor({ raw: 8 }, integer(1000, 1), text(2000, 'later')))),
};

describe('vetting', () => {
  it.each(Object.entries(sound))('accepts %s', (_, bytes) => {
    expect(vet(bytes, { step: 1 })).toEqual(vet(bytes));
  });

  it.each(Object.entries(unsound))('rejects %s', (_, [bytes, sentence]) => {
    for (const step of [bytes.length, 1])
      expect(() => vet(bytes, { step: Math.max(1, step) })).toThrow(
        expect.objectContaining({ code: 'ERR_MODEL_REJECTED', message: expect.stringMatching(sentence) }),
      );
  });

  it("rejects ONNX Runtime's own format, which it cannot read", () => {
    expect(() => vet(Buffer.from('\x18\0\0\0ORTM....', 'latin1'))).toThrow(
      /own format, which cannot be vetted/,
    );
  });

  it('allows further domains where it is told to', () => {
    const bytes = plain(node('Magic', ['x'], ['y'], domain('com.example')));
    expect(vet(bytes, { domains: ['com.example'] }).external).toEqual([]);
  });

  it('weighs tensors as they will lie in memory, sparse ones as dense', () => {
    expect(vet(withTensor({ dims: [2], raw: 8 })).weightBytes).toBe(8);
    const indices = tensor({ name: '', type: 7, dims: [2], raw: 16 });
    const sparse = Buffer.concat([message(1, tensor()), message(2, indices), integer(3, 2 ** 30)]);
    const bytes = model(graph({ nodes: [node('Add', ['x', 'w'], ['y'])], sparse: [sparse] }));
    expect(vet(bytes).weightBytes).toBe(8 + 16 + 4 * 2 ** 30);
  });

  it('keeps names that a terminal would obey, or that fill a screen, out of its sentences', () => {
    const name = `\u001b[2J${'z'.repeat(5000)}`;
    expect(() => vet(plain(relu(name, 'y')))).toThrow(/^.{1,850}$/u);
    expect(() => vet(plain(relu(name, 'y')))).not.toThrow(/\p{Cc}/u);
  });
});

describe('a model cache', () => {
  const cache = new ModelCache({ device: 'cpu', threads: 1 });
  afterAll(() => cache.close());

  it('lets no unsound graph through, and lives', async () => {
    for (const [name, [bytes, sentence]] of Object.entries(unsound))
      await expect(cache.acquire(bytes), name).rejects.toMatchObject({
        code: 'ERR_MODEL_REJECTED',
        message: expect.stringMatching(sentence),
      });
    expect(cache.stats().loads).toBe(0);
    using model = await cache.acquire(chainGraph({ layers: 2, width: 8 }));
    expect(model.inputNames).toEqual(['x']);
  });

  it('refuses bytes that another thread could change', async () => {
    await expect(cache.acquire(new Uint8Array(new SharedArrayBuffer(8)))).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
    });
  });
});
