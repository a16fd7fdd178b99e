import { describe, expect, it } from 'vitest';
import { AdaptiveSize } from '../../src/cache/adaptive-size.js';

const MB = 2 ** 20;
const EPOCH = 256;

function sized(available: number, most = Number.POSITIVE_INFINITY) {
  const world = { available, now: 0, calm: true, held: 0 };
  const size = new AdaptiveSize({ available: () => world.available, most, now: () => world.now });
  /** An epoch of requests, of which `shadowed` would have been hits in a larger cache. */
  const epoch = (shadowed: number) => {
    world.now += 1000;
    for (let i = 0; i < EPOCH; i++) size.count(i < shadowed, () => world.calm, world.held);
  };
  return { world, size, epoch };
}

describe('an adaptive size', () => {
  it('begins with a small share of what is available', () => {
    expect(sized(6400 * MB).size.limit).toBe(100 * MB);
    expect(sized(6400 * MB, 30 * MB).size.limit).toBe(30 * MB);
    expect(sized(0).size.limit).toBe(MB);
  });

  it('grows while that would gain hits, and no longer', () => {
    const { size, epoch } = sized(6400 * MB);
    epoch(10);
    expect(size.limit).toBe(150 * MB);
    epoch(2);
    expect(size.limit).toBe(225 * MB);
    for (let i = 0; i < 5; i++) epoch(1);
    expect(size.limit).toBe(225 * MB);
    expect(size.grows).toBe(2);
  });

  it('never grows beyond a quarter of what is available to it, nor beyond what it may', () => {
    const { world, size, epoch } = sized(640 * MB);
    for (let i = 0; i < 20; i++) epoch(EPOCH);
    expect(size.limit).toBe(160 * MB);
    // What it holds is its own: it counts as available.
    world.available -= 100 * MB;
    world.held += 100 * MB;
    epoch(EPOCH);
    expect(size.limit).toBe(160 * MB);
    const bounded = sized(640 * MB, 20 * MB);
    for (let i = 0; i < 20; i++) bounded.epoch(EPOCH);
    expect(bounded.size.limit).toBe(20 * MB);
  });

  it('does not grow while memory is not calm', () => {
    const { world, size, epoch } = sized(6400 * MB);
    world.calm = false;
    epoch(EPOCH);
    expect(size.limit).toBe(100 * MB);
    world.calm = true;
    epoch(EPOCH);
    expect(size.limit).toBe(150 * MB);
  });

  it('yields to a share of what is held, and waits before it grows again', () => {
    const { world, size, epoch } = sized(6400 * MB);
    size.yield(0.5, 80 * MB);
    expect(size.limit).toBe(40 * MB);
    epoch(EPOCH);
    expect(size.limit).toBe(40 * MB);
    world.now += 5000;
    epoch(EPOCH);
    expect(size.limit).toBe(60 * MB);
    size.yield(0.1, 2 * MB);
    expect(size).toMatchObject({ limit: MB, shrinks: 2, grows: 1 });
  });

  it('does not grow twice within a tenth of a second', () => {
    const { world, size, epoch } = sized(6400 * MB);
    epoch(EPOCH);
    world.now -= 1000;
    epoch(EPOCH);
    expect(size.limit).toBe(150 * MB);
  });
});
