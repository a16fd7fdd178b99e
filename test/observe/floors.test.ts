import { describe, expect, it } from 'vitest';
import { Floors } from '../../src/observe/floors.js';

describe('floors', () => {
  it('keep the least of each item while they last', () => {
    const floors = new Floors(8);
    for (const [items, bytes] of [
      [1, 50],
      [1, 40],
      [1, 60],
      [3, 45],
    ] as const)
      floors.add(items, bytes);
    expect(floors.list()).toEqual([
      { items: 1, bytes: 40 },
      { items: 3, bytes: 45 },
    ]);
  });

  it('hold a series of any length in windows of equally many items', () => {
    const floors = new Floors(8);
    for (let items = 0; items < 1000; items++) floors.add(items, 1000 + items + (items % 2 === 0 ? 0 : 500));
    const list = floors.list();
    expect(list.length).toBeLessThanOrEqual(8);
    expect(list.length).toBeGreaterThanOrEqual(4);
    // Each window's least is its first value: the noise lies above it.
    expect(list).toEqual(list.map((_, i) => ({ items: i * 128, bytes: 1000 + i * 128 })));
  });

  it('keep every minimum that a merge brings together', () => {
    const floors = new Floors(4);
    const series = [9, 3, 7, 8, 2, 9, 9, 5, 6, 6, 1, 9];
    for (const [items, bytes] of series.entries()) floors.add(items, bytes);
    expect(Math.min(...floors.list().map(({ bytes }) => bytes))).toBe(1);
    expect(floors.list()[0]).toEqual({ items: 1, bytes: 3 });
  });

  it('follow a jump over many windows', () => {
    const floors = new Floors(4);
    floors.add(0, 5);
    floors.add(1e6, 7);
    floors.add(1e9, 6);
    expect(floors.list()).toEqual([
      { items: 0, bytes: 5 },
      { items: 1e6, bytes: 7 },
      { items: 1e9, bytes: 6 },
    ]);
  });
});
