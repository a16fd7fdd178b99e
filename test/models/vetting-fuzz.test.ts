// Damaged models: whatever became of them, they load or are refused, and cost little.
import { resourceUsage } from 'node:process';
import { afterAll, describe, expect, it } from 'vitest';
import { uniform } from '../../scripts/make-model/test-graphs.mjs';
import { ModelCache } from '../../src/models/model-cache.js';
import { ModelVetting } from '../../src/models/vetting/vetting.js';
import { codeOf } from '../../src/util/errors.js';
import { chainGraph, meanColourGraph, twoOutputsGraph } from '../support/graphs.js';
import {
  body,
  constant,
  domain,
  external,
  func,
  graph,
  model,
  node,
  tensor,
} from '../support/proto-model.js';

/** A model with all that vetting reads: bodies, functions, data elsewhere. */
const rich = model(
  graph({
    nodes: [
      node(
        'If',
        ['c'],
        ['a'],
        body('then_branch', graph({ inputs: [], nodes: [node('Relu', ['x'], ['y'])] })),
      ),
      node('Constant', [], ['k'], constant(tensor({ dims: [2, 2], raw: 16 }))),
      node('Own', ['a'], ['y'], domain('own')),
    ],
    initialisers: [
      tensor({ name: 'c', dims: [], type: 9, raw: 1 }),
      tensor({}, external({ location: 'w.bin' })),
    ],
  }),
  func('Own', [node('Relu', ['x'], ['y'])]),
);
const graphs = [
  rich,
  meanColourGraph(),
  chainGraph({ layers: 3, width: 8, distinct: true }),
  twoOutputsGraph(),
];

const random = uniform(20_261_120);
const below = (limit: number) => Math.floor(random() * limit);

/** One to four bytes changed, then perhaps cut, or a piece of it repeated. */
function damaged(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  for (let i = below(4); i >= 0; i--) copy[below(copy.length)] = random() < 0.3 ? 0xff : below(256);
  const kind = random();
  if (kind < 0.2) return copy.subarray(0, below(copy.length));
  if (kind > 0.3) return copy;
  const from = below(copy.length);
  return Buffer.concat([copy.subarray(0, from + below(64)), copy.subarray(from)]);
}

const AT_MOST = 128e6;

describe('damaged models', () => {
  it('pass vetting or are rejected, in little memory', () => {
    const before = resourceUsage().maxRSS * 1024;
    let passed = 0;
    for (let i = 0; i < 8000; i++) {
      const bytes = damaged(graphs[i % graphs.length] as Uint8Array);
      try {
        const vetting = new ModelVetting(bytes.length);
        vetting.push(bytes);
        vetting.end();
        passed++;
      } catch (error) {
        if (codeOf(error) !== 'ERR_MODEL_REJECTED') throw error;
      }
    }
    expect(passed).toBeGreaterThan(100);
    expect(passed).toBeLessThan(7900);
    // A sanitizer keeps pages of its own beside each of ours.
    if (!process.env.SPILLWAY_SANITIZER_LIBRARY)
      expect(resourceUsage().maxRSS * 1024 - before).toBeLessThan(AT_MOST);
  });

  it('are rejected wherever they are cut', () => {
    for (let end = 0; end < rich.length; end++) {
      const vet = () => {
        const vetting = new ModelVetting(end);
        vetting.push(rich.subarray(0, end));
        vetting.end();
      };
      // Without its function the model is whole, but for an operator of an unknown domain.
      expect(vet, `cut at ${end}`).toThrow(expect.objectContaining({ code: 'ERR_MODEL_REJECTED' }));
    }
  });

  it('say at once that they claim more than they are', () => {
    const vetting = new ModelVetting(2 ** 31 - 1);
    const claim = Buffer.from('\x08\x08\x3a\xff\xff\xff\xff\x07\x2a\xf0\xff\xff\xff\x07', 'latin1');
    expect(() => vetting.push(claim)).toThrow(/beyond its message/);
  });

  describe('in a cache', () => {
    const cache = new ModelCache({ device: 'cpu', threads: 1 });
    afterAll(() => cache.close());

    it('load or are refused with a code', { timeout: 30_000 }, async () => {
      const outcomes = new Map<string, number>();
      for (let i = 0; i < 300; i++) {
        const bytes = damaged(graphs[1 + (i % 3)] as Uint8Array);
        const outcome = await cache.acquire(bytes).then(
          (loaded) => {
            loaded[Symbol.dispose]();
            return 'loaded';
          },
          (error: unknown) => codeOf(error) ?? String(error),
        );
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        cache.clear();
      }
      for (const outcome of outcomes.keys())
        expect(outcome).toMatch(/^(loaded|ERR_MODEL_REJECTED|ERR_OUT_OF_MEMORY)$/);
      expect(outcomes.get('loaded')).toBeGreaterThan(0);
      expect(outcomes.get('ERR_MODEL_REJECTED')).toBeGreaterThan(0);
    });
  });
});
