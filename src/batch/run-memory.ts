// What a run took at its peak, from the high-water mark of the engine's account.
import type { AccountFigures } from '../contract/index.js';
import { native } from '../native/load.js';

/** Where the engine charges what runs allocate. */
const ACCOUNT = 'infer';

/**
 * Starts watching; the result, called after the run, gives the bytes it took at its peak, beyond what was held before.
 * Undefined where the mark did not rise: a smaller run than an earlier one leaves no trace, nor does one in a child
 * process. Of overlapping runs each is given what all of them took, which errs on the safe side.
 */
export function watchRun(): () => number | undefined {
  const before = figures();
  return () => {
    const after = figures();
    const rose = after && after.peak > (before?.peak ?? 0);
    return rose ? after.peak - ((before?.bytes ?? 0) + (before?.reserved ?? 0)) : undefined;
  };
}

function figures(): AccountFigures | undefined {
  return native()
    .ledger.snapshot()
    .find(({ name }) => name === ACCOUNT);
}
