import { describe, expect, it } from 'vitest';
import { Channel } from '../../src/util/channel.js';

const settledAfter = async (promise: Promise<unknown>): Promise<boolean> => {
  let settled = false;
  void promise.then(() => {
    settled = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  return settled;
};

describe('channel', () => {
  it('hands items over in order, to whoever waits first', async () => {
    const channel = new Channel<number>(2);
    const first = channel.shift();
    const second = channel.shift();
    await channel.push(1);
    await channel.push(2);
    expect([await first, await second]).toEqual([1, 2]);
  });

  it('lets a producer wait while it is full', async () => {
    const channel = new Channel<number>(2);
    await channel.push(1);
    const push = channel.push(2);
    expect(await settledAfter(push)).toBe(false);
    expect(await channel.shift()).toBe(1);
    expect(await settledAfter(push)).toBe(true);
  });

  it('gives out what is left after close, then undefined', async () => {
    const channel = new Channel<number>(8);
    await channel.push(1);
    channel.close();
    await channel.push(2);
    expect([await channel.shift(), await channel.shift()]).toEqual([1, undefined]);
  });

  it('releases everybody who waits when it is closed or cleared', async () => {
    const full = new Channel<number>(1);
    const push = full.push(1);
    full.clear();
    await push;
    expect(await full.shift()).toBeUndefined();
    const empty = new Channel<number>(1);
    const shift = empty.shift();
    empty.close();
    expect(await shift).toBeUndefined();
  });
});
