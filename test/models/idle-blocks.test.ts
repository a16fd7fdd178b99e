// Large blocks of a run are kept for the next one, for a moment, and never in anybody's way.
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { InferSession } from '../../src/contract/index.js';
import { onnxruntimeLibrary } from '../../src/models/engine/onnxruntime.js';
import { native } from '../../src/native/load.js';
import { chainGraph, ones } from '../support/graphs.js';
import { CPU_PLAN } from '../support/load-plan.js';
import { overNative } from '../support/paths.js';

const WIDTH = 256;
const ROWS = 2048;
const ACTIVATION = ROWS * WIDTH * 4;
const plan = { ...CPU_PLAN, threads: 2 };

// The blocks are the addon's allocator's.
describe.runIf(overNative)('idle blocks of inference', () => {
  const { governor, infer, ledger } = native();
  const [running, idle] = [ledger.account('infer', 0), ledger.account('infer.idle', 0)];
  const peak = () => ledger.snapshot()[running]?.peak ?? 0;
  let session: InferSession;
  const run = async (rows: number) => {
    const [y] = await session.run(1, [{ name: 'x', tensor: ones(rows, WIDTH) }], ['y']);
    return y?.data;
  };

  beforeAll(() => infer?.open(onnxruntimeLibrary()));
  beforeEach(async () => {
    const graph = chainGraph({ layers: 6, width: WIDTH, distinct: true });
    session = (await infer?.load(graph, plan)) as InferSession;
    await vi.waitFor(() => expect(ledger.held(idle)).toBe(0));
  });
  afterEach(() => {
    ledger.setLimit(0, Number.POSITIVE_INFINITY);
    session.release();
  });

  it('are on an account of their own, no more than runs have used at once, and gone when nothing runs', async () => {
    const first = await run(ROWS);
    const kept = ledger.held(idle);
    expect(kept).toBeGreaterThanOrEqual(ACTIVATION);
    expect(kept).toBeLessThanOrEqual(peak());
    expect(ledger.held(running)).toBe(0);
    expect(await run(ROWS)).toEqual(first);
    for (const rows of [ROWS - 1, ROWS - 2, ROWS - 3, ROWS - 4]) await run(rows);
    expect(ledger.held(idle)).toBeLessThanOrEqual(peak());
    await vi.waitFor(() => expect(ledger.held(idle)).toBe(0), { timeout: 10_000 });
  });

  it('serve the next run of the same shape, which needs no other', async () => {
    await run(ROWS);
    const kept = ledger.held(idle);
    ledger.setLimit(0, ledger.held(0));
    for (let i = 0; i < 3; i++) await run(ROWS);
    // Had one of them given way to a block of another size, it would not be there any more.
    expect(ledger.held(idle)).toBe(kept);
  });

  it('serve a run of a smaller shape as well, whose layers would else drive each other out', async () => {
    await run(ROWS);
    const kept = ledger.held(idle);
    ledger.setLimit(0, ledger.held(0));
    expect(await run(ROWS / 2)).toHaveLength((ROWS / 2) * WIDTH);
    expect(ledger.held(idle)).toBe(kept);
    expect(await run(ROWS)).toHaveLength(ROWS * WIDTH);
    expect(ledger.held(idle)).toBe(kept);
  });

  it('serve one that is far smaller, rather than to be dropped for it', async () => {
    await run(ROWS);
    const kept = ledger.held(idle);
    ledger.setLimit(0, ledger.held(0));
    expect(await run(ROWS / 8)).toHaveLength((ROWS / 8) * WIDTH);
    expect(ledger.held(idle)).toBe(kept);
  });

  it('give way to a smaller block where the budget has no room for the whole', async () => {
    await run(ROWS);
    const taken = ledger.account('test', 0);
    // Room for the two activations of half the size that are alive at a time, and some.
    ledger.setLimit(0, ledger.held(0) + 1.25 * ACTIVATION);
    ledger.overdraw(taken, ledger.held(idle));
    expect(await run(ROWS / 2)).toHaveLength((ROWS / 2) * WIDTH);
    ledger.credit(taken, ledger.held(taken));
  });

  it('give way to whoever asks the governor', async () => {
    await run(ROWS);
    const kept = ledger.held(idle);
    expect(governor.reclaim(kept)).toBeGreaterThanOrEqual(kept);
    expect(ledger.held(idle)).toBe(0);
  });

  it('are not what a graph leaves behind', async () => {
    await run(ROWS);
    governor.reclaim(1e9);
    session.letGo();
    expect(await session.evict()).toMatchObject({ bytes: expect.any(Number) });
    expect(ledger.held(idle)).toBe(0);
  });
});
