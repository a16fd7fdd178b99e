import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLedger } from '../../src/fallback/ledger.js';
import { native } from '../../src/native/load.js';
import { overNative } from '../support/paths.js';

let serial = 0;
const fresh = (parent = 0) => native().ledger.account(`test-${serial++}`, parent);

describe('ledger', () => {
  it('is the implementation the suite asked for', () => {
    expect(native().capabilities.includes('infer')).toBe(overNative);
  });

  it('finds an account again by name and parent', () => {
    const { ledger } = native();
    const parent = fresh();
    expect(ledger.account('child', parent)).toBe(ledger.account('child', parent));
    expect(ledger.account('child', parent)).not.toBe(ledger.account('child', fresh()));
  });

  it('refuses a charge beyond the limit of any ancestor, and books nothing', () => {
    const { ledger } = native();
    const parent = fresh();
    const child = ledger.account('child', parent);
    ledger.setLimit(parent, 100);
    expect(ledger.charge(child, 70)).toBe(true);
    expect(ledger.reserve(child, 31)).toBe(false);
    expect(ledger.held(parent)).toBe(70);
    expect(ledger.reserve(child, 30)).toBe(true);
    ledger.overdraw(child, 50);
    expect(ledger.held(parent)).toBe(150);
    ledger.credit(child, 120);
    ledger.unreserve(child, 30);
    expect(ledger.held(parent)).toBe(0);
    const figures = ledger.snapshot()[child];
    expect(figures).toMatchObject({ bytes: 0, reserved: 0, peak: 150 });
  });

  it('rejects accounts that do not exist and negative bytes', () => {
    const { ledger } = native();
    expect(() => ledger.charge(100_000, 1)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' }),
    );
    expect(() => ledger.charge(fresh(), -1)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' }),
    );
  });

  it('agrees with the JavaScript ledger over random operations', () => {
    const operation = fc.record({
      kind: fc.constantFrom('charge', 'reserve', 'credit', 'unreserve' as const),
      account: fc.nat(3),
      bytes: fc.nat(60),
    });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const subject = native().ledger;
        const model = createLedger();
        const top = fresh();
        const ids = [top, subject.account('a', top), subject.account('b', top), 0];
        ids[3] = subject.account('c', ids[1] as number);
        const modelTop = model.account('top', 0);
        const modelIds = [modelTop, model.account('a', modelTop), model.account('b', modelTop), 0];
        modelIds[3] = model.account('c', modelIds[1] as number);
        for (const [account, limit] of [200, 100, 90, 50].entries()) {
          subject.setLimit(ids[account] as number, limit);
          model.setLimit(modelIds[account] as number, limit);
        }
        for (const { kind, account, bytes } of operations)
          expect(subject[kind](ids[account] as number, bytes)).toBe(
            model[kind](modelIds[account] as number, bytes),
          );
        for (let i = 0; i < 4; i++)
          expect(subject.held(ids[i] as number)).toBe(model.held(modelIds[i] as number));
      }),
      { numRuns: 50 },
    );
  });
});
