import { describe, expect, it } from 'vitest';
import { formatSeconds, parseDuration } from '../../src/util/durations.js';
import { formatSize, isShare, parseSize, parseSizeOrShare } from '../../src/util/sizes.js';

const invalid = expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' });

describe('sizes', () => {
  it.each([
    [1048576, 1048576],
    ['512MB', 512e6],
    ['2GiB', 2 ** 31],
    ['1.5 kb', 1500],
    ['0', 0],
  ])('reads %s as %d bytes', (text, bytes) => {
    expect(parseSize(text, 'size')).toBe(bytes);
  });

  it.each(['', 'MB', '-1MB', '5 parsecs', '30%', Number.NaN, -1])('refuses %s, naming the option', (text) => {
    expect(() => parseSize(text, 'cacheBytes')).toThrow(invalid);
    expect(() => parseSize(text, 'cacheBytes')).toThrow(/cacheBytes/);
  });

  it('takes a share of a limit', () => {
    expect(parseSizeOrShare('75%', 1000, 'budget')).toBe(750);
    expect(parseSizeOrShare('1MB', 1000, 'budget')).toBe(1e6);
    expect(() => parseSizeOrShare('120%', 1000, 'budget')).toThrow(invalid);
    expect(isShare('75%')).toBe(true);
    expect(isShare('75MB')).toBe(false);
  });

  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1500, '1.5 kB'],
    [999_700, '1.0 MB'],
    [123e6, '123 MB'],
    [2.34e12, '2.3 TB'],
  ])('shows %d as %s', (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });
});

describe('durations', () => {
  it('reads numbers as milliseconds and strings by their unit', () => {
    expect([parseDuration(250, 'ttl'), parseDuration('5m', 'ttl'), parseDuration('1.5s', 'ttl')]).toEqual([
      250, 300_000, 1500,
    ]);
    expect(() => parseDuration('5', 'ttl')).toThrow(invalid);
  });

  it('shows seconds for a person', () => {
    expect([formatSeconds(42), formatSeconds(200), formatSeconds(7500)]).toEqual(['42s', '3m 20s', '2h 05m']);
  });
});
