// The ledger, native against JavaScript: node bench/micro/ledger.mjs

import { createLedger } from '../../dist/fallback/ledger.js';
import { native } from '../../dist/native/load.js';
import { compare } from './compare.mjs';

/** @param {import('../../src/contract/index.js').Ledger} ledger */
function charging(ledger) {
  const parent = ledger.account('bench', 0);
  const account = ledger.account('bench.inner', parent);
  ledger.setLimit(parent, 1e9);
  return () => {
    if (!ledger.charge(account, 4096)) throw new Error('expected room for a charge');
    ledger.credit(account, 4096);
  };
}

await compare('ledger: charge and credit, two accounts deep', {
  native: charging(native().ledger),
  javascript: charging(createLedger()),
});
