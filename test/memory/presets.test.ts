import { describe, expect, it } from 'vitest';
import { budgetBounds, type MemoryPreset } from '../../src/memory/presets.js';

const LIMIT = 64e9;
const wrong = expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' });

describe('the bounds of a budget', () => {
  it('are 30 GB for forensic work', () => {
    expect(budgetBounds({ preset: 'forensic' }, LIMIT)).toMatchObject({
      residentBytes: 30e9,
      limitShare: 0.95,
    });
  });

  it('are a share of the limit in a container of its own', () => {
    const { residentBytes, limitShare } = budgetBounds({ preset: 'container' }, LIMIT);
    expect({ residentBytes, limitShare }).toEqual({
      residentBytes: Number.POSITIVE_INFINITY,
      limitShare: 0.85,
    });
  });

  it('leave most of a desktop to its user', () => {
    const { residentBytes, limitShare } = budgetBounds({ preset: 'desktop' }, LIMIT);
    expect({ residentBytes, limitShare }).toEqual({ residentBytes: 16e9, limitShare: 0.85 });
  });

  it.each<MemoryPreset | undefined>(['forensic', 'container', 'desktop', undefined])(
    'are what is asked for, whatever the preset: %s',
    (preset) => {
      expect(budgetBounds({ budget: '2GB', preset }, LIMIT)).toEqual({
        residentBytes: 2e9,
        limitShare: 0.95,
        reason: 'a budget of 2.0 GB',
      });
      expect(budgetBounds({ budget: ' 40 % ', preset }, LIMIT)).toMatchObject({
        residentBytes: Number.POSITIVE_INFINITY,
        limitShare: 0.4,
      });
    },
  );

  it('are three quarters of the limit where nothing is asked for', () => {
    expect(budgetBounds({}, LIMIT)).toEqual({
      residentBytes: Number.POSITIVE_INFINITY,
      limitShare: 0.75,
      reason: 'a budget of 75% of the limit',
    });
  });

  it('are refused where they make no sense', () => {
    for (const budget of [0, '0MB', '0%', '101%', 'lots', -1])
      expect(() => budgetBounds({ budget }, LIMIT)).toThrow(wrong);
    expect(() => budgetBounds({ preset: 'toString' as MemoryPreset }, LIMIT)).toThrow(wrong);
  });
});
