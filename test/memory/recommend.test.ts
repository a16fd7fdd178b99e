import { describe, expect, it } from 'vitest';
import { type MemoryFigures, recommend } from '../../src/memory/recommend.js';

const GB = 1e9;

/** A process with nothing to complain of. */
const GOOD: MemoryFigures = {
  budget: 2 * GB,
  limit: 8 * GB,
  rss: 1 * GB,
  workingSet: 3 * GB,
  unmanaged: 0.3 * GB,
  heapBytes: 0.1 * GB,
  accounts: { decode: { bytes: 0, reserved: 0.5 * GB, peak: 0.6 * GB } },
};

/** A reading a second. */
const history = (...usedShare: number[]) => ({ at: usedShare.map((_, i) => 1e12 + i * 1000), usedShare });
const steady = (share: number, seconds = 120) => history(...Array.from({ length: seconds }, () => share));
const about = (figures: Partial<MemoryFigures>, past = steady(0.5)) =>
  recommend({ ...GOOD, ...figures }, past).map(({ topic, text }) => `${topic}: ${text}`);

describe('recommendations', () => {
  it('are none where nothing is to be done', () => {
    expect(about({})).toEqual([]);
    expect(about({}, history())).toEqual([]);
  });

  it('name what no account explains, and what it is', () => {
    expect(about({ unmanaged: 1.2 * GB })).toEqual([
      expect.stringMatching(/^unmanaged: unmanaged memory is 60 % of the budget; libraries/),
    ]);
    expect(about({ unmanaged: 1.2 * GB, heapBytes: 0.9 * GB })).toEqual([
      expect.stringMatching(/own heap is 900 MB of it.*--max-old-space-size/),
    ]);
  });

  it('name the budget that would end the pressure', () => {
    expect(about({}, steady(0.9))).toEqual([
      expect.stringMatching(/^pressure: .* 100 % of the time: give it a budget of 2\.6 GB/),
    ]);
    expect(about({}, steady(0.9, 5))).toEqual([]);
  });

  it('foretell when the budget will be full', () => {
    const rising = history(...Array.from({ length: 120 }, (_, i) => 0.4 + i / 1000));
    expect(about({}, rising)).toEqual([
      expect.stringMatching(/^trend: memory grows by 120 MB a minute .* in about 8 min/),
    ]);
    expect(about({}, history(...rising.usedShare.reverse()))).toEqual([]);
  });

  it('tell our own memory from that of others', () => {
    expect(about({ workingSet: 7.5 * GB })).toEqual([
      expect.stringMatching(/^others: other programs hold 6\.5 GB of the 8\.0 GB/),
    ]);
    expect(about({ workingSet: 7.5 * GB, rss: 7 * GB })).toEqual([]);
  });

  it('name the account that leaves no room', () => {
    expect(about({ accounts: { models: { bytes: 1.5 * GB, reserved: 0, peak: 1.5 * GB } } })).toEqual([
      expect.stringMatching(/^account: models holds 1\.5 GB, 75 % of the budget/),
    ]);
  });

  it('say so when most of the budget is never used', () => {
    expect(about({}, steady(0.2))).toEqual([
      expect.stringMatching(/^idle: no more than 20 % of the budget was used.*571 MB/),
    ]);
  });
});
